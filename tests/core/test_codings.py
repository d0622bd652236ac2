"""Bodies packed as a Content-Encoding says come out as they were; bombs and lies are told."""

import gzip
import sys
import zlib
from collections.abc import Callable
from contextlib import suppress

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.codings import BrokenCoding, Codings, UnknownCoding, UnpackedTooLarge

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BODY = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
    "br": brotli.compress,
    "zstd": zstd.compress,
    "identity": bytes,
}


def packed(data: bytes, names: list[str]) -> bytes:
    for name in names:
        data = PACK[name](data)
    return data


@given(data=st.binary(max_size=500), names=st.lists(st.sampled_from([*PACK]), max_size=4))
def test_what_was_packed_comes_out_as_it_was(data: bytes, names: list[str]) -> None:
    codings = Codings.of(", ".join(names))
    assert codings.unpacked(packed(data, names), 1 << 20) == data


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_members_one_after_the_other_are_one_body(name: str) -> None:
    parts = [b"one", b"", b"two" * 1000]
    data = b"".join(PACK[name](part) for part in parts)
    assert Codings.of(name).unpacked(data, 1 << 20) == b"".join(parts)


@pytest.mark.parametrize("name", ["gzip", "deflate", "Deflate", "br", "zstd"])
@pytest.mark.parametrize("twice", [False, True])
def test_a_bomb_goes_off_at_the_limit(name: str, twice: bool) -> None:
    data = PACK[name](bytes(20_000_000))
    names = [name, "gzip"] if twice else [name]
    data = gzip.compress(data) if twice else data
    with pytest.raises(UnpackedTooLarge):
        Codings.of(", ".join(names)).unpacked(data, 1_000_000)


@given(
    name=st.sampled_from(["gzip", "deflate", "Deflate", "br", "zstd"]),
    data=st.binary(max_size=60),
    cut=st.integers(0, 200),
    flip=st.integers(0, 200),
)
def test_what_is_not_packed_so_is_told_and_never_ends_otherwise(
    name: str, data: bytes, cut: int, flip: int
) -> None:
    whole = bytearray(PACK[name](BODY))
    whole[flip % len(whole)] ^= 1 + flip % 255
    for broken in (data, bytes(whole), PACK[name](BODY)[:cut]):
        with suppress(BrokenCoding):
            Codings.of(name).unpacked(broken, 1 << 20)


@pytest.mark.parametrize("name", ["compress", "dcb", "snappy, gzip", "gzip," * 5])
def test_what_nobody_knows_is_told(name: str) -> None:
    with pytest.raises(UnknownCoding):
        Codings.of(name).unpacked(gzip.compress(BODY), 1 << 20)
