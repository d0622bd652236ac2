"""Which tool wrote a file; and a file that somebody has edited is saved or listed, never lost."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.errors import CassetteError
from promptdeck.imports import NotCarried, har, read, reel, vcr
from promptdeck.stores.cassettes.dump import HEADER, dump
from promptdeck.stores.cassettes.load import load
from tests.imports import test_har, test_vcr
from tests.imports.test_reel import line, streamed
from tests.other_tools import carried
from tests.recordings import JSON


def test_a_format_that_is_named_is_taken_at_its_word(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"fixtures": []}')
    assert list(read(path)) == list(read(path, "aimock")) == []
    with pytest.raises(CassetteError, match=r"a\.json: it has no \$\.log"):
        list(read(path, "har"))


def test_a_file_that_is_not_there_or_not_text_is_an_error(tmp_path):
    with pytest.raises(CassetteError, match="cannot be read"):
        list(read(tmp_path / "none"))
    (tmp_path / "a").write_bytes(b"\xff")
    with pytest.raises(CassetteError, match="not UTF-8"):
        list(read(tmp_path / "a"))


# Files that somebody has edited


def _places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(_list(value))
    for key, item in items:
        yield from _places(item, (*path, key))


def _list(value):
    return value if isinstance(value, list) else []


def _with(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _with(value[path[0]], path[1:], new)
    return copy


def _har(entry):
    return har.read(orjson.dumps({"log": {"entries": [entry]}}).decode())


def _vcr(entry):
    return vcr.read(orjson.dumps({"interactions": [entry]}).decode())


def _tape(entry):
    return reel.read(orjson.dumps(entry if isinstance(entry, dict) else {"x": entry}).decode())


_STREAMED = streamed({"data": "[DONE]", "t_offset_ms": 1, "event": None})
_EDITED = [
    (_har, test_har.entry()),
    (_har, test_har.entry({"text": "x", "comment": "frames at 1 ms"}, "text/event-stream")),
    (_vcr, test_vcr.entry(recorded_at="2023-11-14T22:13:20Z")),
    (_tape, line()),
    (_tape, line(response=_STREAMED)),
]


@given(st.sampled_from(_EDITED), st.data())
def test_whatever_stands_anywhere_in_an_entry_it_is_saved_or_listed(case, data):
    reader, entry = case
    place = data.draw(st.sampled_from(list(_places(entry))))
    [made] = carried(reader(_with(entry, place, data.draw(JSON))), errors=True)
    if not isinstance(made, NotCarried):
        assert load(HEADER + dump(made)) == [made]
