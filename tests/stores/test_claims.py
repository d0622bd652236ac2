"""Claims: a request is asked by one of the processes that share a store."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from promptdeck.stores.claims import FileClaims
from tests.conftest import Start

HOLD = """
import sys
from pathlib import Path
from promptdeck.stores.claims import FileClaims
claims = FileClaims(Path(sys.argv[1]))
print(claims.take(sys.argv[2]), flush=True)
sys.stdin.read()
"""
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="there are no record locks")


def another(path: Path, name: str) -> subprocess.Popen[str]:
    """A process that takes a claim and keeps it until its stdin ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "True\n"
    return process


@POSIX
@pytest.mark.parametrize("killed", [False, True])
def test_a_claim_keeps_others_out_until_it_is_dropped_or_its_process_ends(
    tmp_path: Path, killed: bool
) -> None:
    claims = FileClaims(tmp_path / "claims")
    other = another(tmp_path / "claims", "one")
    assert not claims.take("one")
    assert claims.take("two")
    if killed:
        other.kill()
    other.communicate()
    assert claims.take("one")
    claims.drop("one")
    claims.close()


def test_what_cannot_be_locked_is_free_for_everybody(tmp_path: Path) -> None:
    claims = FileClaims(tmp_path / "claims")
    claims.close()
    # No lock can be had on it any more, as on a file system that has none.
    assert claims.take("one")
    claims.drop("one")


async def test_without_a_file_for_claims_requests_are_answered_all_the_same(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "store.db-claims").mkdir()
    deck = await start(mode="cache")
    assert "cannot use" in caplog.text
    assert (await deck.chat("one")).status == 200
    assert "hit" in (await deck.chat("one")).cache_status


@POSIX
async def test_a_request_waits_for_the_process_that_asks_it_and_asks_if_that_one_fails(
    start: Start, tmp_path: Path
) -> None:
    deck = await start(mode="cache")
    unstored = await deck.chat("one", headers={"Cache-Control": "no-store"})
    key = unstored.cache_status.split('key="')[1].partition('"')[0]
    other = another(tmp_path / "store.db-claims", f"{key} json")
    async with asyncio.TaskGroup() as tasks:
        asking = [tasks.create_task(deck.chat("one")) for _ in range(3)]
        assert (await deck.chat("two")).status == 200
        await asyncio.sleep(0.3)
        assert len(deck.upstream.seen) == 2
        other.communicate()
    assert len({task.result().body for task in asking}) == 1
    assert len(deck.upstream.seen) == 3
