"""Who may ask: foreign hosts and pages are refused, allowed ones can read; tokens go no further."""

import logging
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptdeck.core.interaction import Frame, Response
from promptdeck.engine.outcome import Served
from promptdeck.server.answers.rendering import served_headers
from tests.conftest import Deck, Start
from tests.raw_client import CHAT, Got, talking
from tests.scripted_upstream import Upstream, plain, raw

BODY = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'


async def asked(deck: Deck, lines: list[str], *, line: str = f"POST {CHAT} HTTP/1.1") -> Got:
    """The answer to a request with these header lines, byte for byte."""
    async with talking(deck.server) as talk:
        head = [line, *lines, "Content-Type: application/json", f"Content-Length: {len(BODY)}"]
        talk.writer.write("\r\n".join([*head, "", ""]).encode("utf-8", "surrogateescape") + BODY)
        return await talk.answer()


def status(got: Got) -> int:
    return int(got.status.split()[1])


OWN = "Host: localhost:4141"
CROSS = "Sec-Fetch-Site: cross-site"
ALLOWED_HEADS = [
    ["Host: LOCALHOST."],
    ["Host: [::1]:1"],
    ["Host: host.docker.internal:4141"],
    ["Host: deck.internal"],
    [OWN, "Origin: http://localhost:3000", "Sec-Fetch-Site: same-site"],
    [OWN, "Origin: https://127.0.0.1", CROSS],
    [OWN, "Origin: http://[::1]:5173"],
    [OWN, "Origin: https://app.example", CROSS],
    [OWN, "Origin: https://a.wide.example:8443", CROSS],
    [OWN, "Origin: tauri://localhost"],
    ["Host: deck.internal:4141", "Origin: http://deck.internal:4141"],
    [OWN, "Sec-Fetch-Site: none"],
    [OWN, "Sec-Fetch-Site: same-origin"],
]
FOREIGN_HEADS = [
    ["Host: evil.example:4141"],
    ["Host: localhost@evil.example"],
    ["Host: localhost.evil.example"],
    ["Host: 0.0.0.0:4141"],
    ["Host:"],
    [OWN, "Origin: http://evil.example", CROSS],
    [OWN, "Origin: null"],
    [OWN, "Origin: http://localhost.evil.example"],
    [OWN, "Origin: http://localhost@evil.example"],
    [OWN, "Origin: http://localhost:3000 http://evil.example"],
    [OWN, "Origin: http://localhost", "Origin: http://evil.example"],
    [OWN, "Origin: file://"],
    [OWN, "Origin: app://localhost"],
    [OWN, "Origin: https://wide.example.evil.example"],
    [OWN, "Origin: http://deck.internal:4141.evil.example"],
    [OWN, CROSS],
    ["Host: deck.internal", "Sec-Fetch-Site: same-site"],
]
CONFIGURED = {
    "PROMPTDECK_SERVER_HOSTS": "[deck.internal]",
    "PROMPTDECK_SERVER_ORIGINS": (
        "[https://app.example/, 'https://*.wide.example:8443', 'tauri://localhost']"
    ),
}


@pytest.mark.parametrize("fast", [True, False])
async def test_who_may_not_ask_is_refused_before_anything_happens(
    start: Start, provider: Upstream, fast: bool
) -> None:
    deck = await start(mode="cache", environ=CONFIGURED, fast=fast)
    for lines in FOREIGN_HEADS:
        got = await asked(deck, lines)
        assert (status(got), orjson.loads(got.body)["code"]) == (403, "forbidden"), lines
        assert "access-control-allow-origin" not in got.headers
    assert provider.seen == []
    assert deck.server.counts().misses == 0
    for lines in ALLOWED_HEADS:
        assert status(await asked(deck, lines)) == 200, lines
    # What was let in may be known by now, what was refused must not be.
    for lines in FOREIGN_HEADS:
        assert status(await asked(deck, lines)) == 403, lines


@pytest.mark.parametrize(
    "line",
    [
        f"POST http://evil.example{CHAT} HTTP/1.1",
        f"POST http://localhost@evil.example{CHAT} HTTP/1.1",
        f"POST http://evil.example@localhost{CHAT} HTTP/1.1",
        "GET http://evil.example/_deck/health HTTP/1.1",
    ],
)
async def test_a_target_that_names_another_server_is_refused(start: Start, line: str) -> None:
    deck = await start(mode="passthrough")
    assert status(await asked(deck, [OWN], line=line)) == 403
    own = await asked(deck, [OWN], line=f"POST http://localhost:4141{CHAT} HTTP/1.1")
    assert status(own) == 200


async def test_a_host_is_not_needed_where_no_browser_speaks(start: Start) -> None:
    deck = await start(mode="passthrough")
    assert status(await asked(deck, [], line=f"POST {CHAT} HTTP/1.0")) == 200
    assert status(await asked(deck, ["Host: evil"], line=f"POST {CHAT} HTTP/1.0")) == 403
    twice = await asked(deck, [OWN, "Host: evil.example"])
    assert status(twice) == 400


PREFLIGHT = {
    "Origin": "http://localhost:3000",
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,x-stainless-lang",
    "Access-Control-Request-Private-Network": "true",
}


@pytest.mark.parametrize("mode", ["replay", "cache"])
@pytest.mark.parametrize("path", [CHAT, "/session/none/v1/models", "/_deck/sessions"])
async def test_a_browser_that_asks_for_a_page_is_answered_here(
    start: Start, provider: Upstream, mode: str, path: str
) -> None:
    deck = await start(mode=mode)
    got = await deck.request("OPTIONS", path, **PREFLIGHT)
    assert (got.status, got.body) == (204, b"")
    assert got.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert got.headers["Access-Control-Allow-Methods"] == "POST"
    assert (
        got.headers["Access-Control-Allow-Headers"] == PREFLIGHT["Access-Control-Request-Headers"]
    )
    assert got.headers["Access-Control-Allow-Private-Network"] == "true"
    assert "Origin" in got.headers.getall("Vary")
    assert (await deck.request("OPTIONS", path, Origin="http://localhost")).status == 204
    refused = await deck.request("OPTIONS", path, **{**PREFLIGHT, "Origin": "http://evil.example"})
    assert (refused.status, "Access-Control-Allow-Origin" in refused.headers) == (403, False)
    assert provider.seen == []
    assert deck.server.counts().misses == 0


@pytest.mark.parametrize("fast", [True, False])
async def test_an_allowed_page_can_read_each_answer_and_no_other_is_told_so(
    start: Start, provider: Upstream, fast: bool
) -> None:
    provider.answers = [raw(b"{}", headers={"Access-Control-Allow-Origin": "*", "X-Own": "1"})]
    deck = await start(mode="cache", fast=fast)
    origins = ["http://localhost:3000", "http://localhost:5173"]
    for origin in [*origins, *origins]:
        got = await deck.chat(headers={"Origin": origin})
        assert got.headers.getall("Access-Control-Allow-Origin") == [origin]
        assert "Origin" in got.headers.getall("Vary")
        exposed = got.headers["Access-Control-Expose-Headers"]
        assert {"Cache-Status", "X-Request-Id"} <= set(exposed.split(", "))
        plain = await deck.chat()
        assert not [name for name in plain.headers if name.startswith("Access-Control")]
    failed = await deck.request("GET", "/nowhere", Origin=origins[0])
    assert (failed.status, failed.headers["Access-Control-Allow-Origin"]) == (404, origins[0])
    assert all("Origin" not in seen.headers for seen in provider.seen)


def test_what_upstream_says_of_pages_is_not_played_from_old_recordings() -> None:
    headers = (("Content-Type", "application/json"), ("access-control-allow-origin", "*"))
    response = Response(200, headers, (Frame(0, b"{}"),))
    served = Served(response, cache_status="promptdeck; hit", age=0, key="k")
    assert served_headers(served, CHAT) == headers[:1]


# Tokens

TOKEN = "deck-token-1"


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    "lines",
    [
        [f"Authorization: Bearer {TOKEN}"],
        [f"authorization: bearer  {TOKEN}"],
        [f"X-Promptdeck-Token: {TOKEN}", "Authorization: Bearer client-key"],
    ],
)
async def test_a_token_opens_the_server_and_goes_no_further(
    start: Start,
    provider: Upstream,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    fast: bool,
    lines: list[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    deck = await start(
        mode="record-missing", cassette="c", environ={"PROMPTDECK_SERVER_TOKEN": TOKEN}, fast=fast
    )
    for _ in range(4):
        assert status(await asked(deck, [OWN, *lines])) == 200
    await deck.idle()
    other = await asked(deck, [OWN, f"X-Promptdeck-Token: {TOKEN}"])
    assert "; hit" in other.headers["cache-status"]
    for seen in provider.seen:
        assert TOKEN not in str(seen.headers)
        own = "client-key" in str(lines)
        assert seen.headers.get("Authorization") == ("Bearer client-key" if own else None)
    assert TOKEN not in caplog.text
    assert TOKEN not in (tmp_path / "cassettes" / "c.yaml").read_text()


@given(
    given_token=st.text("deck-token12 ", max_size=14), scheme=st.sampled_from(["Bearer", "Basic"])
)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_only_the_very_token_opens(start: Start, given_token: str, scheme: str) -> None:
    deck = await start(mode="replay", environ={"PROMPTDECK_SERVER_TOKEN": TOKEN})
    right = given_token.strip() == TOKEN
    for lines, opens in (
        ([f"Authorization: {scheme} {given_token}"], right and scheme == "Bearer"),
        ([f"X-Promptdeck-Token: {given_token}"], right),
        ([], False),
    ):
        got = await asked(deck, [OWN, *lines], line="GET /_deck/health HTTP/1.1")
        assert status(got) == (200 if opens else 401)


async def test_a_token_that_an_answer_says_is_not_kept(start: Start, tmp_path: Path) -> None:
    environ = {"PROMPTDECK_SERVER_TOKEN": TOKEN}
    deck = await start(mode="record", cassette="c", environ=environ)
    deck.upstream.answers = [plain(f"it is {TOKEN}")]
    got = await deck.chat(headers={"X-Promptdeck-Token": TOKEN})
    assert TOKEN in got.json["choices"][0]["message"]["content"]
    assert TOKEN not in (tmp_path / "cassettes" / "c.yaml").read_text()


async def test_without_a_token_the_error_says_how_and_a_page_can_read_it(start: Start) -> None:
    deck = await start(mode="replay", environ={"PROMPTDECK_SERVER_TOKEN": TOKEN})
    got = await deck.chat(headers={"Origin": "http://localhost:3000"})
    assert (got.status, got.json["code"]) == (401, "token_required")
    assert got.headers["WWW-Authenticate"] == "Bearer"
    assert got.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert (await deck.request("OPTIONS", CHAT, **PREFLIGHT)).status == 204


# Where we listen


async def test_a_session_is_told_where_we_listen_not_what_a_host_said(start: Start) -> None:
    deck = await start(mode="record", environ={"PROMPTDECK_SERVER_HOSTS": "[deck.internal]"})
    for host, root in (
        ("localhost:9", deck.server.root),
        ("host.docker.internal:4141", "http://host.docker.internal:4141"),
        ("deck.internal", "http://deck.internal"),
    ):
        got = await deck.request("POST", "/_deck/sessions", b"{}", Host=host)
        assert got.json["root"].rpartition("/session/")[0] == root
        assert got.json["base_url"].startswith(root)
