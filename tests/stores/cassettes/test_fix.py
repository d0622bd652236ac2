"""What was edited by hand mended: keys, ids, places and frames."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.dialects.chat.cut import cut
from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.interaction import Frame, Response
from promptdeck.core.matching.fingerprint import order
from promptdeck.stores.cassettes.edit import content, read_pieces
from promptdeck.stores.cassettes.file import read, read_as_is
from promptdeck.stores.cassettes.fix import Keep, fix
from promptdeck.stores.cassettes.verify import verify
from tests.chats import WEATHER
from tests.recordings import (
    FEW,
    INTERACTIONS,
    ODD,
    REDACTOR,
    chat_request,
    conversation,
    interaction,
    of,
)
from tests.stores.cassettes import edited, saved, without_digests, written


def contents(path):
    return Counter(content(one) for one in read(path))


@settings(deadline=None, max_examples=30)
@given(st.lists(FEW | INTERACTIONS, max_size=6))
def test_mending_loses_nothing_and_then_verify_has_no_more_to_mend(tmp_path_factory, interactions):
    path = tmp_path_factory.mktemp("fix") / "x.yaml"
    written(path, *interactions)
    done = fix(path, REDACTOR)
    assert done.problems == []
    assert contents(path) == Counter(map(content, interactions))
    assert not [one for one in verify(path, REDACTOR) if " fix " in one.mend]
    assert fix(path, REDACTOR).changed == []


def test_an_edited_prompt_gets_its_key_and_its_place_and_keeps_its_comments(path):
    saved(path, *map(conversation, range(6)))
    edited(path, "Question 3\n", "Another question\n")
    edited(path, "    method: POST", "    # mind the verb\n    method: POST")
    lines = Counter(path.read_text().splitlines())
    assert len(fix(path, REDACTOR).changed) == 1
    assert verify(path, REDACTOR) == []
    ids = [one.id for one in read(path)]
    assert ids == sorted(ids, key=order)
    differing = lines - Counter(path.read_text().splitlines())
    assert sorted(line.split()[-2] for line in differing) == ["digest:", "id:", "key:"]


def test_an_edited_text_is_what_the_stream_says_then(path):
    written(path, interaction("one", "Hello there", stream=True), interaction("two"))
    edited(path, "\n- id", "\n# keep me\n- id")
    edited(path, "says: Hello there", "says: Goodbye my friend")
    assert len(fix(path, REDACTOR, dry=True).changed) == 1
    assert CHAT.says(read_as_is(path)[0].response) == "Hello there"
    assert len(fix(path, REDACTOR).changed) == 1
    [first, second] = read(path)
    assert CHAT.says(first.response) == "Goodbye my friend"
    assert second == interaction("two")
    assert "# keep me" in path.read_text()
    assert "says: Goodbye my friend" in path.read_text()
    assert verify(path, REDACTOR) == []


@pytest.mark.parametrize("digests", [True, False])
def test_whether_text_or_frames_were_edited_is_told_by_the_digests_or_the_file_before(
    path, digests
):
    written(path, interaction("one", "Hello there", stream=True))
    before = [] if digests else read_pieces(path)
    if not digests:
        without_digests(path)
    edited(path, '{content: "there"}', '{content: "where"}')
    assert fix(path, REDACTOR, before=lambda: before).problems == []
    assert "says: Hello where" in path.read_text()
    edited(path, "says: Hello where", "says: Hello you")
    edited(path, '{content: "where"}', '{content: "were"}')
    if not digests:
        without_digests(path)
    [problem] = fix(path, REDACTOR, before=lambda: before).problems
    assert problem.startswith(f"{path}:5: both `says` and the frames were edited")
    assert "says: Hello you" in path.read_text()


@pytest.mark.parametrize(("keep", "text"), [("says", "Hello you"), ("frames", "Hello where")])
def test_a_person_can_decide_what_counts(path, keep, text):
    written(path, interaction("one", "Hello there", stream=True))
    before = read_pieces(path)
    edited(path, '{content: "there"}', '{content: "where"}')
    edited(path, "says: Hello there", "says: Hello you")
    assert fix(path, REDACTOR, before=lambda: before, keep=Keep(keep)).problems == []
    assert CHAT.says(read(path)[0].response) == text
    assert verify(path, REDACTOR) == []


def test_a_text_that_no_stream_can_say_is_told_and_the_rest_is_mended(path):
    frames = tuple(Frame(9, data) for data in cut(WEATHER, include_usage=False))
    calls = of(chat_request("x"), Response(200, (("content-type", "text/event-stream"),), frames))
    written(path, calls, ODD["binary"]._replace(key="p1:old"))
    edited(path, 'weather({"city":"Paris"})', 'weather({"city":"Rome"})')
    done = fix(path, REDACTOR)
    [problem] = done.problems
    assert problem.startswith(f"{path}:5: `says` was edited")
    assert done.changed == [(ODD["binary"].id, ODD["binary"].id)]
    assert read_as_is(path) == [calls, ODD["binary"]]
    assert 'weather({"city":"Rome"})' in path.read_text()


def test_ids_that_clash_are_numbered_in_their_order_and_a_chosen_one_stays(path):
    first, second, third = (interaction("q", str(n)) for n in range(3))
    stem = first.id.removesuffix("1")
    mine = interaction("z")._replace(id="mine")
    written(path, first, second, third._replace(id=f"{stem}2"), mine, mine)
    fix(path, REDACTOR)
    assert [one.id for one in read(path)] == [f"{stem}1", f"{stem}2", f"{stem}3", "mine", "mine-1"]
    assert [CHAT.says(one.response) for one in read(path)[:3]] == ["0", "1", "2"]


def test_a_time_too_exact_is_rounded(path):
    written(path, interaction("one"))
    edited(path, "20.123Z", "20.1234567Z")
    fix(path, REDACTOR)
    assert verify(path, REDACTOR) == []
