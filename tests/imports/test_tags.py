"""tags: what objects of Python, Ruby and Go hold in YAML is read, and nothing else is."""

import collections
import http
import io

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.imports.entry import Unreadable
from promptdeck.imports.tags import loaded


class Istr(str):
    """A text of a class of its own, as libraries have them for header names."""

    __slots__ = ()


class CaseInsensitiveDict(dict):  # type: ignore[type-arg]
    """A mapping of a class of its own."""


def read(text):
    return loaded(text)[0]


_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]))


@given(_TEXT, st.binary(), st.dictionaries(_TEXT, st.lists(_TEXT)), st.integers())
def test_what_the_full_dumper_writes_is_read_as_what_it_holds(text, data, mapping, number):
    value = {
        Istr(text): (text, Istr(text), number),
        "mapping": CaseInsensitiveDict(mapping),
        "ordered": collections.OrderedDict(mapping),
        "bytes": data,
        "array": bytearray(data),
        "file": io.BytesIO(data),
        "status": http.HTTPStatus.OK,
    }
    assert read(yaml.dump(value)) == {
        text: [text, text, number],
        "mapping": mapping,
        "ordered": mapping,
        "bytes": data,
        "array": read(yaml.dump(bytearray(data))),
        "file": data,
        "status": 200,
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!!python/object/apply:multidict._multidict.istr [A]", "A"),
        ("!!python/object/apply:multidict._multidict_py.istr\n- A", "A"),
        ("!!python/object/new:multidict._istr.istr\nargs: [A]\nstate: {x: 1}", "A"),
        ("? !!python/object/apply:multidict._multidict.istr\n- A\n: [b]", {"A": ["b"]}),
        ("!!python/unicode 'é'", "é"),
        ("!!python/str é", "é"),
        ("!!python/tuple [a, b]", ["a", "b"]),
        ("!!python/object/new:_io.BytesIO\nstate: !!python/tuple [!!binary YQ==, 0, null]", b"a"),
        ("!!python/object/apply:yarl.URL ['http://a']", "http://a"),
        (
            """!!python/object:requests.structures.CaseInsensitiveDict
_store: !!python/object/apply:collections.OrderedDict
- - - a
    - !!python/tuple [A, b]
""",
            {"A": "b"},
        ),
        ("!binary YQ==", b"a"),
        ("!ruby/object:Hash\na: 1", {"a": 1}),
        ("!ruby/symbol post", "post"),
        ("!<tag:yaml.org,2002:float> '1.5'", 1.5),
    ],
)
def test_a_tag_is_read_as_the_value_that_it_stands_at(text, value):
    assert read(text) == value


@pytest.mark.parametrize(
    "name",
    [
        "object/apply:os.system",
        "object/new:subprocess.Popen",
        "object/apply:builtins.eval",
        "object/apply:subprocess.check_output",
        "object/new:type",
        "object:a.B",
        "name:os.system",
        "module:os",
    ],
)
def test_a_tag_that_would_run_code_is_refused_with_its_line(name):
    with pytest.raises(Unreadable, match=r"line 2: .*would run code"):
        read(f"a:\n- !!python/{name} ['touch ran']\n")
