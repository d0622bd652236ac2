"""Fingerprints and ids in short: all come back as they were."""

from hypothesis import given
from hypothesis import strategies as st

from promptdeck.stores.sqlite.short import full_id, id_of, key_of, ordinal_of

_HEX = st.text("0123456789abcdef", min_size=32, max_size=32)
_KEYS = _HEX.map("p1:{}".format) | st.text(max_size=12)


@given(_KEYS, st.none() | _KEYS, st.integers(0, 9999), st.integers(1, 10**6), st.text(max_size=9))
def test_an_id_in_whatever_form_is_the_same(key, base, turns, ordinal, other):
    own = key if base is None else base
    usual = f"{'0a' * 3}-{turns:03}-{own[3:11]}-{ordinal}"
    for name in (usual, other, f"{other}-{ordinal}"):
        short = id_of(name, own)
        assert full_id(short, key_of(key), None if base is None else key_of(base)) == name
    assert ordinal_of(id_of(usual, own)) == ordinal


def test_an_id_of_the_usual_form_is_kept_short():
    key = f"p1:{'12345678' * 4}"
    assert len(id_of("abcdef-002-12345678-1", key)) == 8
    assert id_of("abcdef-002-87654321-1", key) == "abcdef-002-87654321-1"
