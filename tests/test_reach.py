"""Whom a server may be reached by: told before it listens."""

from pathlib import Path

import pytest

from promptdeck.config import load
from promptdeck.errors import ConfigError
from promptdeck.reach import check_reach

TOKEN = "deck-token-1"


def config(tmp_path: Path, **flags: object) -> None:
    environ = {str(name): str(value) for name, value in flags.items() if name.isupper()}
    rest = {name: value for name, value in flags.items() if not name.isupper()}
    check_reach(load(rest, environ, cwd=tmp_path).config)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "devbox"])
def test_other_machines_are_listened_to_with_a_token_only(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match=r"server\.token") as told:
        config(tmp_path, host=host)
    assert "\n" not in str(told.value)
    config(tmp_path, host=host, PROMPTDECK_SERVER_TOKEN=TOKEN)
    config(tmp_path, host=host, PROMPTDECK_SERVER_ALLOW_ANYONE="true")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.1.2.3"])
def test_loopback_needs_none(tmp_path: Path, host: str) -> None:
    config(tmp_path, host=host)


@pytest.mark.parametrize(
    ("host", "url", "loops"),
    [
        ("127.0.0.1", "http://127.0.0.1:4141/v1", True),
        ("127.0.0.1", "http://localhost:4141/v1", True),
        ("localhost", "http://127.0.0.1:4141", True),
        ("0.0.0.0", "http://127.0.0.1:4141/v1", True),
        ("::", "http://[::1]:4141/v1", True),
        ("127.0.0.1", "http://127.0.0.1:4142/v1", False),
        ("127.0.0.1", "http://127.0.0.2:4141/v1", False),
        ("127.0.0.1", "http://provider.example:4141/v1", False),
    ],
)
def test_an_upstream_that_is_the_server_itself_is_refused(
    tmp_path: Path, host: str, url: str, loops: bool
) -> None:
    anyone = {"PROMPTDECK_SERVER_ALLOW_ANYONE": "true"}
    if not loops:
        config(tmp_path, host=host, upstream=url, mode="cache", **anyone)
        return
    with pytest.raises(ConfigError, match="own address"):
        config(tmp_path, host=host, upstream=url, mode="cache", **anyone)
    config(tmp_path, host=host, upstream=url, mode="replay", **anyone)
