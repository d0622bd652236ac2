"""Names of cassettes: the plain are accepted, and none leads out of its folder."""

import ntpath
import posixpath
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.names import validate_cassette_name

LETTERS = string.ascii_letters + string.digits + "._-"


def accepted(name: str) -> bool:
    try:
        return validate_cassette_name(name) == name
    except ValueError:
        return False


@pytest.mark.parametrize(
    "name",
    ["demo", "agents/weather", "a/b/c", "v1.2_x-y", "-", "_", "a..b", "a.", "0", "x" * 200],
)
def test_a_plain_name_is_accepted(name: str) -> None:
    assert validate_cassette_name(name) == name


CLIMBERS = ["/etc/passwd", "..", "../up", "a/../b", "a/./b", "a//b", "a/", ".git", "a/.hidden"]
STRANGERS = ["a\\b", "..\\up", "C:x", "a b", "a\n", "a\0", "é", "~", "~root/x", "a%2e%2e", "١"]


@pytest.mark.parametrize("name", [*CLIMBERS, *STRANGERS])
def test_a_name_that_could_lead_elsewhere_is_refused(name: str) -> None:
    assert not accepted(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "a cassette's name is empty"),
        ("x" * 201, "a cassette's name has at most 200 characters, not 201"),
        ("/a", "cassette name '/a' starts or ends with / or has // in it"),
        ("a/..", "cassette name 'a/..' has a part that starts with a dot"),
        ("a b", "cassette name 'a b' may have only A-Z a-z 0-9 . _ - and / between folders"),
    ],
)
def test_the_refusal_names_the_fault(name: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        validate_cassette_name(name)
    assert str(caught.value) == message


@given(st.text(alphabet=LETTERS + "/\\:~ \n\0é", max_size=12) | st.text(max_size=300))
def test_an_accepted_name_never_escapes_its_folder(name: str) -> None:
    if accepted(name):
        for path, root in ((posixpath, "/deck"), (ntpath, "C:\\deck")):
            whole = path.normpath(path.join(root, name))
            assert whole.startswith(root + path.sep)
            assert path.relpath(whole, root).replace(path.sep, "/") == name


SEGMENT = st.text(alphabet=LETTERS, min_size=1, max_size=20).filter(lambda s: s[0] != ".")


@given(st.lists(SEGMENT, min_size=1, max_size=8))
def test_every_name_of_plain_segments_is_accepted(segments: list[str]) -> None:
    assert accepted("/".join(segments))
