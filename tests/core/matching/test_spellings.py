"""A value in the ways that texts write it, and the way that is right at a place."""

import json  # noqa: TID251  JSON within JSON, with escapes
import shlex
from urllib.parse import unquote, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.matching.spellings import Spelling, fitting, written, written_forms

PATHS = st.from_regex(r"\A/[A-Za-z0-9é '\"&()\\$-]{1,12}(?:/[a-z ]{1,6}){0,2}\Z")


@given(PATHS)
def test_each_form_says_the_value(path: str) -> None:
    for form, how in written_forms(path).items():
        assert written(path, how) == form
        said = form
        for _ in range(how.depth):
            said = json.loads(f'"{said}"')
        if how.kind == 1:
            assert shlex.split(said) == [path]
        elif how.kind > 2:
            assert path in (unquote(said), unquote_plus(said))
        else:
            assert said == path


def test_a_path_of_windows_is_also_written_with_slashes_and_as_a_url() -> None:
    forms = written_forms("C:\\My Work")
    assert {"C:\\My Work", "C:\\\\My Work", "C:/My Work", "/C:/My%20Work", "C%3A%5CMy%20Work"} <= {
        *forms
    }


def right(template: str, key: str = "", old: str = "/a") -> str:
    """A text that says /a, with a path of another run in its place, as is right there."""
    new = '/my "b"'
    at = template.index(old)
    return template.replace(old, written(new, fitting(Spelling(0), template, at, key)))


@pytest.mark.parametrize(
    ("template", "key", "expected"),
    [
        ("I have read /a/x.", "text", 'I have read /my "b"/x.'),
        ("cat /a/x", "command", r"cat /my\ \"b\"/x"),
        ("cat '/a/x'", "command", "cat '/my \"b\"/x'"),
        ("echo \\' /a/x", "command", r"echo \' /my\ \"b\"/x"),
        ('{"path": "/a/x"}', "arguments", r'{"path": "/my \"b\"/x"}'),
        ('{"command":"cat /a/x"}', "arguments", r'{"command":"cat /my\\ \\\"b\\\"/x"}'),
        (
            '{"cmd": ["bash", "-lc", "cat /a/x"]}',
            "",
            r'{"cmd": ["bash", "-lc", "cat /my\\ \\\"b\\\"/x"]}',
        ),
        ('{"cmd": ["cat", "/a/x"]}', "", r'{"cmd": ["cat", "/my \"b\"/x"]}'),
        ('{"cmd": ["cat"], "at": "/a/x"}', "", r'{"cmd": ["cat"], "at": "/my \"b\"/x"}'),
        (
            '{"a": "{\\"path\\": \\"/a/x\\"}"}',
            "",
            '{"a": "{\\"path\\": \\"/my \\\\\\"b\\\\\\"/x\\"}"}',
        ),
        ("[1, /a/x", "", '[1, /my "b"/x'),
        ('{"a": "no end /a/x', "", '{"a": "no end /my "b"/x'),
    ],
)
def test_what_fits_a_place(template: str, key: str, expected: str) -> None:
    assert right(template, key) == expected


@given(st.text("{}[]\":,a/\\ '", max_size=30), st.integers(0, 30))
def test_any_text_has_a_fitting_way(text: str, at: int) -> None:
    written("/a b", fitting(Spelling(0), text, min(at, len(text)), "command"))
