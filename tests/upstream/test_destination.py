"""destination: where a base URL leads, and by which proxy."""

import pytest

from promptdeck.upstream.destination import ENVIRONMENT, Destination


@pytest.mark.parametrize(
    ("base", "proxy", "plain"),
    [
        ("http://a/v1", None, True),
        ("https://a:8443/v1/", None, True),
        ("https://a/v1?k=1", None, False),
        ("http://u@a/v1", None, False),
        ("http://a/v1", "http://proxy:3128", False),
    ],
)
def test_only_what_is_plain_takes_the_lean_client(
    base: str, proxy: str | None, plain: bool
) -> None:
    found = Destination.of(base, proxy)
    assert (found.plain, found.proxy, found.path) == (plain, proxy, "/v1")


def test_the_environments_proxy_counts_where_no_other_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "inner")
    assert Destination.of("https://a/v1", ENVIRONMENT).proxy == "http://proxy:3128"
    assert Destination.of("https://inner/v1", ENVIRONMENT).proxy is None
    assert Destination.of("https://a/v1", None).proxy is None
