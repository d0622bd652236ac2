"""Two cassettes compared: every recording is told of once."""

from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.interaction import Variant
from promptdeck.stores.cassettes.diff import compare
from tests.recordings import (
    FEW,
    interaction,
)


def test_a_cassette_is_the_same_as_its_rerecording_with_other_ids_and_times():
    ours = [interaction("a"), interaction("b", stream=True)]
    theirs = [one._replace(recorded_at=1.0, id=f"other-{one.variant}") for one in ours]
    found = compare(ours, theirs)
    assert not found.differs
    assert found.same == 2


def test_what_is_said_otherwise_and_what_is_missing_is_told():
    one, other = interaction("a", "Take the\nnight train."), interaction("a", "Take the\nbus.")
    lone, extra = interaction("b"), interaction("a", stream=True)
    found = compare([one, lone], [other, extra])
    assert (found.only_ours, found.only_theirs) == ([lone], [extra])
    [(ours, theirs, diff)] = found.differing
    assert (ours, theirs) == (one, other)
    assert "-night train.\n+bus." in diff
    assert extra.variant is Variant.SSE


@given(st.lists(FEW, max_size=6), st.lists(FEW, max_size=6))
def test_every_recording_is_told_of_once(ours, theirs):
    found = compare(ours, theirs)
    pairs = len(found.differing) + found.same
    assert (len(found.only_ours) + pairs, len(found.only_theirs) + pairs) == (
        len(ours),
        len(theirs),
    )
