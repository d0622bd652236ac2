"""Two cassettes compared: every recording is told of once."""

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.interaction import Variant
from promptdeck.core.matching.normalize import normalize
from promptdeck.core.matching.rules import NO_RULES, Rules
from promptdeck.stores.cassettes.diff import compare
from tests.recordings import FEW, REDACTOR, interaction

BY_NONE = partial(normalize, rules=NO_RULES, redactor=REDACTOR)


def by(**rules):
    return partial(normalize, rules=Rules.build(**rules), redactor=REDACTOR)


def test_a_cassette_is_the_same_as_its_rerecording_with_other_ids_and_times():
    ours = [interaction("a"), interaction("b", stream=True)]
    theirs = [one._replace(recorded_at=1.0, id=f"other-{one.variant}") for one in ours]
    found = compare(ours, theirs, BY_NONE)
    assert not found.differs
    assert found.same == 2


def test_what_is_said_otherwise_and_what_is_missing_is_told():
    one, other = interaction("a", "Take the\nnight train."), interaction("a", "Take the\nbus.")
    lone, extra = interaction("b"), interaction("a", stream=True)
    found = compare([one, lone], [other, extra], BY_NONE)
    assert (found.only_ours, found.only_theirs) == ([lone], [extra])
    [(ours, theirs, diff)] = found.differing
    assert (ours, theirs) == (one, other)
    assert "-night train.\n+bus." in diff
    assert extra.variant is Variant.SSE


@given(st.lists(FEW, max_size=6), st.lists(FEW, max_size=6))
def test_every_recording_is_told_of_once(ours, theirs):
    found = compare(ours, theirs, BY_NONE)
    pairs = len(found.differing) + found.same
    assert (len(found.only_ours) + pairs, len(found.only_theirs) + pairs) == (
        len(ours),
        len(theirs),
    )


def elsewhere(folder, day, stream):
    prompt = f"Working directory: {folder}\nToday's date: {day}\nread it"
    return interaction(prompt, f"I have read {folder}/notes.txt.", stream=stream)


@given(st.booleans(), st.sampled_from(["/srv/two words/it", "/home/ann", "C:\\work\\it"]))
def test_by_a_preset_a_run_elsewhere_is_the_same_and_its_answer_with_its_paths(stream, folder):
    ours, theirs = elsewhere("/a/b", "2026-11-28", stream), elsewhere(folder, "2026-11-29", stream)
    found = compare([ours], [theirs], by(preset=["agent"]))
    assert (found.same, found.differs) == (1, False)
    raw = compare([ours], [theirs], BY_NONE)
    assert (raw.only_ours, raw.only_theirs) == ([ours], [theirs])


def test_what_the_answers_say_otherwise_is_told_by_any_rules():
    ours, theirs = interaction("take 1", "one"), interaction("take 2", "two")
    form = by(replace=[{"pattern": "[0-9]", "with": "N"}])
    [(one, other, diff)] = compare([ours], [theirs], form).differing
    assert (one, other) == (ours, theirs)
    assert diff.endswith("-one\n+two")
