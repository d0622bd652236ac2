"""The rule that would make a miss match: only where volatile text differs, and tried."""

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from promptdeck.core.interaction import Request
from promptdeck.core.matching.normalize import normalize
from promptdeck.core.matching.rules import Rules
from promptdeck.core.misses.proposals import Proposal, propose
from promptdeck.core.misses.stabilising import under
from promptdeck.core.secrets.redact import Redactor
from tests.core.matching.test_renaming import AGENTS, RUNS

REDACTOR = Redactor(())


def form(body, rules: Rules | None = None, target: str = "/v1/chat/completions") -> bytes:
    request = Request("POST", target, "application/json", orjson.dumps(body))
    return normalize(request, rules or Rules(), REDACTOR).canonical


def chat(text: str, **more):
    return {"model": "m", "messages": [{"role": "system", "content": text}], **more}


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agents_run_elsewhere_is_united_by_its_preset(agent: str) -> None:
    run = RUNS[agent]
    here, there = (form(run[side], target=run["target"]) for side in ("here", "there"))
    found = propose(there, here)
    assert found is not None
    # What opencode says, any agent says.
    name = "agent" if agent == "opencode" else agent
    assert found.settings == {"preset": [name]}
    assert str(found) == f'match: {{"preset": ["{name}"]}}'
    assert ("/srv/people/bob/work/other-repo", "/home/ann/proj") in found.unites


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ("build 1234567 of it", "build 7654321 of it", "number"),
        ("at 2026-11-28T10:00:00Z.", "at 2027-01-02T03:04:05Z.", "time"),
        ("on 2026-11-28", "on 2026-11-29", "date"),
        ("commit 9fceb02 is", "commit 1a2b3c4 is", "hex"),
        ("in /tmp/x8k2-abcd now", "in /tmp/q9z1-wxyz now", "tmp"),
        ("run_a81bc2d9e0 starts", "run_99bc2d9e01 starts", "id"),
    ],
)
def test_a_text_that_varies_gets_a_pattern_anchored_by_its_neighbours(
    one: str, other: str, kind: str
) -> None:
    found = propose(form(chat(f"You help.\nNow: {one}")), form(chat(f"You help.\nNow: {other}")))
    assert found is not None
    assert [rule.replacement for rule in found.replace] == [rf"\1<{kind}>"]
    forms = {form(chat(f"You help.\nNow: {text}"), found.rules) for text in (one, other)}
    assert len(forms) == 1
    # Elsewhere such a text goes on to count.
    assert form(chat(f"Then: {one}"), found.rules) != form(chat(f"Then: {other}"), found.rules)


def test_a_value_that_varies_as_a_whole_is_left_out_by_its_path() -> None:
    one, other = ({"jobs": [{"ref": name}]} for name in ("job_81bc2d9e0", "job_99bc2d9e01"))
    found = propose(form(chat("x", **one)), form(chat("x", **other)))
    assert found is not None
    assert found.settings == {"ignore": ["$.jobs[*].ref"]}


def test_what_is_said_is_never_left_out_as_a_whole() -> None:
    found = propose(form(chat("2026-11-28")), form(chat("2026-11-29")))
    assert found is not None
    assert not found.ignore
    assert form(chat("2026-11-28, or so"), found.rules) != form(
        chat("2026-11-29, or so"), found.rules
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (chat("read a.txt"), chat("read b.txt")),
        (chat("at 2026-11-28 read a"), chat("at 2026-11-29 read b")),
        (chat("x", temperature=0.5), chat("x", temperature=1)),
        (chat("x", seed=1), chat("x")),
        (chat("x", logprobs=True), chat("x", logprobs=1)),
        (chat("run_a81bc2d9e0"), chat("a")),
        ({**chat("x"), "model": "m-20261128-abc"}, {**chat("x"), "model": "m-20261129-abc"}),
    ],
)
def test_nothing_is_proposed_where_more_than_volatile_text_differs(one, other) -> None:
    assert propose(form(one), form(other)) is None


WORDS = st.lists(
    st.sampled_from(
        ["go", "stop", "2026-11-28", "2026-11-29", "a81bc2d", "9fceb02", "(x)", "\n", "/a/b", "1.5"]
    ),
    max_size=6,
)


@given(one=WORDS, other=WORDS, one_run=st.booleans())
def test_what_is_proposed_unites_the_two(one: list[str], other: list[str], one_run: bool) -> None:
    bodies = [chat(f"You: {' '.join(words)}") for words in (one, other)]
    assume(form(bodies[0]) != form(bodies[1]))
    found = propose(form(bodies[0]), form(bodies[1]), one_run=one_run)
    if found:
        assert form(bodies[0], found.rules) == form(bodies[1], found.rules)
        assert found != Proposal()
    if [word for word in one if word in ("go", "stop")] != [
        word for word in other if word in ("go", "stop")
    ]:
        assert found is None or one_run


def test_two_agents_texts_in_one_request_need_both_presets() -> None:
    def body(path: str, chunk: str) -> dict:
        memory = f"a persistent file-based memory at `{path}/memory/`"
        output = f"Chunk ID: {chunk}\nWall time: 0.1 seconds\nOutput:\nx"
        return {
            "model": "m",
            "instructions": memory,
            "input": [{"type": "x_output", "output": output}],
        }

    one, other = body("/a/b", "8b0a53"), body("/c/d", "37f916")
    found = propose(form(one, target="/v1/responses"), form(other, target="/v1/responses"))
    assert found is not None
    forms = {form(item, found.rules, target="/v1/responses") for item in (one, other)}
    assert len(forms) == 1


def text(target: str, body: bytes = b"", mime: str = "text/plain", method: str = "POST") -> bytes:
    return normalize(Request(method, target, mime, body), Rules(), REDACTOR).canonical


UUIDS = "7f1c2a52-0000-4000-8000-0123456789ab", "8f1c2a52-0000-4000-8000-0123456789ab"
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("one", "other", "settings"),
    [
        # What a preset names, in a path, a query, a form, a text.
        (*(text(f"/v1/jobs/{name}", method="GET") for name in UUIDS), {"preset": ["agent"]}),
        (*(text(f"/v1/x?cwd=%2Fhome%2F{who}") for who in ("ann", "bob")), {"preset": ["agent"]}),
        (
            *(text("/v1/x", f"session_id=ses_{n}".encode(), FORM) for n in (12345, 54321)),
            {"preset": ["agent"]},
        ),
        (
            *(text("/v1/x", f"Today's date is 2026-11-2{n}.".encode()) for n in (8, 9)),
            {"preset": ["agent"]},
        ),
    ],
)
def test_what_varies_in_targets_and_texts_is_proposed(one, other, settings) -> None:
    found = propose(one, other)
    assert found is not None
    assert found.settings == settings


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (text("/v1/x?since=2026-11-28&n=1"), text("/v1/x?since=2026-11-29&n=1")),
        (text("/v1/runs/1234567/log", method="GET"), text("/v1/runs/7654321/log", method="GET")),
        (
            text("/v1/x", b"log of 2026-11-28 is\nlong"),
            text("/v1/x", b"log of 2026-11-29 is\nlong"),
        ),
    ],
)
def test_a_rule_for_what_no_preset_names_there_unites_the_two(one: bytes, other: bytes) -> None:
    found = propose(one, other)
    assert found is not None
    assert under(one, found.rules) == under(other, found.rules)
    assert not found.presets
    assert len(found.replace) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (text("/v1/files/one", method="GET"), text("/v1/files/other", method="GET")),
        (text("/v1/x/y"), text("/v1/x")),
        (text("/v1/x"), text("/v1/x", method="GET")),
        (text("/v1/x", b"to Rome"), text("/v1/x", b"to Paris")),
        (text("/v1/x", b"\xff1"), text("/v1/x", b"\xff2")),
        (text("/v1/x", b'{"a":1}', "application/json"), text("/v1/x", b"a")),
    ],
)
def test_other_targets_and_texts_are_other_requests(one: bytes, other: bytes) -> None:
    assert propose(one, other) is None
