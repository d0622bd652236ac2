"""HTTP archives: what browsers and proxies write, and our own export read back."""

import base64

import jsonschema
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.sockets import METHODS, OPENING, Close, frame_of
from promptdeck.core.interaction import CHAT_COMPLETIONS, Frame, Request, Response, Variant
from promptdeck.core.matching.clean import keepable
from promptdeck.core.secrets.answers import cleared_frames
from promptdeck.core.secrets.redact import Redactor
from promptdeck.errors import CassetteError
from promptdeck.imports import NotCarried, har
from promptdeck.imports.export_har import archive
from tests.other_tools import STREAM, URL, answer, carried, imported, packed, prompt
from tests.recordings import ANY_BYTES, ODD, REDACTOR, interaction, of


def entry(content=None, mime="application/json", **more):
    """As a browser writes it, over HTTP/2."""
    return {
        "startedDateTime": "2023-11-14T22:13:20.123Z",
        "time": 70.5,
        "request": {
            "method": "POST",
            "url": URL,
            "headers": [
                {"name": ":method", "value": "POST"},
                {"name": "content-type", "value": "application/json"},
            ],
            "postData": {"mimeType": "application/json", "text": prompt()},
            "bodySize": len(prompt()),
        },
        "response": {
            "status": 200,
            "headers": [{"name": "content-type", "value": mime}],
            "content": {"mimeType": mime, **({"text": answer()} if content is None else content)},
        },
        "timings": {"blocked": 5, "dns": -1, "send": 0.5, "wait": 30, "receive": 40},
        **more,
    }


def log(*entries):
    return orjson.dumps({"log": {"version": "1.2", "entries": list(entries)}})


def only(path, item):
    [made] = carried(imported(path, log(item)))
    return made


def test_an_entry_becomes_a_recording_with_its_times(tmp_path):
    made = only(tmp_path / "a.har", entry())
    assert (made.upstream, made.request.target) == ("https://api.openai.com/v1", CHAT_COMPLETIONS)
    assert made.request.body == prompt().encode()
    assert made.response.frames == (Frame(70, answer().encode()),)
    assert made.recorded_at == 1_700_000_000.123


def test_the_frames_of_a_stream_are_spread_over_the_time_of_receiving(tmp_path):
    item = entry({"text": STREAM.decode()}, "text/event-stream")
    item["request"]["postData"]["text"] = prompt(stream=True)
    made = only(tmp_path / "a.har", item)
    assert made.variant is Variant.SSE
    assert [frame.offset_ms for frame in made.response.frames] == [30, 43, 57, 70]
    assert made.response.body == STREAM


def test_base64_content_is_undone_and_unpacked_where_it_is_packed(tmp_path):
    text = base64.b64encode(packed(answer())).decode()
    item = entry({"text": text, "encoding": "base64"})
    item["response"]["headers"].append({"name": "Content-Encoding", "value": "gzip"})
    assert only(tmp_path / "a.har", item).response.body == answer().encode()


def test_types_are_taken_from_the_content_where_no_header_has_them(tmp_path):
    item = entry()
    item["request"]["headers"] = item["response"]["headers"] = []
    made = only(tmp_path / "a.har", item)
    assert made.request.content_type == made.response.content_type == "application/json"


def request(item, **changes):
    return {**item, "request": {**item["request"], **changes}}


def response(item, **changes):
    return {**item, "response": {**item["response"], **changes}}


FORM = {"mimeType": "multipart/form-data", "params": [{"name": "file", "fileName": "a.txt"}]}
FIELDS = {"mimeType": "application/x-www-form-urlencoded", "params": [{"name": "a", "value": "b"}]}


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (entry(_webSocketMessages=[]), "it is a WebSocket"),
        (request(entry(), url="wss://api.openai.com/v1/realtime"), "it is a WebSocket"),
        (request(entry(), url="data:text/plain,hi"), "it is not HTTP but data"),
        (request(entry(), postData=FORM), "the files of its form are not in the HAR"),
        (request(entry(), postData=FIELDS), "its form is kept as fields"),
        (request(entry(), postData=None), "its request had a body, which the file does not hold"),
        (request(entry(), postData=None, bodySize=-1), "its request has no body"),
        (response(entry(), status=0), "it has no answer"),
        (response(entry(), status=429), "its answer is an error, status 429"),
        (
            response(entry(), content={"size": 12, "mimeType": "application/json"}),
            "its answer had a body, which the file does not hold",
        ),
        (entry({"text": "%%%", "encoding": "base64"}), "its base64 is broken"),
        (entry({"text": answer()[:-5]}), "the body is not JSON"),
        (
            entry({"text": STREAM.decode()[:-20]}, "text/event-stream"),
            "the stream breaks off inside an event",
        ),
        (
            entry({"text": STREAM.decode().replace('"stop"', "null")}, "text/event-stream"),
            "choice 0 has no finish_reason",
        ),
        ({"request": {}}, "it is not laid out as expected: KeyError('response')"),
    ],
)
def test_what_cannot_be_carried_is_listed_with_place_and_reason(tmp_path, item, reason):
    first, second = carried(imported(tmp_path / "a.har", log(entry(), item)))
    assert not isinstance(first, NotCarried)
    assert second.place == "$.log.entries[1]"
    assert second.reason.startswith(reason)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"log": {}}', r"it has no \$.log.entries"),
        ('{"log": {"entries": 1}}', "is no list"),
        ('{"log": {"entr', "broken JSON"),
        ('{"logs": 1}', "none of the formats"),
        ("[1]", "none of the formats"),
    ],
)
def test_what_is_no_archive_is_an_error(tmp_path, text, said):
    with pytest.raises(CassetteError, match=said):
        imported(tmp_path / "a.har", text)


# Our own

NAMED = {"type": "array", "items": {"required": ["name", "value"]}}
MESSAGE = ["httpVersion", "cookies", "headers", "headersSize", "bodySize"]
HAR = {
    "required": ["log"],
    "properties": {
        "log": {
            "required": ["version", "creator", "entries"],
            "properties": {
                "version": {"const": "1.2"},
                "creator": {"required": ["name", "version"]},
                "entries": {"type": "array", "items": {"$ref": "#/$defs/entry"}},
            },
        }
    },
    "$defs": {
        "entry": {
            "required": ["startedDateTime", "time", "request", "response", "cache", "timings"],
            "properties": {
                "startedDateTime": {"pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"},
                "time": {"type": "number", "minimum": 0},
                "request": {
                    "required": ["method", "url", "queryString", *MESSAGE],
                    "properties": {
                        "headers": NAMED,
                        "queryString": NAMED,
                        "postData": {"required": ["mimeType", "text"]},
                    },
                },
                "response": {
                    "required": ["status", "statusText", "content", "redirectURL", *MESSAGE],
                    "properties": {
                        "headers": NAMED,
                        "content": {"required": ["size", "mimeType", "text"]},
                    },
                },
                "timings": {
                    "required": ["send", "wait", "receive"],
                    "additionalProperties": {"type": "number", "minimum": 0},
                },
            },
        }
    },
}


def back(*recordings):
    """Exported, then imported."""
    text = orjson.dumps(archive(recordings)).decode()
    jsonschema.validate(orjson.loads(text), HAR)
    return carried(har.read(text), errors=True)


def bare(recording):
    """Without what an import gives anew."""
    return recording._replace(id="", redacted=0)


@pytest.mark.parametrize("name", ["json", "stream", "get", "empty body"])
def test_an_exported_recording_comes_back_whole(name):
    recording = ODD[name]
    if name == "get":  # a header that is not ASCII, and an answer of another endpoint
        recording = recording._replace(variant=Variant.JSON)
    assert back(recording) == [bare(recording)]


def test_what_was_said_over_a_socket_comes_back_whole():
    frames = tuple(Frame(n, frame_of(said)) for n, said in enumerate(("a", b"\xff", Close(4000))))
    events = (("content-type", "text/event-stream"),)
    for method in sorted(METHODS):
        status = 101 if method == OPENING else 200
        request = Request(method, "/v1/realtime?model=m", "application/json", b'{"type":"x"}')
        kept = of(request, Response(status, events, frames))._replace(variant=Variant.SSE)
        assert back(kept) == [bare(kept)]


@pytest.mark.parametrize(
    ("upstream", "target", "url"),
    [
        ("https://g.example/v1", "/v1beta/models/m", "https://g.example/v1beta/models/m"),
        ("http://localhost:11434/v1", "/api/tags", "http://localhost:11434/api/tags"),
        ("https://gw.example/x/v1", "/v1/models?a=b", "https://gw.example/x/v1/models?a=b"),
    ],
)
def test_an_export_names_the_url_that_was_asked(upstream, target, url):
    recording = of(Request("GET", target, "", b""), Response(200, (), (Frame(0, b"{}"),)))
    recording = recording._replace(upstream=upstream)
    assert archive([recording])["log"]["entries"][0]["request"]["url"] == url
    assert [made.request.target for made in back(recording)] == [target]


def test_an_export_has_the_text_of_a_stream_and_its_times():
    recording = interaction("hi", "one two", stream=True)
    [item] = archive([recording])["log"]["entries"]
    assert item["response"]["content"]["text"] == recording.response.body.decode()
    assert item["response"]["content"]["comment"] == "frames at 20 40 60 80 100 ms"
    assert item["timings"] == {"send": 0, "wait": 20, "receive": 80}


def test_times_that_no_longer_fit_the_frames_are_not_used():
    recording = interaction("hi", "one two", stream=True)
    whole = archive([recording])
    content = whole["log"]["entries"][0]["response"]["content"]
    content["comment"] = "frames at 1 2 ms"
    [made] = carried(har.read(orjson.dumps(whole).decode()))
    assert [frame.offset_ms for frame in made.response.frames] == [20, 40, 60, 80, 100]


_TARGETS = st.sampled_from(
    [
        CHAT_COMPLETIONS,
        "/v1/files?q=a%20b&c",
        "/v1/v1/x",
        "/v1/models",
        "/v1",
        "/v1/a/chat/completions",
    ]
)
_UPSTREAMS = st.sampled_from(
    [
        "https://api.openai.com/v1",
        "https://api.perplexity.ai",
        "http://127.0.0.1:8080/v1/deep/er",
        "https://generativelanguage.googleapis.com/v1beta/openai",
    ]
)
_REQUESTS = st.builds(
    Request,
    st.sampled_from(["POST", "GET", "PUT"]),
    _TARGETS,
    st.sampled_from(["application/json", "application/x", "multipart/form-data; boundary=x"]),
    ANY_BYTES.filter(bool),
    st.sampled_from([(), (("range", "bytes=0-3"),), (("accept", "text/csv"), ("range", "r=1"))]),
).map(lambda request: keepable(request, REDACTOR)[0])


@given(_REQUESTS, ANY_BYTES, _UPSTREAMS, st.integers(0, 10**6), st.integers(200, 599))
def test_any_request_and_answer_come_back_byte_for_byte(request, body, upstream, took, status):
    body = Redactor().body(body)[0]
    response = Response(status, (("content-type", "x/y"),), (Frame(took, body),))
    kept = of(request, response)._replace(upstream=upstream)
    if status < 300:
        kept = kept._replace(response=response._replace(status=500))
    [made] = back(kept)
    assert (made.request, made.response) == (kept.request, kept.response)
    assert (made.upstream, made.key, made.recorded_at) == (upstream, kept.key, kept.recorded_at)


@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=9), st.text(st.characters(codec="utf-8"))
)
def test_any_stream_comes_back_frame_for_frame(moments, text):
    answer = interaction("hi", "x", stream=True)
    data = [b"data: " + orjson.dumps(f"{n}{text}") + b"\n\n" for n in range(len(moments))]
    frames = tuple(map(Frame, moments, data))
    response = answer.response._replace(frames=frames)
    request = Request("POST", "/v1/threads/t/runs", "application/json", answer.request.body)
    kept = of(request, response._replace(frames=cleared_frames(Redactor(), frames)[0]))
    [made] = back(kept)
    assert made.response == kept.response
