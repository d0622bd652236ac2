"""Users' expressions run in a process that can be ended: no request waits for one for ever."""

import asyncio
import os
import signal
import threading
import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.apart.process import PROCESS, Apart, Process
from promptdeck.core.text.expressions import PLAINLY
from promptdeck.errors import PatternError
from tests.command import promptdeck
from tests.conftest import Start
from tests.scripted_upstream import Upstream

# Each takes for ever on a text like this, each in another way.
SLOW = [r"(a+)+$", r"(a|aa)+$", r"(a*)*b", r"(.*)*=x", r"^(([a-z])+.)+[A-Z]([a-z])+$"]
TEXT = "a" * 40 + "!"
PATTERN = st.sampled_from(["a", "(a)(b)?", "$", r"\w+", "é|\ud83d", r"\ba"])


@pytest.fixture(autouse=True)
def ended():
    yield
    PROCESS.close()


@given(st.lists(PATTERN, min_size=1), st.lists(st.text("ab é\ud83d", max_size=9)))
def test_the_other_process_finds_what_this_one_does(patterns, texts):
    apart = Apart(30)
    rules = [(pattern, r"<\g<0>>") for pattern in patterns]
    assert apart.replaced(rules, texts) == PLAINLY.replaced(rules, texts)
    parts = [(text, [(0, len(text))]) for text in texts]
    assert apart.found(patterns, parts) == PLAINLY.found(patterns, parts)


@pytest.mark.parametrize("pattern", SLOW)
def test_what_takes_too_long_is_ended_named_and_not_tried_again(pattern):
    apart = Apart(0.2)
    for most in (5.0, 0.1):
        begun = time.monotonic()
        with pytest.raises(PatternError) as error:
            apart.replaced([("b", "c"), (pattern, "x"), ("d", "e")], ["short", TEXT])
        assert time.monotonic() - begun < most
        assert f"the pattern {pattern!r} takes longer than server.pattern_timeout (0.2 s)" in str(
            error.value
        )
    # It is refused where it took too long, and there alone.
    assert apart.replaced([("a", "b")], ["a"]) == ["b"]
    assert Apart(30).replaced([(pattern, "x")], ["short"])


def test_a_child_that_was_killed_is_replaced():
    process = Process()
    assert process.ask("replaced", [("a", "b")], ["a"], 5) == ["b"]
    os.kill(process._child.pid, signal.SIGKILL)
    assert process.ask("replaced", [("a", "b")], ["a"], 5) == ["b"]
    process.close()
    assert process.ask("replaced", [("a", "b")], ["a"], 5) == ["b"]
    process.close()


def test_many_threads_ask_one_process():
    apart = Apart(30)
    wrong: list[object] = []

    def ask(number: int) -> None:
        for turn in range(50):
            text = f"{number} {turn} " * 100
            if apart.replaced([(r"\d+", r"<\g<0>>")], [text]) != PLAINLY.replaced(
                [(r"\d+", r"<\g<0>>")], [text]
            ):
                wrong.append(text)

    threads = [threading.Thread(target=ask, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def environment(where: str) -> dict[str, str]:
    """A configuration with a slow pattern among the rules of matching, or of secrets."""
    entry = {
        "match": ("MATCH_REPLACE", [{"pattern": SLOW[0], "with": "x"}]),
        "redact": ("REDACT_PATTERNS", [{"name": "slow", "pattern": SLOW[0]}]),
    }
    name, value = entry[where]
    return {
        f"PROMPTDECK_{name}": orjson.dumps(value).decode(),
        "PROMPTDECK_SERVER_PATTERN_TIMEOUT": "500ms",
    }


@pytest.mark.parametrize("where", ["match", "redact"])
@pytest.mark.parametrize("fast", [True, False])
async def test_a_slow_pattern_fails_its_request_and_stops_nobody(
    start: Start, where: str, fast: bool
) -> None:
    deck = await start(environment(where), mode="cache", fast=fast)
    longest = 0.0
    async with asyncio.TaskGroup() as tasks:
        slow = tasks.create_task(deck.chat(TEXT))
        while not slow.done():
            begun = time.monotonic()
            assert (await deck.request("GET", "/_deck/health")).status == 200
            longest = max(longest, time.monotonic() - begun)
    got = await slow
    assert got.status == 400
    assert got.json["error"]["code"] == "pattern_too_slow"
    assert SLOW[0] in got.json["error"]["message"]
    assert longest < 0.4
    # From then on the pattern is refused at once.
    begun = time.monotonic()
    assert (await deck.chat("short")).status == 400
    assert time.monotonic() - begun < 0.4


async def test_a_sessions_slow_pattern_is_refused_in_that_session_alone(
    start: Start, provider: Upstream
) -> None:
    deck = await start({"PROMPTDECK_SERVER_PATTERN_TIMEOUT": "500ms"}, mode="record-missing")
    wants = [
        {"cassette": name, "match": {"replace": [{"pattern": pattern, "with": "N"}]}}
        for name, pattern in (("slow", SLOW[0]), ("quick", r"\d+"))
    ]
    slow, quick = [
        (await deck.request("POST", "/_deck/sessions", orjson.dumps(item))).json["id"]
        for item in wants
    ]
    async with asyncio.TaskGroup() as tasks:
        prompts = [f"{TEXT} {number}?" for number in range(9)]
        attacks = [tasks.create_task(deck.chat(text, at=f"/session/{slow}")) for text in prompts]
        await asyncio.sleep(0.1)
        begun = time.monotonic()
        for number in range(5):
            assert (await deck.chat(f"run {number}", at=f"/session/{quick}")).status == 200
        assert time.monotonic() - begun < 3
    assert {attack.result().status for attack in attacks} == {400}
    assert len(provider.seen) == 1


async def test_indexing_a_thousand_recordings_takes_one_question_each(start: Start) -> None:
    from promptdeck.stores.cassettes.file import read
    from promptdeck.stores.cassettes.save import New, save

    deck = await start(mode="record", cassette="many")
    await deck.chat("number 0")
    path = start.folder / "cassettes" / "many.yaml"
    [one] = read(path)
    body = orjson.loads(one.request.body)
    news = []
    for number in range(1, 1000):
        body["messages"][0]["content"] = f"question {number} of many"
        request = one.request._replace(body=orjson.dumps(body))
        news.append(
            New(one._replace(request=request, id="", key=f"p1:{number:032x}"), b"", False, "")
        )
    save(path, news)
    rules = {"PROMPTDECK_MATCH_REPLACE": '[{"pattern": "of man[y]", "with": "x"}]'}
    begun = time.monotonic()
    replay = await start(rules, mode="replay", cassette="many")
    assert (await replay.chat("question 7 of many")).status == 200
    assert time.monotonic() - begun < 6


async def test_a_command_says_which_pattern_is_slow(start: Start) -> None:
    await (await start(mode="record", cassette="x")).chat(TEXT)
    done = await promptdeck(start.folder, "cassette", "verify", **environment("redact"))
    assert done.code == 3
    assert done.err.startswith(f"promptdeck: the pattern {SLOW[0]!r} takes longer than")
