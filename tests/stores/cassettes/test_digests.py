"""What was altered since it was written is told, never served; what says the same is no change."""

import re

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.interaction import Frame, Request
from promptdeck.errors import CassetteError
from promptdeck.stores.cassettes.digests import altered, digests_of
from promptdeck.stores.cassettes.dump import HEADER, dump
from promptdeck.stores.cassettes.edit import edit
from promptdeck.stores.cassettes.file import read
from promptdeck.stores.cassettes.fix import fix
from promptdeck.stores.cassettes.load import entries, load
from promptdeck.stores.cassettes.verify import verify
from tests.recordings import INTERACTIONS, ODD, REDACTOR, interaction, untold
from tests.stores.cassettes import edited, saved, without_digests, written


@given(INTERACTIONS, INTERACTIONS)
def test_digests_tell_whatever_alters_what_a_client_gets(one, other):
    line = str(digests_of(one, "what it says"))
    assert altered(line, one, "what it says") == ()
    assert altered(line, one._replace(id="mine", key="k", recorded_at=1.0), None) == ()
    assert altered(line, one, "what it says ") == ("says",)
    same_request = one.request == other.request
    assert ("request" in altered(line, one._replace(request=other.request), "")) is not same_request
    mixed = one._replace(response=other.response, variant=other.variant)
    same_answer = (mixed.response, mixed.variant) == (one.response, one.variant)
    assert ("answer" in altered(line, mixed, "")) is not same_answer


def test_no_part_runs_into_the_next():
    one = interaction("a")
    moved = Request("POST/", "v1", one.request.content_type, one.request.body)
    again = one._replace(request=Request("POST", "/v1", *moved[2:]))
    assert altered(str(digests_of(again, "")), again._replace(request=moved), "") == ("request",)
    frames = (Frame(1, b"ab"), Frame(2, b"c")), (Frame(1, b"a"), Frame(2, b"bc"))
    first, second = (one._replace(response=one.response._replace(frames=some)) for some in frames)
    assert altered(str(digests_of(first, "")), second, "") == ("answer",)


@pytest.mark.parametrize("line", ["d2:1-2", "d1:1", "d1:1-2-3-4", "x"])
def test_digests_of_another_law_are_refused_with_what_to_do(line):
    with pytest.raises(ValueError, match=r"no digests that this promptdeck knows.*update"):
        altered(line, interaction(), None)


WHAT = {
    "answer": ("content: Hello there", "content: Hello where"),
    "request": ("content: one", "content: two"),
    "status": ("status: 200", "status: 201"),
    "header": ("content-type: application/json\n    took", "content-type: text/plain\n    took"),
    "time": ("took: 80", "took: 81"),
}


@pytest.mark.parametrize("what", WHAT)
def test_an_altered_recording_is_refused_with_its_line_and_both_ways_out_until_it_is_accepted(
    path, what
):
    written(path, interaction("zero"), interaction("one", "Hello there"))
    place = path.read_text().index("- id", 200)
    old, new = WHAT[what]
    text = path.read_text()
    path.write_text(text[:place] + text[place:].replace(old, new, 1))
    line = text[:place].count("\n") + 1
    with pytest.raises(CassetteError) as refused:
        read(path)
    part = "request" if what == "request" else "answer"
    assert str(refused.value) == (
        f"{path}:{line}: the {part} of {interaction('one', 'Hello there').id} was edited, or"
        f" altered by a tool, since it was recorded; if that is meant, run `promptdeck cassette"
        f" fix {path}`, else restore the file"
    )
    # No other command makes it look as if it had been recorded so.
    with pytest.raises(CassetteError, match="was edited"):
        edit(path, lambda pieces: pieces)
    assert len(fix(path, REDACTOR).changed) == 1
    assert verify(path, REDACTOR) == []
    assert len(read(path)) == 2


def test_comments_around_an_accepted_edit_stay(path):
    written(path, interaction("one", "Hello there"), interaction("two"))
    edited(path, "\n- id", "\n# above\n- id")
    edited(path, "      choices:", "      # within\n      choices:")
    edited(path, "content: Hello there", "content: Hello where")
    fix(path, REDACTOR)
    assert "# above" in path.read_text()
    assert "# within" in path.read_text()
    assert b"Hello where" in read(path)[0].response.body


@given(st.lists(INTERACTIONS, max_size=3))
def test_a_file_without_digests_loads_and_gets_them_when_it_is_mended(tmp_path_factory, many):
    path = tmp_path_factory.mktemp("old") / "x.yaml"
    written(path, *many)
    without_digests(path)
    assert read(path) == [untold(one) for one in many]
    fix(path, REDACTOR)
    assert path.read_text().count("\n  digest: d1:") == len(many)
    assert len(read(path)) == len(many)


def test_an_old_file_whose_lines_end_in_blanks_is_laid_anew_when_it_is_mended(path):
    written(path, interaction("one", "a\nb"))
    without_digests(path)
    edited(path, "          a\n", "          a \n")
    [one] = read(path)
    fix(path, REDACTOR)
    assert read(path) == [one]
    assert not re.search(r"(?m)[ \t]$", path.read_text())


# What hooks and checkouts do


def whole_file(many):
    return HEADER + "".join("\n" + dump(one) for one in many)


def stripped(text):
    """As `trailing-whitespace` and editors do, for every kind of blank."""
    return "\n".join(line.rstrip().rstrip("\ufeff") for line in text.split("\n"))


def ended(text):
    """As `end-of-file-fixer` does."""
    return text.rstrip("\r\n") + "\n"


HOOKS = {
    "trailing-whitespace": stripped,
    "end-of-file-fixer": ended,
    "fix-byte-order-marker": lambda text: text.removeprefix("\ufeff"),
}


@given(st.lists(INTERACTIONS, max_size=3))
def test_hooks_change_nothing(many):
    text = whole_file(many)
    for hook in HOOKS.values():
        assert hook(text) == text


@pytest.mark.parametrize("name", ODD)
def test_hooks_change_nothing_about_odd_ones(name):
    text = whole_file([ODD[name]])
    for hook in HOOKS.values():
        assert hook(text) == text


@given(st.lists(INTERACTIONS, max_size=3), st.sampled_from(["\r\n", "\r"]))
def test_other_line_ends_alter_nothing_and_neither_does_a_last_one_that_is_missing(many, end):
    text = whole_file(many).replace("\n", end)
    assert load(text) == many
    assert load("\ufeff" + text.removesuffix(end)) == many


@given(INTERACTIONS, st.integers(0), st.characters())
def test_any_character_put_anywhere_alters_nothing_or_is_told(one, place, character):
    text = whole_file([one])
    # Within the recording, above its digests: comments are anybody's.
    begin, end = text.index("  request:"), text.rindex("  digest:")
    place = begin + place % (end - begin)
    other = text[:place] + character + text[place:]
    try:
        [entry] = entries(other)
    except CassetteError:
        return
    if (entry.interaction.request, entry.interaction.response) != (one.request, one.response):
        with pytest.raises(CassetteError, match="was edited"):
            load(other)


def keys_turned(value):
    """A mapping with its keys in another order, where order says nothing."""
    return dict(sorted(value.items(), reverse=True)) if isinstance(value, dict) else value


def test_the_order_of_keys_and_another_layout_alter_nothing(path):
    saved(path, interaction("one", "a\nb "), interaction("two", stream=True))
    found = read(path)
    value = yaml.safe_load(path.read_text())
    for item in value["interactions"]:
        item["response"] = keys_turned(item["response"])
    value["interactions"] = [keys_turned(item) for item in value["interactions"]]
    path.write_bytes(orjson.dumps(value))
    assert read(path) == found


@pytest.mark.parametrize("digests", [True, False])
@pytest.mark.parametrize("stream", [True, False])
def test_an_edit_of_another_layout_is_accepted_like_any_other(path, stream, digests):
    saved(path, interaction("one", "Hello there", stream=stream), interaction("two"))
    if not digests:
        without_digests(path)
    value = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(value, sort_keys=False, width=60))
    edited(path, "Hello there", "Hello where")
    if digests:
        with pytest.raises(CassetteError, match="was edited"):
            read(path)
    assert fix(path, REDACTOR).problems == []
    assert b"where" in b"".join(one.response.body for one in read(path))
    assert verify(path, REDACTOR) == []
