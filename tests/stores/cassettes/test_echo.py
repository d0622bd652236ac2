"""Requests that repeat an answer which was edited."""

from promptdeck.stores.cassettes.edit import read_pieces
from promptdeck.stores.cassettes.fix import fix
from tests.recordings import (
    REDACTOR,
    interaction,
)
from tests.stores.cassettes import edited, saved


def turns(path, answer, stream):
    """A conversation of two turns, the second of which has the first one's answer."""
    asked = [{"role": "user", "content": "hi"}]
    later = [*asked, {"role": "assistant", "content": answer}, {"role": "user", "content": "why?"}]
    return saved(
        path,
        interaction("hi", answer, stream=stream, messages=asked),
        interaction("why", "because", stream=stream, messages=later),
    )


def test_fixing_an_edited_text_names_the_later_request_that_repeats_the_old_one(path):
    first, second = turns(path, "Four", True)
    edited(path, "says: Four", "says: Five")
    done = fix(path, REDACTOR)
    line = next(piece.line for piece in read_pieces(path) if piece.interaction == second)
    [warning] = done.warnings
    assert warning.startswith(
        f"{path}:{line}: the request of {second.id} repeats the old answer of {first.id}: "
    )
    assert done.problems == []
    assert list(fix(path, REDACTOR).warnings) == []


def test_of_a_whole_answer_the_committed_file_tells_what_it_said(path):
    turns(path, "Four times nine is thirty-six.", False)
    before = read_pieces(path)
    edited(path, "content: Four times nine is thirty-six.", "content: Forty-two.")
    assert len(fix(path, REDACTOR, before=lambda: before).warnings) == 1
    assert list(fix(path, REDACTOR).warnings) == []


def test_a_text_that_is_still_said_or_that_nobody_repeats_is_no_warning(path):
    turns(path, "Four", True)
    edited(path, "says: because", "says: whatever")
    assert list(fix(path, REDACTOR).warnings) == []
