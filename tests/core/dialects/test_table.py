"""Which protocol a path speaks, and what each says: pure or stateful, whole or not, what counts."""

from urllib.parse import quote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.base import LABELS, MARKERS
from promptdeck.core.dialects.table import (
    HTTP,
    TRANSLATED,
    answered_in,
    dialect_answering,
    dialect_in,
    dialect_of,
    is_chat,
    says,
    told_in,
    with_model,
)
from promptdeck.core.headers import SERVED
from promptdeck.core.interaction import Frame, Request, Response
from promptdeck.core.matching.normalize import normalize
from promptdeck.core.matching.rules import Rules
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text import sse
from promptdeck.errors import ClientError
from tests.translations import PAIRS, recorded

JSON_TYPE = "application/json"
CHAT = "/v1/chat/completions"
GEMINI = "/v1/models/gemini-4:generateContent"


def event(value, name=""):
    data = value if isinstance(value, bytes) else orjson.dumps(value)
    return sse.encode(data, event=name) if name else sse.encode(data)


def typed(kind, **more):
    return event({"type": kind, **more}, kind)


CHUNK = {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": None}]}
LAST = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
# By path: a stream, how many of its frames make it whole, and a whole answer that is none.
PROTOCOLS = {
    CHAT: ([event(CHUNK), event(LAST), event(b"[DONE]")], 2, LAST),
    "/v1/deployments/gpt/chat/completions?api-version=1": (
        [event(CHUNK), event(LAST), event(b"[DONE]")],
        2,
        LAST,
    ),
    "/v1/completions": (
        [
            event({"choices": [{"index": 0, "text": "a", "finish_reason": None}]}),
            event({"choices": [{"index": 0, "text": "", "finish_reason": "length"}]}),
            event(b"[DONE]"),
        ],
        2,
        {"choices": [{"index": 0, "text": "a", "finish_reason": "stop"}]},
    ),
    "/v1/responses": (
        [
            typed("response.created", response={"status": "in_progress", "error": None}),
            typed("response.output_text.delta", delta="a"),
            typed("response.completed", response={"status": "completed", "error": None}),
        ],
        3,
        {"id": "r", "status": "completed", "error": None, "output": []},
    ),
    "/v1/messages?beta=true": (
        [
            typed("message_start", message={"id": "m", "stop_reason": None}),
            typed("content_block_delta", index=0, delta={"type": "text_delta", "text": "a"}),
            typed("message_delta", delta={"stop_reason": "end_turn"}),
            typed("message_stop"),
        ],
        4,
        {"id": "m", "type": "message", "content": [], "stop_reason": "end_turn"},
    ),
    "/v1/models/gemini-4:streamGenerateContent?alt=sse": (
        [
            event({"candidates": [{"content": {"parts": [{"text": "a"}]}}]}),
            event({"candidates": [{"content": {"parts": []}, "finishReason": "STOP"}]}),
        ],
        2,
        {"candidates": [{"content": {}, "finishReason": "STOP"}]},
    ),
    "/v1/audio/transcriptions": (
        [typed("transcript.text.delta", delta="a"), typed("transcript.text.done", text="a")],
        2,
        {"text": "a"},
    ),
}
ANY = pytest.mark.parametrize("path", PROTOCOLS)


def stream(frames, kind="text/event-stream"):
    return Response(200, (("content-type", kind),), tuple(Frame(0, one) for one in frames))


def answer(value, kind="application/json"):
    data = value if isinstance(value, bytes) else orjson.dumps(value)
    return Response(200, (("content-type", kind),), (Frame(0, data),))


def problem(path, response):
    return dialect_of("POST", path).problem_with(response)


@ANY
def test_a_stream_is_whole_by_the_end_of_its_own_protocol(path):
    frames, enough, _ = PROTOCOLS[path]
    for count in range(1, len(frames) + 1):
        assert (problem(path, stream(frames[:count])) is None) == (count >= enough), count


@ANY
@pytest.mark.parametrize("kind", ["text/plain; charset=utf-8", "", "application/octet-stream"])
def test_what_a_stream_is_its_bytes_say(path, kind):
    frames, enough, _ = PROTOCOLS[path]
    assert problem(path, stream(frames, kind)) is None
    assert problem(path, stream(frames[: enough - 1], kind)) is not None


@ANY
def test_a_stream_that_is_cut_off_within_an_event_is_not_whole(path):
    frames, enough, _ = PROTOCOLS[path]
    text = b"".join(frames)
    whole = len(b"".join(frames[:enough]))
    for length in range(1, len(text)):
        found = problem(path, stream(sse.frames(text[:length])))
        at_a_border = text[:length].endswith(b"\n\n")
        only_a_blank_line_is_missing = text[:length].rstrip().endswith(b"data: [DONE]")
        assert (found is None) == (
            (length >= whole and at_a_border) or only_a_blank_line_is_missing
        ), text[:length]


@ANY
@given(st.binary(max_size=30))
def test_nothing_behind_the_end_makes_a_stream_less_whole(path, rest):
    frames, _, _ = PROTOCOLS[path]
    dialect = dialect_of("POST", path)
    if dialect.has_ended(frames[-1]):
        assert dialect.problem_with(stream([*frames, rest] if rest else frames)) is None


@ANY
def test_an_answer_that_is_whole_is_kept_and_an_error_with_status_200_is_not(path):
    frames, _, whole = PROTOCOLS[path]
    assert problem(path, answer(whole)) is None
    assert problem(path, answer({**whole, "error": None})) is None
    told = {"error": {"message": "overloaded", "code": 502}}
    for failed in (
        told,
        {**whole, **told},
        {"type": "error", **told},
        {**whole, "status": "failed"},
        {"object": "error", "message": "overloaded", "code": 502},
    ):
        assert problem(path, answer(failed)) == "the body reports an error"
        assert problem(path, stream([*frames[:1], event(failed), *frames[1:]])) is not None
    page = b"<!doctype html><title>Log in</title>"
    assert problem(path, answer(page, "text/html")) == "a web page came in place of an answer"


@pytest.mark.parametrize(
    "reason",
    """error network_error insufficient_system_resource abort cancelled canceled failed
    timeout MALFORMED_FUNCTION_CALL OTHER""".split(),
)
def test_a_finish_reason_can_name_a_failure(reason):
    choices = {"choices": [{"index": 0, "message": {}, "delta": {}, "finish_reason": reason}]}
    for path in (CHAT, "/v1/completions"):
        assert problem(path, answer(choices)) == "choice 0 reports a failure"
        assert problem(path, stream([event(choices), event(b"[DONE]")])) is not None
    candidates = {"candidates": [{"finishReason": reason}]}
    assert problem(GEMINI, answer(candidates)) == "candidate 0 reports a failure"


@pytest.mark.parametrize(
    "reason", ["stop", "length", "tool_calls", "content_filter", "function_call", "eos", "refusal"]
)
def test_other_finish_reasons_name_none(reason):
    assert problem(CHAT, answer({"choices": [{"index": 0, "finish_reason": reason}]})) is None


def test_an_error_in_a_choice_is_one_of_the_answer():
    choice = {"index": 0, "finish_reason": "stop", "error": {"code": 502}}
    assert problem(CHAT, answer({"choices": [choice]})) == "choice 0 reports a failure"
    assert problem(CHAT, answer({"choices": [{**choice, "error": None}]})) is None


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, {}),
        ("/v1/responses", {"input": "hi", "store": True, "previous_response_id": None}),
        ("/v1/messages", {"messages": []}),
        (GEMINI, {}),
        ("/v1/models/gemini-4:countTokens", {}),
        ("/v1/embeddings", {"input": "a"}),
        ("/v1/moderations", {}),
        ("/v1/images/generations", {}),
        ("/v1/audio/speech", {}),
        ("/v1/messages/count_tokens", {}),
        ("/v1/deployments/ada/embeddings?api-version=1", {}),
    ],
)
def test_a_model_is_a_function_of_its_request(path, body):
    assert not dialect_of("POST", path).is_stateful(body)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/models", {}),
        ("GET", CHAT, {}),
        ("GET", "/v1/batches/b", {}),
        ("DELETE", "/v1/files/f", {}),
        ("POST", "/v1/files", {}),
        ("POST", "/v1/threads", {}),
        ("POST", "/v1/threads/t/runs", {}),
        ("POST", "/v1/conversations", {}),
        ("POST", "/v1/batches", {}),
        ("POST", "/v1/messages/batches", {}),
        ("POST", "/v1/responses/r/cancel", {}),
        ("POST", CHAT + "/c", {}),
        ("POST", "/v1/models/gemini-4:batchGenerateContent", {}),
        ("POST", "/v1/fine_tuning/jobs", {}),
        ("POST", "/v1/responses", {"input": "hi", "background": True}),
        ("POST", "/v1/responses", {"input": "hi", "previous_response_id": "r"}),
        ("POST", "/v1/responses", {"input": "hi", "conversation": "c"}),
        ("POST", "/v1/responses", {"input": [{"type": "item_reference", "id": "i"}]}),
        ("POST", "/v1/messages", {"container": "c"}),
    ],
)
def test_what_creates_changes_deletes_lists_or_polls_is_stateful(method, path, body):
    assert dialect_of(method, path).is_stateful(body)


def canonical(path, body):
    request = Request("POST", path, "application/json", orjson.dumps(body))
    return normalize(request, Rules(), Redactor()).canonical


@ANY
@pytest.mark.parametrize("label", LABELS)
def test_a_label_counts_in_no_protocol(path, label):
    plain = {"model": "m", "input": "hi"}
    for value in ("one", {"run": "1"}, True, None):
        assert canonical(path, {**plain, label: value}) == canonical(path, plain)
    # Only at its place: within what is asked it is somebody's data.
    inner = [canonical(path, {**plain, "input": {label: value}}) for value in ("one", "two")]
    assert inner[0] != inner[1]


@ANY
def test_null_is_absent_in_every_protocol_at_the_top(path):
    if "chat" not in path:  # which knows which of its fields may be null
        assert canonical(path, {"a": None, "b": 1}) == canonical(path, {"b": 1})


def test_where_no_protocol_is_known_everything_counts():
    for label in LABELS:
        bodies = [canonical("/v1/threads", {label: value}) for value in ("one", "two", None)]
        assert len({*bodies, canonical("/v1/threads", {})}) == 4


@pytest.mark.parametrize("mark", MARKERS)
@pytest.mark.parametrize(
    ("path", "place", "kind"),
    [
        (CHAT, "messages", "text"),
        ("/v1/messages", "messages", "text"),
        ("/v1/responses", "input", "input_text"),
    ],
)
def test_a_mark_for_a_cache_does_not_count_where_protocols_have_it(path, place, kind, mark):
    value = {"type": "ephemeral"}
    part = {"type": kind, "text": "hi"}
    plain = {place: [{"role": "user", "content": "hi"}], "tools": [{"name": "f"}]}
    marked = {
        place: [{"role": "user", "content": [{**part, mark: value}], mark: value}],
        "tools": [{"name": "f", mark: value}],
    }
    assert canonical(path, marked) == canonical(path, plain)
    two = {place: [{"role": "user", "content": [part, {**part, mark: value}]}]}
    assert canonical(path, two) == canonical(
        path, {place: [{"role": "user", "content": [part, part]}]}
    )
    # A tool's own data may have a member of that name.
    own = {place: [{"role": "user", "content": [{"type": "x", "input": {mark: n}}]} for n in "12"]}
    assert mark.encode() in canonical(path, own)


def test_a_system_prompt_of_messages_may_be_a_text_or_a_part_with_a_mark():
    part = {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}
    assert canonical("/v1/messages", {"system": [part]}) == canonical(
        "/v1/messages", {"system": "Be brief."}
    )


@given(st.sampled_from(["GET", "POST", "PUT"]), st.text(max_size=20))
def test_any_path_has_a_dialect_and_most_have_none_of_a_model(method, text):
    dialect = dialect_of(method, "/v1/" + text)
    assert dialect.is_model <= (method == "POST")


def test_a_chat_completion_is_one_behind_other_paths_too():
    assert is_chat("POST", CHAT + "?x=1")
    assert is_chat("POST", "/v1/deployments/gpt-4o/chat/completions?api-version=2024-10-21")
    assert not is_chat("GET", CHAT)
    assert not is_chat("POST", CHAT + "/id")
    assert dialect_of("POST", "/v1/unknown") is HTTP


@pytest.mark.parametrize("kind", ["application/stream+json", "application/x-ndjson", JSON_TYPE])
@pytest.mark.parametrize("path", ["/v1/chat", "/v1/api/x", "/v1/embeddings"])
def test_lines_of_json_are_an_answer_whatever_type_of_json_they_have(path, kind):
    def problem(body):
        response = Response(200, (("content-type", kind),), (Frame(0, body),))
        return dialect_of("POST", path).problem_with(response)

    # U+2028 ends a line for Python, not for JSON.
    for body in (b'{"a":1}\n{"b":2}\n', b'{"a":1}\r\n\r\n{"b":2}', '{"a":"\u2028"}\n{}'.encode()):
        assert problem(body) is None
    if kind != "application/x-ndjson":
        for body in (b'{"a":1}\n{"b":', b"{}\n{}\nx"):
            assert problem(body) == "the body is not JSON"


LINES = b'{"message":{"content":"a"},"done":false}\n{"message":{"content":""},"done":true}\n'


@pytest.mark.parametrize("path", ["/api/chat", "/v1/api/chat", "/v1/api/generate"])
def test_ollama_says_when_it_is_done(path):
    def told(body):
        return problem(path, answer(body, "application/x-ndjson"))

    assert not dialect_of("POST", path).is_stateful({})
    assert told(LINES) is None
    assert told(LINES.splitlines()[1]) is None
    for length in range(1, len(LINES) - 1):
        assert told(LINES[:length]) is not None, LINES[:length]
    assert told(b'{"done":false}\n{"error":"out of memory"}\n') == "the body reports an error"


COHERE = [
    typed("message-start", id="i"),
    typed("content-delta", index=0, delta={"message": {"content": {"text": "a"}}}),
    typed("message-end", delta={"finish_reason": "COMPLETE"}),
]


@pytest.mark.parametrize("path", ["/v2/chat", "/v1/v2/chat"])
def test_cohere_says_how_a_message_ended(path):
    for count in range(4):
        assert (problem(path, stream(COHERE[:count])) is None) == (count == 3)
    failed = typed("message-end", delta={"finish_reason": "ERROR"})
    assert problem(path, stream([*COHERE[:2], failed]))
    assert problem(path, answer({"finish_reason": "MAX_TOKENS"})) is None
    assert problem(path, answer({"finish_reason": "TIMEOUT"}))


ERROR = ClientError("no such thing", code="nothing", param="$.a")


ANTHROPIC, GOOGLE = ("Anthropic-Version", "2023-06-01"), ("x-goog-api-key", "k")


@pytest.mark.parametrize(
    ("method", "target", "headers", "name"),
    [
        ("POST", "/v1/chat/completions", (), "chat"),
        # A gateway's client may say whose it is: what it asks in counts.
        ("POST", "/v1/chat/completions", (ANTHROPIC,), "chat"),
        ("POST", "/v1/messages?beta=true", (), "messages"),
        ("POST", "/v1/messages/count_tokens", (), "messages"),
        ("GET", "/v1/messages/batches/b", (), "messages"),
        ("GET", "/v1/models", (ANTHROPIC,), "messages"),
        ("POST", "/v1/files", (ANTHROPIC,), "messages"),
        ("POST", "/v1beta/models/gemini-4:streamGenerateContent", (), "gemini"),
        ("POST", "/v1/models/gemini-4:countTokens", (), "gemini"),
        ("GET", "/v1beta/models", (), "gemini"),
        ("GET", "/v1/models", (GOOGLE,), "gemini"),
        ("DELETE", "/v1beta/cachedContents/c?key=k", (), "gemini"),
        ("POST", "/v1beta/openai/chat/completions", (), "chat"),
        ("POST", "/v1beta/openai/embeddings", (GOOGLE,), "plain"),
        ("GET", "/v1beta/openai/models", (GOOGLE,), "http"),
        ("POST", "/v1/deployments/gpt/chat/completions", (), "chat"),
        ("POST", "/v1/responses", (), "responses"),
        ("POST", "/v2/chat", (), "cohere"),
        ("POST", "/v2/embed", (), "cohere"),
        ("POST", "/api/chat", (), "ollama"),
        ("GET", "/api/tags", (), "ollama"),
        ("POST", "/v1/threads", (), "http"),
        ("GET", "/v1/models", (), "http"),
        ("GET", "/v1/", (), "http"),
    ],
)
def test_an_error_is_told_in_the_dialect_that_its_client_reads(method, target, headers, name):
    assert told_in(method, target, headers).name == name


def test_errors_have_the_shapes_that_clients_read():
    anthropic = dialect_of("POST", "/v1/messages").error(ERROR, "req-1")
    assert (anthropic["type"], anthropic["request_id"]) == ("error", "req-1")
    assert anthropic["error"]["type"] == "invalid_request_error"
    google = dialect_of("POST", GEMINI).error(ERROR)["error"]
    assert (google["code"], google["status"]) == (400, "INVALID_ARGUMENT")
    assert google["details"][0]["reason"] == "NOTHING"
    assert dialect_of("POST", "/api/chat").error(ERROR)["error"] == "no such thing"
    for path in ("/v1/responses", "/v1/completions", "/v1/threads", CHAT):
        told = dialect_of("POST", path).error(ERROR)
        assert told["error"]["code"] == told["code"] == "nothing"
        assert told["error"]["param"] == told["param"] == "$.a"


def test_error_events_are_what_readers_raise_on():
    def event(path):
        return sse.parse(dialect_of("POST", path).error_event(ERROR))

    for path in (CHAT, "/v1/messages", "/v1/responses"):
        assert event(path).event == "error"
        assert orjson.loads(event(path).data)["error"]["message"] == "no such thing"
    assert orjson.loads(event("/v1/responses").data)["type"] == "error"
    # google-genai 3.6 looks for this very text, and takes a line of another kind for data.
    assert event(GEMINI).event == ""
    assert event(GEMINI).data.startswith('{"error":')


@given(st.text(alphabet="gpt-4.o%/é ", min_size=1))
def test_a_deployment_is_the_model_of_a_body_without_one(name):
    path = f"/v1/deployments/{quote(name, safe='')}/chat/completions?api-version=1"
    for body in ({"messages": []}, {"model": None, "messages": []}):
        assert with_model(body, path) == {"model": name, "messages": []}
        assert with_model(body, CHAT) is body
    for body in ({"model": "m"}, [], None, "x"):
        assert with_model(body, path) is body


@pytest.mark.parametrize(
    "path",
    [
        "/v1beta/models/gemini-4:generateContent",
        "/v1/models/gemini-4:streamGenerateContent?alt=sse",
        "/v1/projects/p/locations/l/publishers/google/models/gemini-4:countTokens",
    ],
)
def test_googles_model_is_the_one_that_the_path_names(path):
    assert with_model({"contents": []}, path) == {"contents": [], "model": "gemini-4"}


@pytest.mark.parametrize(("client", "upstream"), PAIRS)
def test_an_answer_is_in_the_dialect_of_who_served_it(client, upstream):
    for stream in (True, False):
        one = recorded(client, upstream, stream=stream)
        assert dialect_in(one.request).name == client
        assert dialect_answering(one).name == upstream
        assert says(one) == TRANSLATED[upstream].says(one.response) != ""


@pytest.mark.parametrize(
    ("method", "target", "served"),
    [
        ("POST", "/v1/embeddings", "mistral/e; dialect=chat"),
        ("GET", "/v1/models", "mistral/e; dialect=chat"),
        ("MESSAGE", "/v1/responses", "anthropic/e; dialect=messages"),
        ("POST", CHAT, "anthropic/claude"),
        ("POST", CHAT, "anthropic/claude; translated-from=messages"),
        ("POST", CHAT, "a/b; dialect=telepathy"),
        ("POST", CHAT, ""),
    ],
)
def test_what_is_not_translated_is_in_the_dialect_of_its_request(method, target, served):
    asked = Request(method, target, JSON_TYPE, b"{}")
    assert answered_in(asked, ((SERVED, served),)) is dialect_in(asked)
