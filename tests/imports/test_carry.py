"""carry: an entry becomes the recording that our recorder would have made of it."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.providers import PROVIDERS
from promptdeck.core.interaction import CHAT_COMPLETIONS, Frame, Variant
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.targets import below, target_of
from promptdeck.imports import NotCarried, carry
from promptdeck.imports.carry import Moment, in_file_order, split
from promptdeck.imports.entry import framed
from promptdeck.stores.cassettes.save import New
from tests.other_tools import STREAM, answer, plain_entry, prompt
from tests.recordings import THEN, base_of

KEY = "sk-proj-" + "aB3dE6gH9jK2mN5pQ8sT" * 2
TYPE = (("content-type", "application/json"),)
SSE = (("content-type", "text/event-stream"),)


def made(redactor=None, errors=False, **changes):
    changes = {"frames": framed(changes.get("headers", TYPE), answer().encode()), **changes}
    return carry(plain_entry(**changes), redactor or Redactor(), otherwise=THEN, errors=errors)


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
            "https://x.azure.com/openai",
            "/v1/deployments/d/chat/completions?api-version=1",
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
        (
            "https://generativelanguage.googleapis.com/v1beta/models/g:generateContent?key=k",
            "https://generativelanguage.googleapis.com",
            "/v1beta/models/g:generateContent?key=k",
        ),
        ("https://gw.example/v1/cohere/v2/chat", "https://gw.example/v1/cohere", "/v2/chat"),
        ("http://localhost:11434/api/chat", "http://localhost:11434", "/api/chat"),
        ("https://openrouter.ai/api/v1/models", "https://openrouter.ai/api/v1", "/v1/models"),
        ("HTTPS://user:pass@a.b:8080/x#part", "https://a.b:8080", "/v1/x"),
        ("http://a.b", "http://a.b", "/v1/"),
    ],
)
def test_a_url_is_cut_as_a_client_of_ours_would_ask_for_it(url, upstream, target):
    assert split(url) == (upstream, target or CHAT_COMPLETIONS)


_SEGMENT = st.sampled_from("v1 chat completions v1beta models v2 api openai x v12 ".split(" "))


@given(st.lists(_SEGMENT, max_size=6), st.sampled_from(["", "?a=b", "?v1/chat/completions"]))
def test_upstream_and_target_make_the_url_again_as_a_client_asks(segments, query):
    url = "/".join(["https://api.perplexity.ai", *(segments or [""])]) + query
    cut = split(url)
    # Or else an import would never hit.
    assert target_of(cut.target) == cut.target
    again = below(cut.upstream, cut.target)
    assert again == url or len(again) < len(url)  # a version that stood there twice
    assert again.endswith(query)
    assert split(again, cut.target) == cut


# From entries to recordings


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
    said = "its answer is an error, status 429"
    assert made(status=429, frames=body) == NotCarried("1", said, "--errors carries it")
    assert made(status=429, frames=body, errors=True).interaction.response.status == 429


# When

TIMES = st.none() | st.integers(1, 9).map(float)


@given(st.lists(st.builds(Moment, st.none(), TIMES)))
def test_what_its_file_tells_no_time_of_keeps_the_files_order(found):
    times = in_file_order(found, THEN)
    assert times == sorted(times)
    dated = [one.dated for one in found if one.dated is not None]
    assert set(times) <= set(dated or [THEN])
    if dated == sorted(dated):
        said = [time for one, time in zip(found, times, strict=True) if one.dated is not None]
        assert said == dated


@given(st.lists(st.builds(Moment, TIMES, TIMES)))
def test_what_a_file_tells_stands(found):
    times = in_file_order(found, THEN)
    assert all(one.told in (None, time) for one, time in zip(found, times, strict=True))
