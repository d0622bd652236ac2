"""Who has a port: named where the system tells, and what to do in any case."""

import errno
import os
import socket
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.listeners import cannot_listen, taken_by
from tests.command import promptdeck, serve

linux = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs /proc")


@linux
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_process_that_listens_is_named(family: socket.AddressFamily) -> None:
    if family is socket.AF_INET6 and not socket.has_ipv6:
        pytest.skip("no IPv6")
    with socket.socket(family) as taken:
        taken.bind(("localhost" if family is socket.AF_INET else "::1", 0))
        port = taken.getsockname()[1]
        assert taken_by(port) == ""
        taken.listen()
        assert taken_by(port).endswith(f" (process {os.getpid()})")
    assert taken_by(port) == ""


@linux
async def test_a_second_server_names_the_first_without_its_flags(tmp_path: Path) -> None:
    async with serve(tmp_path, "--mode", "replay", "--store", "secret.db") as server:
        port = server.base_url.split(":")[2].removesuffix("/v1")
        ran = await promptdeck(tmp_path, "serve", "--port", port)
    python = Path(sys.executable).name
    by = f"{python} -m promptdeck serve (process {server.process.pid})"
    assert ran.err == (
        f"promptdeck: cannot listen on 127.0.0.1:{port}: the port is taken by {by}; end that, or"
        " choose another --port (0: a free one)\n"
    )


NUMBERS = st.sampled_from([errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL, errno.EMFILE])


@given(
    NUMBERS.map(lambda number: OSError(number, "words")) | st.builds(socket.gaierror, st.just(-2))
)
def test_whatever_the_reason_it_is_one_line_with_a_mend(error: OSError) -> None:
    told = str(cannot_listen("h", 1, error))
    assert told.startswith("cannot listen on h:1: ")
    assert "--port" in told or "--host" in told
    assert "\n" not in told
