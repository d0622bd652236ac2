"""Which tool wrote a file, and how its exchanges become recordings."""

import zlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.providers import PROVIDERS
from promptdeck.core.interaction import CHAT_COMPLETIONS, Frame, Variant
from promptdeck.core.secrets.redact import Redactor
from promptdeck.errors import CassetteError
from promptdeck.imports import NotCarried, carry, har, read, reel, vcr
from promptdeck.imports.carry import split
from promptdeck.imports.entry import Elided, framed, moment, unbase64, unpacked, utf8
from promptdeck.stores.cassettes.file import New
from promptdeck.stores.cassettes.yaml import HEADER, dump, load
from tests.foreign import STREAM, answer, carried, exchange, packed, prompt
from tests.imports import test_har, test_vcr
from tests.imports.test_reel import line, streamed
from tests.recordings import JSON, THEN, base_of

KEY = "sk-proj-" + "aB3dE6gH9jK2mN5pQ8sT" * 2
TYPE = (("content-type", "application/json"),)
SSE = (("content-type", "text/event-stream"),)


def made(redactor=None, errors=False, **changes):
    changes = {"frames": framed(changes.get("headers", TYPE), answer().encode()), **changes}
    return carry(exchange(**changes), redactor or Redactor(), otherwise=THEN, errors=errors)


# URLs


@pytest.mark.parametrize(
    ("url", "upstream", "target"),
    [
        ("https://api.openai.com/v1/chat/completions", "https://api.openai.com/v1", ""),
        ("https://api.groq.com/openai/v1/chat/completions", "https://api.groq.com/openai/v1", ""),
        ("https://api.perplexity.ai/chat/completions", "https://api.perplexity.ai", ""),
        ("https://a.b/v1/acc/gw/openai/chat/completions", "https://a.b/v1/acc/gw/openai", ""),
        (
            "https://x.azure.com/openai/deployments/d/chat/completions?api-version=1",
            "https://x.azure.com/openai/deployments/d",
            CHAT_COMPLETIONS + "?api-version=1",
        ),
        (
            "https://api.openai.com/v1/models?a=%20b",
            "https://api.openai.com/v1",
            "/v1/models?a=%20b",
        ),
        (
            "https://generativelanguage.googleapis.com/v1beta/openai/embeddings",
            PROVIDERS["google"],
            "/v1/embeddings",
        ),
        ("HTTPS://user:pass@a.b:8080/x#part", "https://a.b:8080", "/v1/x"),
        ("http://a.b", "http://a.b", "/v1"),
    ],
)
def test_a_url_is_cut_as_a_client_of_ours_would_ask_for_it(url, upstream, target):
    assert split(url) == (upstream, target or CHAT_COMPLETIONS)


_SEGMENT = st.sampled_from(["v1", "chat", "completions", "v1beta", "openai", "x", "v12", ""])


@given(st.lists(_SEGMENT, max_size=6), st.sampled_from(["", "?a=b", "?v1/chat/completions"]))
def test_upstream_and_target_make_the_url_again(segments, query):
    url = "/".join(["https://api.perplexity.ai", *segments]) + query
    cut = split(url)
    assert cut.target.startswith("/v1")
    assert cut.upstream + cut.target.removeprefix("/v1") == url


# From exchanges to recordings


def test_keys_variants_and_canonical_forms_are_the_recorders():
    new = made(body=prompt(stream=True).encode(), headers=SSE, frames=framed(SSE, STREAM))
    assert isinstance(new, New)
    assert new.interaction.variant is Variant.SSE
    assert new.base == base_of(new.interaction.request)


def test_secrets_leave_requests_answers_and_headers():
    new = made(
        body=prompt(f"my key is {KEY}").encode(),
        frames=(Frame(0, answer(f"you said {KEY}, and opensesame-123").encode()),),
        headers=(*TYPE, ("x-echo", KEY)),
        request_headers=(*TYPE, ("Authorization", "Bearer opensesame-123")),
        url=f"https://api.openai.com/v1/chat/completions?api_key={KEY}",
    )
    assert KEY not in repr(new)
    assert "opensesame" not in repr(new)
    assert new.interaction.redacted == 3


def test_a_secret_spread_over_frames_is_taken_out():
    halves = (KEY[:20], KEY[20:])
    chunks = [{"choices": [{"index": 0, "delta": {"content": half}}]} for half in halves]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    data = b"".join(b"data: %b\n\n" % orjson.dumps(chunk) for chunk in chunks)
    new = made(headers=SSE, frames=framed(SSE, data + b"data: [DONE]\n\n"))
    assert KEY[20:] not in new.interaction.response.body.decode()
    assert new.interaction.redacted == 1


def test_headers_about_one_connection_or_account_are_left_out():
    headers = (*TYPE, ("Date", "x"), ("openai-organization", "acme"), ("X-Model", "m"))
    assert made(headers=headers).interaction.response.headers == (*TYPE, ("x-model", "m"))


def test_the_time_is_the_files_or_the_answers_or_else_what_the_caller_says():
    date = (*TYPE, ("date", "Tue, 14 Nov 2023 22:13:21 GMT"))
    assert made(recorded_at=1.5, headers=date).interaction.recorded_at == 1.5
    assert made(headers=date).interaction.recorded_at == 1_700_000_001
    assert made().interaction.recorded_at == THEN


def test_an_error_answer_is_carried_on_request_only():
    body = (Frame(0, b'{"error": {"message": "slow down"}}'),)
    assert made(status=429, frames=body) == NotCarried("1", "its answer is an error, status 429")
    assert made(status=429, frames=body, errors=True).interaction.response.status == 429


# Bodies


@pytest.mark.parametrize("wbits", [15, -15])
def test_both_kinds_of_deflate_are_undone(wbits):
    deflate = zlib.compressobj(wbits=wbits)
    data = deflate.compress(answer("é" * 50).encode()) + deflate.flush()
    assert unpacked(data, "deflate") == answer("é" * 50).encode()


@given(st.binary())
def test_what_is_packed_with_gzip_is_unpacked(data):
    import gzip

    assert unpacked(gzip.compress(data), "GZIP ") == data


@given(st.text(st.characters(codec="utf-8", min_codepoint=32)).map(str.encode))
def test_text_is_never_taken_for_packed(data):
    for encoding in ("gzip", "deflate", "br", "zstd", ""):
        assert unpacked(data, encoding) == data


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (b"\x8b\xff\x00", "br", "compressed with br"),
        (packed("x")[:-1], "gzip", "cut off"),
        (b"\x1f\x8b\x00\x00", "gzip", "broken"),
        (packed("x").decode("latin-1").encode(), "gzip", "kept as text"),
    ],
)
def test_what_cannot_be_unpacked_says_why(body, encoding, reason):
    with pytest.raises(Elided, match=reason):
        unpacked(body, encoding)


def test_a_small_body_that_unfolds_beyond_the_limit_is_refused():
    with pytest.raises(Elided, match="too large"):
        unpacked(packed("0" * (33 * 1024 * 1024)), "gzip")


def test_text_and_base64_that_hold_no_bytes_say_so():
    with pytest.raises(Elided, match="surrogate"):
        utf8("\ud800")
    with pytest.raises(Elided, match="base64 is broken"):
        unbase64("a")
    assert unbase64("/w\n A=") == b"\xff\x00"


def test_a_time_without_a_zone_is_utc_and_nonsense_is_none():
    assert moment("2023-11-14T22:13:20") == moment("2023-11-14T23:13:20+01:00") == 1_700_000_000
    assert moment("yesterday") is None


# The front


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
