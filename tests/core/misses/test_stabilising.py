"""Rules learnt from recordings of one run: they unite its steps, and no two of one run."""

import orjson
import pytest

from promptdeck.core.misses.stabilising import Taken, stabilise, under, united
from tests.core.matching.test_renaming import AGENTS, RUNS
from tests.core.misses.test_proposals import form


def run(name: str, *bodies: dict) -> list[Taken]:
    return [Taken(f"{name}-{n}", form(body)) for n, body in enumerate(bodies)]


def chat(system: str, *more: str) -> dict:
    said = [
        {"role": "user" if n % 2 == 0 else "assistant", "content": text}
        for n, text in enumerate(more)
    ]
    return {"model": "m", "messages": [{"role": "system", "content": system}, *said]}


@pytest.mark.parametrize("agent", AGENTS)
def test_two_runs_of_a_real_agent_need_its_preset_alone(agent: str) -> None:
    target = RUNS[agent]["target"]
    runs = [[Taken(side, form(RUNS[agent][side], target=target))] for side in ("here", "there")]
    found = stabilise(runs)
    assert found.proposal.settings == {"preset": ["agent" if agent == "opencode" else agent]}
    assert not found.apart
    assert not found.clashes
    [rule] = found.varying
    assert "⟨cwd⟩ /home/ann/proj | /srv/people/bob/work/other-repo" in rule.texts


def test_a_rule_is_learnt_once_for_all_steps_and_tried_on_all() -> None:
    one = run("a", chat("Build 7 of x.", "go"), chat("Build 7 of x.", "go", "yes", "on"))
    two = run("b", chat("Build 12 of x.", "go"), chat("Build 12 of x.", "go", "yes", "on"))
    three = run("c", chat("Build 3 of x.", "go"), chat("Build 3 of x.", "go", "yes", "on"))
    found = stabilise([one, two, three])
    assert found.pairs == 6
    assert found.proposal.settings == {
        "replace": [{"pattern": r"(Build )\d+(?:\.\d+)?(?= of x\.)", "with": r"\1<number>"}]
    }
    [rule] = found.varying
    assert rule.texts == ("Build 7", "Build 12", "Build 3")
    for steps in zip(one, two, three, strict=True):
        assert len({under(step.form, found.proposal.rules) for step in steps}) == 1


def test_a_rule_that_would_unite_two_steps_of_one_run_is_told() -> None:
    one = run("a", chat("x", "page 1"), chat("x", "page 2"))
    two = run("b", chat("x", "page 8"), chat("x", "page 9"))
    found = stabilise([one, two])
    assert found.clashes == (("a-0", "a-1"), ("b-0", "b-1"))


def test_what_differs_in_more_is_told_and_what_has_no_counterpart() -> None:
    one = run("a", chat("x", "go"), chat("x", "go", "yes", "on"))
    two = run("b", {**chat("x", "go"), "tools": [{"name": "t"}]})
    found = stabilise([one, two])
    assert found.apart[0] == "a-1 has no counterpart"
    assert found.apart[1].startswith("a-0 and b-0 differ at $.tools")
    assert not found.proposal.settings


def test_equal_runs_need_no_rule() -> None:
    bodies = (chat("x", "go"), chat("x", "go", "yes", "on"))
    found = stabilise([run("a", *bodies), run("b", *bodies)])
    assert (found.proposal.settings, found.varying, found.apart, found.clashes) == ({}, (), (), ())


def test_other_recordings_that_rules_unite_are_found() -> None:
    found = stabilise(
        [run("a", chat("at 2026-11-28", "go")), run("b", chat("at 2026-11-29", "go"))]
    )
    others = run("c", chat("at 2027-01-01", "go"), chat("at 2027-01-02", "go"), chat("on", "go"))
    assert list(united(others, found.proposal.rules)) == [("c-0", "c-1")]


def test_a_form_that_is_no_json_stays() -> None:
    assert under(b"POST /v1/x\n\xff", stabilise([[], []]).proposal.rules) == b"POST /v1/x\n\xff"
    assert orjson.loads(under(form(chat("x")), stabilise([]).proposal.rules).partition(b"\n")[2])
