"""Which headers travel, which are kept, which are secret, and what Cache-Status says."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.headers import (
    CREDENTIALS,
    FORWARDED,
    HOP_BY_HOP,
    SERVED,
    Provenance,
    cache_status,
    is_sendable,
    kept,
    secrets,
    served_in,
    to_client,
    to_upstream,
)
from promptdeck.core.interaction import Headers
from promptdeck.core.policy import Found

TOKENS = st.text("abcXYZ-09", min_size=1, max_size=8).map("x-{}".format)
HEADERS = st.lists(st.tuples(TOKENS, st.text(max_size=8)), max_size=5).map(tuple)

# Hop by hop

RFC_9110 = """Connection Keep-Alive Proxy-Authenticate Proxy-Authorization Proxy-Connection TE
    Trailer Transfer-Encoding Upgrade""".split()


@pytest.mark.parametrize("name", [*RFC_9110, *(name.lower() for name in RFC_9110)])
@pytest.mark.parametrize("passed", [to_upstream, to_client, kept])
def test_what_is_about_one_connection_is_not_passed_on(name: str, passed: object) -> None:
    assert callable(passed)
    names = [key.lower() for key, _ in passed(((name, "x"), ("X-Other", "y")))]
    assert name.lower() not in names
    assert "x-other" in names


@given(HEADERS, st.lists(TOKENS, max_size=3), st.sampled_from([",", ", ", " ,\t,"]))
def test_what_connection_names_is_not_passed_on(
    headers: Headers, named: list[str], comma: str
) -> None:
    first, second = named[:1], named[1:]
    connection = (("Connection", comma.join(first).upper()), ("connection", comma.join(second)))
    expected = tuple(item for item in headers if item[0].lower() not in {n.lower() for n in named})
    assert to_client((*connection, *headers)) == expected
    assert to_upstream((*headers, *connection))[:-1] == expected


@given(HEADERS)
def test_all_other_headers_pass_as_they_are(headers: Headers) -> None:
    assert to_client(headers) == headers
    assert to_upstream(headers) == (*headers, ("Accept-Encoding", "identity"))
    assert kept(headers) == tuple(
        (name.lower(), value) for name, value in headers if is_sendable(value)
    )


def test_repeated_headers_stay_repeated_and_in_order() -> None:
    headers = (("X-A", "1"), ("x-b", "2"), ("X-A", "3"))
    assert to_client(headers) == headers
    assert kept(headers) == (("x-a", "1"), ("x-b", "2"), ("x-a", "3"))


@pytest.mark.parametrize(
    "name", ["Host", "Content-Length", "Accept-Encoding", "Expect", "Content-Encoding"]
)
def test_what_the_way_upstream_sets_itself_is_not_passed_on(name: str) -> None:
    assert to_upstream(((name, "x"),)) == (("Accept-Encoding", "identity"),)


@pytest.mark.parametrize(
    "name", ["Authorization", "x-api-key", "OpenAI-Organization", "X-Stainless-Lang", "X-Provider"]
)
def test_a_clients_identity_goes_upstream(name: str) -> None:
    assert (name, "x") in to_upstream(((name, "x"),))


@pytest.mark.parametrize("name", ["Content-Length", "Content-Encoding", "X-RateLimit-Limit"])
def test_a_client_gets_what_describes_the_answer_under_way(name: str) -> None:
    assert to_client(((name, "x"),)) == ((name, "x"),)


# What a recording keeps


@pytest.mark.parametrize(
    "name",
    """Set-Cookie Date Age Server Via Content-Length Content-Encoding Alt-Svc CF-Ray
    CF-Cache-Status X-Request-Id Request-Id OpenAI-Organization OpenAI-Processing-Ms
    x-ratelimit-remaining-tokens anthropic-ratelimit-requests-reset Access-Control-Allow-Origin
    Strict-Transport-Security X-Envoy-Upstream-Service-Time Cache-Status""".split(),
)
def test_what_is_of_one_day_or_one_account_is_not_kept(name: str) -> None:
    assert kept(((name, "x"),)) == ()


@pytest.mark.parametrize(
    "name", ["content-type", "openai-version", "retry-after", "retry-after-ms", "x-should-retry"]
)
def test_what_clients_act_on_is_kept(name: str) -> None:
    assert kept(((name.title(), "x"),)) == ((name, "x"),)


@given(HEADERS)
def test_keeping_twice_changes_nothing(headers: Headers) -> None:
    assert kept(kept(headers)) == kept(headers)


def test_no_credentials_are_kept() -> None:
    assert kept(tuple((name, "x") for name in CREDENTIALS | HOP_BY_HOP)) == ()


# Secrets


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("Authorization", "Bearer abc", {"abc"}),
        ("authorization", "  bearer   abc== ", {"abc=="}),
        ("AUTHORIZATION", "abc", {"abc"}),
        ("X-Api-Key", "abc", {"abc"}),
        ("x-provider-key", "Bearer abc", {"abc"}),
        ("Authorization", "Digest a=1, b=x/y", {"a=1, b=x/y", "1", "x/y"}),
        ("Cookie", 'a=1; b="x"', {'a=1; b="x"', "1", "x"}),
        ("Cookie", "a", {"a"}),
        ("Authorization", "", set()),
        ("Authorization", " ", set()),
        ("X-Other", "Bearer abc", set()),
    ],
)
def test_the_secrets_of_a_request(name: str, value: str, expected: set[str]) -> None:
    assert set(secrets((("Accept", "x"), (name, value)))) == expected


@given(st.sampled_from(sorted(CREDENTIALS)), st.text("aB3-_.~+/", min_size=12), st.booleans())
def test_a_credential_is_always_among_the_secrets(name: str, value: str, bearer: bool) -> None:
    sent = f"Bearer {value}" if bearer and name != "cookie" else value
    assert value in secrets(((name, sent),))


@given(st.lists(st.tuples(st.sampled_from(sorted(CREDENTIALS)) | TOKENS, st.text())).map(tuple))
def test_no_secret_is_empty(headers: Headers) -> None:
    assert all(secrets(headers))


@pytest.mark.timeout(20)  # read anew from each of its letters, any of these takes minutes
@pytest.mark.parametrize("part", ["k", "a=", "a.", "a-b ", "key", "key-", "=", '"', "a=b;"])
@pytest.mark.parametrize("name", ["Authorization", "Cookie", "Sec-WebSocket-Protocol"])
def test_a_long_credential_is_read_in_one_go(name: str, part: str) -> None:
    long = part * (1_000_000 // len(part))
    assert all(secrets(((name, long), (name, "x" + long + "."))))


# Cache-Status


_TOKEN = re.compile(r"[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*")
_PARAMETER = re.compile(
    r"; *(?P<key>[a-z*][a-z0-9_.*-]*)"
    rf"""(?:=(?:(?P<token>{_TOKEN.pattern})|"(?P<string>(?:[ !#-\[\]-~]|\\["\\])*)"))?"""
)


def member(text: str) -> dict[str, str | bool]:
    """Read a list member as RFC 9651 has it: a token, then parameters of tokens and strings."""
    found = _TOKEN.match(text)
    assert found, text
    values: dict[str, str | bool] = {"": found[0]}
    rest = text[found.end() :]
    while rest:
        parameter = _PARAMETER.match(rest)
        assert parameter, rest
        string = parameter["string"]
        if string is not None:
            string = re.sub(r"\\(.)", r"\1", string)
        values[parameter["key"]] = string if string is not None else parameter["token"] or True
        rest = rest[parameter.end() :]
    return values


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (cache_status("hit"), {"hit": True}),
        (cache_status("hit", key="p1:00"), {"hit": True, "key": "p1:00"}),
        (
            cache_status("fwd=uri-miss", "stored", key="k", detail="a b"),
            {"fwd": "uri-miss", "stored": True, "key": "k", "detail": "a b"},
        ),
        (cache_status(), {}),
        (cache_status(detail='say "é" \\ \n'), {"detail": 'say "?" \\ ?'}),
    ],
)
def test_a_cache_status_says_what_it_was_told(header: str, expected: dict[str, str | bool]) -> None:
    assert member(header) == {"": "promptdeck", **expected}


def test_a_cache_status_is_written_as_ever() -> None:
    header = cache_status("fwd=stale", "collapsed", key="p1:ab", detail="x")
    assert header == 'promptdeck; fwd=stale; collapsed; key="p1:ab"; detail="x"'


@given(st.text(), st.text())
def test_no_text_breaks_a_cache_status(key: str, detail: str) -> None:
    read = member(cache_status("hit", key=key, detail=detail))
    plain = [re.sub(r"[^ -~]", "?", text) for text in (key, detail)]
    assert [read.get("key", ""), read.get("detail", "")] == plain


# RFC 9211, section 2.2
FORWARD_REASONS = {
    "bypass",
    "method",
    "uri-miss",
    "vary-miss",
    "miss",
    "request",
    "stale",
    "partial",
}


def test_why_a_request_went_upstream_is_said_in_the_words_of_rfc_9211() -> None:
    assert set(FORWARDED) == set(Found)
    assert set(FORWARDED.values()) <= FORWARD_REASONS


NAMED = st.text(st.characters(codec="utf-8"), min_size=1)


@given(NAMED.filter(lambda name: "/" not in name), NAMED, st.sampled_from(["", "chat", "gemini"]))
def test_who_served_is_read_back_whatever_the_model_is_called(upstream, model, dialect):
    told = Provenance(upstream, model, dialect)
    assert is_sendable(str(told))
    assert str(told).isascii()
    assert served_in((("x-promptdeck-served", str(told)),)) == told
    assert served_in(kept(((SERVED, str(told)),))) == told


@given(st.text(max_size=30))
def test_any_text_may_stand_where_who_served_is_told(text):
    found = served_in(((SERVED, text),))
    assert found is None if not text else found is not None


def test_who_served_is_told_in_plain_words():
    assert str(Provenance("anthropic", "claude-opus-5", "messages")) == (
        "anthropic/claude-opus-5; dialect=messages"
    )
    assert served_in((("content-type", "text/plain"),)) is None


def test_the_dialect_of_an_answer_is_not_for_upstream_to_say():
    said = ((SERVED, "anthropic/claude; dialect=messages"), ("X-Other", "a; dialect=chat"))
    assert to_client(said) == ((SERVED, "anthropic/claude"), said[1])
