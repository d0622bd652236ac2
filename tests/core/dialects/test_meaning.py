"""What a request asks is the same text in every dialect, and another where it asks otherwise."""

import orjson
import pytest

from promptdeck.core.dialects.meaning import elsewhere, meaning
from promptdeck.core.dialects.table import TRANSLATED, dialect_in
from promptdeck.core.interaction import Request
from tests.translations import PAIRS, SAME, same_asked

OTHERWISE = {
    "chat": {"tool_choice": "required"},
    "messages": {"tool_choice": {"type": "any"}},
    "responses": {"tool_choice": "required"},
    "gemini": {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
}
"""One more thing that is asked."""
IDLE = {
    "chat": {"n": 1, "user": "u", "stream_options": {"include_usage": True}},
    "messages": {"metadata": {"user_id": "u"}},
    "responses": {"user": "u", "store": False},
    "gemini": {"labels": {"a": "b"}},
}
"""What asks for nothing."""


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_the_same_is_the_same_in_every_dialect(one, other):
    mine = meaning(same_asked(one, stream=False))
    assert mine == meaning(same_asked(other, stream=True))
    assert mine == meaning(same_asked(one, stream=False, **IDLE[one]))
    asked = meaning(same_asked(one, stream=False, **OTHERWISE[one]))
    assert asked != mine
    assert asked == meaning(same_asked(other, stream=False, **OTHERWISE[other]))


@pytest.mark.parametrize("one", SAME)
def test_a_word_makes_a_difference(one):
    request = same_asked(one, stream=False)
    for word, other in ((b"rain", b"sun"), (b"Paris", b"Rome"), (b"Be brief", b"Be long")):
        changed = request._replace(body=request.body.replace(word, other))
        assert changed.body != request.body
        assert meaning(changed) != meaning(request) is not None
    model = request._replace(
        target=request.target.replace("opus", "haiku"), body=request.body.replace(b"opus", b"haiku")
    )
    assert meaning(model) != meaning(request)


@pytest.mark.parametrize("one", SAME)
def test_it_is_asked_elsewhere_as_the_others_would(one):
    request = same_asked(one, stream=False)
    found = [*elsewhere(request)]
    assert len(found) == len(TRANSLATED) - 1
    for dialect, there in found:
        assert b"Paris" in there.body
        assert dialect_in(there) is dialect is not dialect_in(request)


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/v1/embeddings", {"input": "a", "model": "m"}),
        ("/v1/chat/completions", []),
    ],
)
def test_what_cannot_be_understood_has_no_meaning(target, body):
    request = Request("POST", target, "application/json", orjson.dumps(body))
    assert meaning(request) is None
    assert [*elsewhere(request)] == []
