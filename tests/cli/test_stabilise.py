"""`cassette stabilise`: from two recordings of one run to the rules that make them the same."""

import sys
from pathlib import Path

import orjson
import pytest

from promptdeck.config import load
from tests.command import Ran, promptdeck
from tests.conftest import Start
from tests.scripted_upstream import plain, raw

pytestmark = pytest.mark.usefixtures("provider")


async def record(start: Start, name: str, *prompts: str) -> None:
    """Record prompts into a cassette."""
    deck = await start(mode="record", cassette=name)
    for prompt in prompts:
        deck.upstream.answers.append(plain("yes"))
        await deck.chat(prompt)


async def stabilise(folder: Path, *argv: str) -> Ran:
    return await promptdeck(folder, "cassette", "stabilise", *argv)


async def test_the_rule_is_shown_with_what_it_unites_and_written(start: Start) -> None:
    await record(start, "one", "log of 2026-11-28: read it")
    await record(start, "two", "log of 2026-11-29: read it")
    await record(start, "other", "log of 2027-01-01: read it", "log of 2027-01-02: read it")
    ran = await stabilise(start.folder, "one", "two", "--save")
    assert ran.code == 0, ran.err
    assert "1 pair of the same step\n" in ran.out
    assert "unites  'log of 2026-11-28'" in ran.out
    assert "would also unite in other: " in ran.out
    assert ran.out.endswith("written into promptdeck.yaml\n")
    config = load({}, {}, cwd=start.folder).config
    assert [rule["with"] for rule in config.match.replace] == [r"\1<date>"]
    again = await stabilise(start.folder, "one", "two")
    assert (again.code, again.out) == (
        0, "1 pair of the same step\nnothing varies: no rule is needed\n",
    )  # fmt: skip


async def test_json_says_the_same(start: Start) -> None:
    await record(start, "one", "Working directory: /home/ann/proj\n")
    await record(start, "two", "Working directory: /srv/bob\n")
    ran = await stabilise(start.folder, "one", "two", "--json")
    found = orjson.loads(ran.out)
    assert found["match"] == {"preset": ["agent"]}
    assert found["rules"][0]["texts"] == ["⟨cwd⟩ /home/ann/proj | /srv/bob"]


@pytest.mark.long
async def test_rules_written_into_the_cassettes_travel_with_them(start: Start) -> None:
    await record(start, "one", "Working directory: /home/ann/proj\nrun 1 of 2026-11-28: go")
    await record(start, "two", "Working directory: /srv/bob\nrun 1 of 2026-11-29: go")
    ran = await stabilise(start.folder, "one", "two", "--write")
    assert ran.code == 0, ran.err
    assert [line for line in ran.out.splitlines() if line.startswith("written into")] == [
        f"written into cassettes/{name}.yaml" for name in ("one", "two")
    ]
    assert not (start.folder / "promptdeck.yaml").exists()
    deck = await start(mode="replay", cassette="one")
    asked = "Working directory: /tmp/eve\nrun 1 of 2031-01-01: go"
    assert (await deck.chat(asked)).status == 200
    assert (await deck.chat(asked.replace("go", "stop"))).status == 400
    request = {"model": "m", "messages": [{"role": "user", "content": asked}]}
    (start.folder / "asked.json").write_bytes(orjson.dumps(request))
    ran = await promptdeck(start.folder, "explain", "asked.json")
    assert ran.code == 0, ran.out
    assert "one: " in ran.out
    assert "two: " in ran.out
    shown = await promptdeck(start.folder, "cassette", "show", "one")
    assert shown.out.startswith('match      {"preset":["agent"]')
    assert (await promptdeck(start.folder, "cassette", "verify")).code == 0
    again = await stabilise(start.folder, "one", "two")
    assert again.out.endswith("nothing varies: no rule is needed\n")


async def test_a_rule_that_would_confuse_a_run_is_refused(start: Start) -> None:
    await record(start, "one", "page 1", "page 2")
    await record(start, "two", "page 8", "page 9")
    ran = await stabilise(start.folder, "one", "two", "--save", "--write")
    assert ran.code == 1
    assert "of one run would be equal" in ran.out
    assert "match:" not in (start.folder / "cassettes" / "one.yaml").read_text()
    assert not (start.folder / "promptdeck.yaml").exists()


async def test_a_section_that_is_there_is_not_written_over(start: Start) -> None:
    await record(start, "one", "on 2026-11-28")
    await record(start, "two", "on 2026-11-29")
    (start.folder / "promptdeck.yaml").write_text("match:\n  ignore: []\n")
    ran = await stabilise(start.folder, "one", "two", "--save")
    assert ran.code == 1
    assert "has a section `match` already" in ran.err


@pytest.mark.long
async def test_a_command_is_recorded_so_often(start: Start) -> None:
    deck = await start(mode="passthrough")
    deck.upstream.answers += [plain("yes"), plain("yes")]
    program = (
        "import os, time, json, urllib.request as u;"
        "b = {'model': 'm', 'messages': [{'role': 'user', 'content': 'at %d' % time.time_ns()}]};"
        "r = u.Request(os.environ['OPENAI_BASE_URL'] + '/chat/completions', json.dumps(b).encode(),"
        " {'Content-Type': 'application/json'}); u.urlopen(r).read()"
    )
    upstream = ("--upstream", deck.upstream.url)
    ran = await stabilise(
        start.folder, "--runs", "2", *upstream, "--", sys.executable, "-c", program
    )
    assert ran.code == 0, ran.err
    assert r"(at )\d{6,}" in ran.out
    assert not (start.folder / "cassettes").exists()
    deck.upstream.answers += [plain("yes"), plain("yes")]
    kept = ("--runs", "2", "--to", "kept", "--write")
    ran = await stabilise(start.folder, *kept, *upstream, "--", sys.executable, "-c", program)
    assert ran.code == 0, ran.err
    assert ran.out.endswith("written into cassettes/kept.yaml\n")
    replay = await start(mode="replay", cassette="kept")
    assert (await replay.chat("at 1234567890123456789")).status == 200
    ran = await stabilise(start.folder, *kept, *upstream, "--", sys.executable, "-c", program)
    assert ran.code == 1
    assert "there is a cassette kept already" in ran.err


@pytest.mark.parametrize(
    "argv", [[], ["one"], ["--runs", "2"], ["--runs", "2", "--write"], ["one", "two"]]
)
async def test_too_little_is_told_with_what_to_do(start: Start, argv: list[str]) -> None:
    ran = await stabilise(start.folder, *argv)
    assert ran.code in (1, 2)
    assert "promptdeck: " in ran.err
    assert len(ran.err.splitlines()) == 1


async def test_what_was_stabilised_does_not_differ_but_raw(start: Start) -> None:
    await record(start, "one", "Working directory: /home/ann/proj\nrun 1 of 2026-11-28: go")
    await record(start, "two", "Working directory: /srv/bob\nrun 1 of 2026-11-29: go")
    diff = ("cassette", "diff", "one", "two")
    assert (await promptdeck(start.folder, *diff)).code == 1
    assert (await stabilise(start.folder, "one", "two", "--write")).code == 0
    ran = await promptdeck(start.folder, *diff)
    assert (ran.code, ran.out) == (
        0, "1 the same, 0 differing, 0 only in one, 0 only in two\n",
    )  # fmt: skip
    ran = await promptdeck(start.folder, *diff, "--raw")
    assert "1 only in one, 1 only in two" in ran.err


async def test_ids_that_the_answers_give_need_no_rule(start: Start) -> None:
    """A job is made and polled, in each run under the id that the provider made up for it."""
    for name, job in (("one", "batch_a1b2c3"), ("two", "batch_d4e5f6")):
        deck = await start(mode="record", cassette=name)
        deck.upstream.answers = [raw(b'{"id": "%b"}' % job.encode())] * 2
        await deck.request("POST", "/v1/batches", b'{"endpoint": "/v1/responses"}')
        await deck.request("GET", f"/v1/batches/{job}")
    ran = await stabilise(start.folder, "one", "two")
    assert (ran.code, ran.out) == (
        0, "2 pairs of the same step\nnothing varies: no rule is needed\n",
    )  # fmt: skip
    ran = await promptdeck(start.folder, "cassette", "diff", "one", "two", "--json")
    assert orjson.loads(ran.out)["only_a"] == orjson.loads(ran.out)["only_b"] == []
