"""kinds: what is written is read back, and what is no value is told with its place."""

import re
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.config import kinds
from promptdeck.config.kinds import NOTHING, Kind, Provider, choice, found, optional
from promptdeck.core.policy import Mode
from promptdeck.core.secrets.redact import UserPattern

HOSTS = st.from_regex(r"[a-z0-9.-]{1,20}", fullmatch=True) | st.just("[::1]")
PORTS = st.integers(0, 65535)
PATHS = st.from_regex(r"(/[a-z0-9@._-]{1,5}){0,3}", fullmatch=True)
URLS = st.builds("{}://{}:{}{}".format, st.sampled_from(["http", "https"]), HOSTS, PORTS, PATHS)
NAMES = st.from_regex(r"[a-z0-9_-]+", fullmatch=True)
WORDS = st.text(string.ascii_letters, min_size=1)

# For each kind the values that it reads, written as the kind itself would write them or not.
VALUES: dict[str, tuple[Kind[Any], st.SearchStrategy[Any]]] = {
    "HOST": (kinds.HOST, HOSTS.filter(lambda host: "[" not in host)),
    "PORT": (kinds.PORT, PORTS),
    "COUNT": (kinds.COUNT, st.integers(1, 9999)),
    "URL": (kinds.URL, URLS.map(kinds.URL.read)),
    "SECRET": (kinds.SECRET, st.text(string.punctuation, min_size=1).filter(lambda it: it != "~")),
    "PATH": (kinds.PATH, WORDS.map(Path)),
    "TRUTH": (kinds.TRUTH, st.booleans()),
    "SIZE": (kinds.SIZE, st.integers(1, 2**50)),
    "DURATION": (kinds.DURATION, st.integers(0, 10**10).map(lambda ms: ms / 1000)),
    "LIMIT": (kinds.LIMIT, st.none() | st.integers(1, 10**10).map(lambda ms: ms / 1000)),
    "REPLACEMENT": (
        kinds.REPLACEMENT,
        st.sampled_from(["uuid", "date"])
        | st.builds(lambda it: {"pattern": it, "with": ""}, WORDS),
    ),
    "SECRET_SHAPE": (
        kinds.SECRET_SHAPE,
        st.builds(UserPattern.build, st.sampled_from(["badge", "b-1"]), WORDS),
    ),
    "PROVIDER": (kinds.PROVIDER, st.builds(Provider, NAMES, URLS.map(kinds.URL.read))),
}


@given(st.data())
@pytest.mark.parametrize("name", VALUES)
def test_what_is_written_is_read_back(name: str, data: st.DataObject) -> None:
    kind, values = VALUES[name]
    value = data.draw(values)
    assert kind.take(kind.write(value), "here") == value


@given(URLS, st.integers(0, 3))
def test_a_base_url_ends_in_no_slash_and_has_a_path(url: str, slashes: int) -> None:
    read = kinds.URL.read(url + "/" * slashes)
    assert re.fullmatch(r"https?://[^/]+/.*[^/]", read)
    assert kinds.URL.read(read) == read


@given(st.text() | st.lists(st.text()) | st.dictionaries(st.text(), st.text()))
@pytest.mark.parametrize("kind", [kinds.PORT, kinds.URL, kinds.SECRET, kinds.LIMIT, kinds.PROVIDER])
def test_what_is_no_value_is_told_in_a_line_with_its_place(kind: Kind[Any], raw: object) -> None:
    problem = ""
    try:
        kind.take(raw, "there")
    except ValueError as error:
        problem = str(error)
    assert re.fullmatch("(there: .+)?", problem)


@pytest.mark.parametrize("text", NOTHING)
def test_an_optional_value_may_be_none_in_several_words(text: str) -> None:
    assert optional(kinds.PORT).take(text, "here") is None
    with pytest.raises(ValueError, match="here: expected a port"):
        kinds.PORT.take(text, "here")


def test_none_is_written_as_a_word_that_is_read_back() -> None:
    assert optional(kinds.PORT).write(None) == "none"


@pytest.mark.parametrize("mode", Mode)
def test_a_choice_gives_the_option_itself(mode: Mode) -> None:
    assert choice(*Mode).take(str(mode), "here") is mode


def test_a_choice_names_its_options() -> None:
    with pytest.raises(ValueError, match=r"^here: expected red, green or blue, found 'pink'$"):
        choice("red", "green", "blue").take("pink", "here")


@given(st.text())
def test_a_value_in_an_error_is_quoted_and_short(text: str) -> None:
    shown = found(text)
    assert shown == ("nothing" if not text else repr(text)) or shown[:-2] in repr(text)
    assert len(re.sub(r"\\(x..|u....|U........|.)", "x", shown)) <= 62
    assert shown.isprintable()


def test_a_secret_is_not_shown_and_a_size_of_nothing_is_none() -> None:
    with pytest.raises(ValueError, match="what was found is not shown") as caught:
        kinds.SECRET.take("sk-hush hush", "here")
    assert "hush hush" not in str(caught.value)
    with pytest.raises(ValueError, match="expected a size such as 64 MiB, found '0'"):
        kinds.SIZE.take("0", "here")
