"""Cassettes of recordings whose answer is in another dialect than their request."""

import pytest

from promptdeck.core.dialects.interpreted import marked
from promptdeck.core.dialects.table import says
from promptdeck.core.matching.normalize import normalize
from promptdeck.core.matching.rules import NO_RULES
from promptdeck.core.text.jsontext import compact
from promptdeck.imports.carry import carry
from promptdeck.imports.export_har import archive
from promptdeck.imports.har import read as read_har
from promptdeck.stores.cassettes.diff import compare
from promptdeck.stores.cassettes.file import read
from promptdeck.stores.cassettes.fix import fix
from promptdeck.stores.cassettes.save import New
from promptdeck.stores.cassettes.verify import TOLD_OTHERWISE, verify
from tests.dialects import PROTOCOLS
from tests.recordings import REDACTOR, THEN, chat_request, interaction, of
from tests.stores.cassettes import edited, saved, written
from tests.translations import PAIRS, SPOKEN, recorded

pairs = pytest.mark.parametrize(("client", "upstream"), PAIRS)


@pairs
def test_a_file_tells_what_the_answer_says_and_edits_of_that_reach_its_frames(
    path, client, upstream
):
    [one] = saved(path, recorded(client, upstream))
    told = PROTOCOLS[upstream].text
    assert read(path) == [one]
    assert verify(path, REDACTOR) == []
    edited(path, SPOKEN[upstream], "Nothing of the kind")
    assert [flaw.text for flaw in verify(path, REDACTOR)] == [
        "`says` does not tell what the frames say"
    ]
    assert fix(path, REDACTOR).problems == []
    [now] = read(path)
    assert says(now) == told.replace(SPOKEN[upstream], "Nothing of the kind")
    assert now.response.headers == one.response.headers


def test_a_request_that_repeats_an_edited_answer_is_named(path):
    first = recorded("chat", "messages")
    later = [{"role": "assistant", "content": SPOKEN["messages"]}]
    second = interaction("why", "because", messages=later)
    saved(path, first, second)
    edited(path, SPOKEN["messages"], "Nothing of the kind")
    [warning] = fix(path, REDACTOR).warnings
    assert f"repeats the old answer of {first.id}" in warning


@pairs
def test_answers_are_compared_by_what_they_say(client, upstream):
    one = recorded(client, upstream)
    response = one.response
    other = one._replace(
        response=response._replace(
            frames=tuple(
                frame._replace(data=frame.data.replace(b"blue", b"red").replace(b"you", b"me"))
                for frame in response.frames
            )
        )
    )
    found = compare([one], [other], lambda request: normalize(request, NO_RULES, REDACTOR))
    [differing] = found.differing
    assert "\n-" in differing.diff
    assert "data:" not in differing.diff


@pairs
@pytest.mark.parametrize("stream", [True, False])
def test_an_archive_is_carried_back_with_who_served(client, upstream, stream):
    one = recorded(client, upstream, stream=stream)
    [entry] = read_har(compact(archive([one])).decode())
    carried = carry(entry, REDACTOR, otherwise=THEN)
    assert isinstance(carried, New), carried
    assert carried.interaction._replace(id="", recorded_at=0) == one._replace(id="", recorded_at=0)


@pairs
def test_an_archive_of_half_an_answer_is_refused_by_the_end_of_its_own_dialect(client, upstream):
    one = recorded(client, upstream)
    kept = one.response.frames[: PROTOCOLS[upstream].end - 1]
    half = one._replace(response=one.response._replace(frames=kept))
    [entry] = read_har(compact(archive([half])).decode())
    assert not isinstance(carry(entry, REDACTOR, otherwise=THEN), New)


def test_without_who_served_it_is_known_by_its_request_as_before(path):
    response = recorded("chat", "messages").response
    [one] = saved(path, of(chat_request("hi"), response._replace(headers=response.headers[:1])))
    assert says(one) == ""


@pairs
def test_what_a_new_version_tells_otherwise_is_named_and_accepted(path, client, upstream):
    [one] = saved(path, marked(recorded(client, upstream)))
    assert verify(path, REDACTOR) == []
    *others, (name, value) = one.response.headers
    # As if another version had recorded it.
    old = (*others, (name, value[:-4] + "beef"))
    written(path, one._replace(response=one.response._replace(headers=old)))
    [flaw] = verify(path, REDACTOR, "x")
    assert flaw.text == TOLD_OTHERWISE
    assert flaw.mend.endswith("run promptdeck cassette fix x if that is right")
    assert fix(path, REDACTOR).problems == []
    assert read(path) == [one]
    assert verify(path, REDACTOR) == []


def test_an_edited_answer_is_told_as_it_is_now(path):
    [one] = saved(path, marked(recorded("chat", "messages")))
    edited(path, SPOKEN["messages"], "Nothing of the kind")
    assert fix(path, REDACTOR).problems == []
    [now] = read(path)
    assert now.response.headers != one.response.headers
    assert marked(now) is now
