"""Large blocks of memory are given back when they are freed."""

import subprocess
import sys
from pathlib import Path

import pytest

from promptdeck.heap import LARGE, give_back, keep_large_apart
from tests.traffic import resident

SIZE = 16 * LARGE


@pytest.mark.skipif(sys.platform != "linux", reason="it reads what the kernel says of a process")
def test_what_is_freed_is_given_back() -> None:
    # In a process of its own: the heap of this one has room from other tests.
    call = "from tests.test_heap import check; check()"
    subprocess.run([sys.executable, "-c", call], cwd=Path(__file__).parent.parent, check=True)


def check() -> None:
    keep_large_apart()
    bytes(SIZE)  # glibc would now take blocks of this size from its heap
    before = resident()
    held = b"x" * SIZE
    assert resident() - before > SIZE // 2
    del held
    assert resident() - before < SIZE // 2
    pieces = [b"%d" % number * 10_000 for number in range(800)]
    last = b"x" * 1000  # what lies behind them keeps the heap from shrinking by itself
    del pieces
    give_back()
    assert resident() - before < SIZE // 2
    assert last
