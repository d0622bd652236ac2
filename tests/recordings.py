"""Interactions for the tests: plain ones by hand, and drawn ones with every oddity of a body."""

import json  # noqa: TID251  providers write JSON in the standard library's styles, too
import random
import re
import subprocess
import sys
from contextlib import asynccontextmanager

import orjson
from hypothesis import strategies as st

from promptdeck.core.interaction import (
    CHAT_COMPLETIONS,
    Frame,
    Interaction,
    Request,
    Response,
    Variant,
)
from promptdeck.core.matching.fingerprint import fingerprint, recording_id
from promptdeck.core.matching.normalize import normalize
from promptdeck.core.matching.rules import Rules
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text import sse
from promptdeck.core.varying import UNTOLD
from promptdeck.stores.base import Stored
from promptdeck.stores.cassettes.save import New
from promptdeck.stores.cassettes.store import Canon
from promptdeck.stores.sqlite.database import Database
from tests import ROOT

REDACTOR = Redactor()
UPSTREAM = "https://api.example.com/v1"
THEN = 1_700_000_000.123


@asynccontextmanager
async def opened(path, max_bytes=10**9):
    """The SQLite file `path`, open until the block ends."""
    async with Database(path, max_bytes) as database:
        yield database


def canon(rules=None):
    """A cassette's laws under `rules`."""
    rules = rules or Rules()
    return Canon(
        lambda request: normalize(request, rules, REDACTOR).canonical,
        base_of,
        rules.digest,
        rules.digest,
    )


def base_of(request):
    return normalize(request, Rules(), REDACTOR).canonical


def chat_request(prompt, **body):
    messages = body.pop("messages", [{"role": "user", "content": prompt}])
    value = {"model": "m", "messages": messages, **body}
    return Request("POST", CHAT_COMPLETIONS, "application/json", orjson.dumps(value))


def completion(text):
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "c-1", "object": "chat.completion", "model": "m", "choices": [choice]}


def chunk(delta, finish_reason=None):
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"id": "c-1", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}


def whole(text, headers=()):
    """A JSON answer that says `text`."""
    headers = (("content-type", "application/json"), *headers)
    return Response(200, headers, (Frame(80, orjson.dumps(completion(text))),))


def streamed(text):
    """The same as a stream, a word a frame."""
    deltas = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word} for word in re.findall("[^ ]+ *| +", text)]
    chunks = [*map(chunk, deltas), chunk({}, "stop")]
    data = [*(sse.encode(orjson.dumps(item)) for item in chunks), b"data: [DONE]\n\n"]
    frames = tuple(Frame(20 * n, item) for n, item in enumerate(data, 1))
    return Response(200, (("content-type", "text/event-stream"),), frames)


def untold(one):
    """A recording as it is read of a file of 0.1.0, which kept no headers of requests."""
    return one._replace(request=one.request._replace(selecting=one.request.selecting or UNTOLD))


def interaction(prompt="hi", answer="hello", *, at=THEN, stream=False, **body):
    """A recording as the recorder makes it, with its first id."""
    request = chat_request(prompt, **body, **({"stream": True} if stream else {}))
    response = streamed(answer) if stream else whole(answer)
    return of(request, response, Variant.SSE if stream else Variant.JSON, at)


def of(request, response, variant=Variant.JSON, at=THEN):
    base = base_of(request)
    key = fingerprint(base)
    name = recording_id(base, key, 1)
    return Interaction(name, key, variant, at, UPSTREAM, request, response)


def stored(recording, rules=None, expires_at=None):
    """The key under which a store keeps a recording, and what it keeps."""
    rules = rules or Rules()
    canonical = normalize(recording.request, rules, REDACTOR).canonical
    return fingerprint(canonical, rules.digest), Stored(recording, canonical, expires_at)


def new(recording, *, replace=False):
    return New(recording, base_of(recording.request), replace)


def nameless(recording):
    """What must not change, whoever names it."""
    return recording._replace(id="")


_SERVER_ERROR = Response(
    500, (("x-a", "1"), ("x-a", "2"), ("content-type", "text/plain")), (Frame(0, b"\xff\x00"),)
)
ODD = {
    "json": interaction(),
    "stream": interaction(stream=True),
    "empty body": of(chat_request("empty"), Response(204, (), (Frame(3, b""),))),
    "no frames": of(chat_request("none"), Response(200, (), ())),
    "empty stream": of(
        chat_request("es"), Response(200, (("content-type", "text/event-stream"),), ())
    ),
    "binary": of(
        Request("POST", "/v1/files?a=%20b", "application/x", b"\xfe\n\x00"), _SERVER_ERROR
    ),
    "emoji": interaction("👩🏽‍🚀\n  漢字 \u2028\x85\r\n", "\ufeffé\t \n\n"),
    "get": of(Request("GET", "/v1/models", "", b""), whole("x", (("x-é", ' "ü" # : '),))),
    "latin-1": of(
        Request("POST", "/v1/files?a=caf\udce9", 'multipart/form-data; boundary="\udce9"', b"x"),
        whole("x", (("x-served-by", "caf\udce9"), ("x-both", "é\udce9"), ("x-both", "é"))),
    ),
    "no strict JSON": of(
        chat_request("x")._replace(body=b'{"a": NaN, "b": [Infinity, "\\ud83d"]}'),
        Response(
            200,
            (("content-type", "application/json"),),
            (Frame(1, b'{"a":NaN,"b":"\\ud83d","c":-Infinity,"d":1e999,"a":2}'),),
        ),
    ),
    "half an emoji": of(
        chat_request("half"),
        Response(
            200,
            (("content-type", "text/event-stream"),),
            (
                Frame(1, b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n'),
                Frame(2, b'data: {"choices":[{"delta":{"content":"\\ude00"}}]}\n\n'),
                Frame(3, b'data: {"choices":[{"delta":{"content":NaN}}]}\n\n'),
                Frame(4, b"data: \xff\xfe\n\n"),
            ),
        ),
    ),
}
"""One of each kind, for what is slow to try on many."""


# Drawn ones

TEXT = st.text(
    st.one_of(
        st.sampled_from(
            " \n\n\t\r\"'\\{}[]:,#-|>&*!%@`~?=<.0aZé漢\x7f\x85\xa0\u2028\u2029\ufeff🙂"
        ),
        st.characters(codec="utf-8"),
    ),
    max_size=30,
)
WORDS = """~ null Null true FALSE yes no on off y n 0 -0 1 -1 007 0o7 0x1F 0b1 1_000 1.5 .5 5. 1e3
    -.inf .nan nan 1:30 2001-12-14 2001-12-14T21:59:43Z 12-3 - -- --- ... ? : = << @a `a *a &a !a
    !!str [a] {a} a: a:b :a #a a# 1٣ exact base64 <delta> data: |""".split()
TRICKY = st.sampled_from(
    [
        *WORDS,
        *(
            "",
            " ",
            "  \n ",
            "\n",
            "\n\n",
            "- x",
            "key: value",
            "a #comment",
            "a: ",
            "? x",
            "\tx",
            "a\t",
        ),
        *("a\nb\n", " a\nb", "a\nb\n\n", "a\n  ", "\n\na\nb", "a\n \nb", "\r\n", "a\r\nb", "\x85"),
        *("<<<<<<< HEAD", "a\n=======\nb", "\ufeff", "\x00", "é" * 99),
    ]
)
STRINGS = TEXT | TRICKY
NUMBERS = st.one_of(
    st.integers(-(2**63), 2**64 - 1),
    st.integers(-9, 9),
    st.floats(-(2.0**63), 2.0**63, exclude_min=True, exclude_max=True),
)
SCALARS = st.none() | st.booleans() | NUMBERS | STRINGS
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STRINGS, inner, max_size=4),
    max_leaves=12,
)
DELTAS = st.fixed_dictionaries({}, optional={"content": STRINGS, "role": STRINGS, "x": JSON})


def _written(value, style):
    return json.dumps(value, **style).encode()


STYLES = st.fixed_dictionaries(
    {
        "ensure_ascii": st.booleans(),
        "indent": st.sampled_from([None, None, 2, 3, 4]),
        "separators": st.sampled_from([None, (",", ":"), (", ", ": ")]),
    }
)
ANY_BYTES = st.one_of(
    st.binary(max_size=30),
    STRINGS.map(str.encode),
    JSON.map(orjson.dumps),
    st.builds(_written, JSON, STYLES),
    st.builds(lambda value: _written(value, {}) + b"\n", JSON),
    st.sampled_from(
        [b"1e400", b'{"a":%d}' % 2**80, b'{"a":1,"a":2}', b'"\\ud800"', b"[NaN]", b"-0"]
    ),
)


def _event(value, style, end):
    return b"data: " + _written(value, style) + end


_ENDS = st.sampled_from([b"\n\n"] * 5 + [b"\r\n\r\n", b"\r\r", b"\n", b""])
_COMPACT = {"separators": (",", ":"), "ensure_ascii": False}


@st.composite
def frame_lists(draw):
    """Streams as providers cut them: most frames alike, some odd."""
    style = draw(st.just(_COMPACT) | STYLES)
    usual = st.builds(_event, DELTAS.map(chunk), st.just(style), st.just(b"\n\n"))
    odd = st.one_of(
        st.sampled_from(
            [b": keep-alive\n\n", b"data: [DONE]\n\n", b"\n\n", b"event: x\nid: 1\n\n"]
        ),
        st.builds(_event, JSON, STYLES, _ENDS),
        st.binary(max_size=20),
    )
    data = draw(st.lists(usual | odd, max_size=6))
    moments = draw(st.lists(st.integers(0, 10**7), min_size=len(data), max_size=len(data)))
    return tuple(map(Frame, moments, data))


_NAMES = st.sampled_from(["content-type", "x-a", "x-b", "X-A"])
OCTETS = st.binary(max_size=9).map(lambda data: data.decode("utf-8", "surrogateescape"))
"""What stands in a head, whose bytes may be any."""
HEADERS = st.lists(st.tuples(_NAMES, STRINGS | OCTETS), max_size=3).map(tuple)
_SSE = st.just((("content-type", "text/event-stream; charset=utf-8"),))
STATUSES = st.integers(100, 599)
RESPONSES = st.one_of(
    st.builds(Response, STATUSES, HEADERS | _SSE, frame_lists()),
    st.builds(
        Response,
        STATUSES,
        HEADERS,
        st.builds(lambda ms, data: (Frame(ms, data),), st.integers(0, 10**7), ANY_BYTES),
    ),
)
REQUESTS = st.builds(
    Request,
    st.sampled_from(["POST", "GET"]),
    st.sampled_from([CHAT_COMPLETIONS, "/v1/files?q=a%20b#:"]) | STRINGS | OCTETS,
    st.just("application/json") | STRINGS | OCTETS,
    ANY_BYTES,
    st.just(()) | HEADERS,
)
# Few requests and answers, so that many are alike.
FEW = st.builds(
    interaction,
    st.sampled_from(["a", "b"]),
    st.sampled_from(["1", "2"]),
    at=st.sampled_from([1_700_000_000.0, 1_700_000_001.5]),
    stream=st.booleans(),
)
INTERACTIONS = st.builds(
    Interaction,
    id=st.just("3f9c21-003-77ab01cd-1") | STRINGS,
    key=st.just("p1:77ab01cd") | STRINGS,
    variant=st.sampled_from(Variant),
    recorded_at=st.integers(0, 4 * 10**12).map(lambda ms: ms / 1000),
    upstream=st.just(UPSTREAM) | STRINGS,
    request=REQUESTS,
    response=RESPONSES,
    redacted=st.integers(0, 3),
)


def conversation(n):
    """The n-th of many recordings that resemble nothing but one another, about 3 KB long."""
    words = random.Random(n).choices("to be or not that is the question".split(), k=400)
    return interaction(f"Question {n}\n{' '.join(words)}", " ".join(words[:60]), stream=n % 2 == 0)


# Other processes

_PRELUDE = """
import asyncio, os, resource, sys
from pathlib import Path
from promptdeck.stores.cassettes.store import Cassette
from promptdeck.stores.cassettes.save import save
from promptdeck.stores.sqlite.admin import clear
from promptdeck.stores.sqlite.tape import cache_tape
from tests.recordings import *
path = Path(sys.argv[1])
"""


def python(script, path, *argv):
    """A process of its own that runs `script`, which has `path` and all of this module."""
    return subprocess.Popen(
        [sys.executable, "-c", _PRELUDE + script, *map(str, (path, *argv))],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ready():
    """In such a process: wait for the others. Starting takes longer than what they are to do."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


def start_together(processes):
    for process in processes:
        assert process.stdout.readline() == "ready\n", process.communicate()
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
