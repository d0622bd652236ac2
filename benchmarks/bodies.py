"""What is asked and answered: the same bytes on every run.

Every request carries its number twice: in the last user message, where another
number makes another request, and in `user`, which does not count when requests
are compared but makes other bytes.
"""

import random
import re
from collections.abc import Iterator
from functools import cache
from itertools import count, cycle

import orjson
import prose

PATH = "/v1/chat/completions"
FRAMES = 62
LONG = 200
"""Frames of a long stream, which a client asks for by `max_completion_tokens`."""

_FRAMES = re.compile(rb'"max_completion_tokens": ?(\d+)')
_STREAMS = re.compile(rb'"stream": ?true')
_USER = "u-0000000000"

_WORDS = """the a of to in and is it for on with as that by this from at or be are not have one
all model answer request stream token tool file line test value server client cache record replay
cassette latency first last byte chunk header body message system user assistant function argument
result error because whether between through without another under while again before after never
always""".split()

# What openai-python 3 sends beside Host and Content-Length.
_HEADERS = """\
Accept-Encoding: gzip, deflate\r
Connection: keep-alive\r
Accept: application/json\r
Content-Type: application/json\r
User-Agent: OpenAI/Python 3.54.0\r
X-Stainless-Lang: python\r
X-Stainless-Package-Version: 3.54.0\r
X-Stainless-OS: Linux\r
X-Stainless-Arch: x64\r
X-Stainless-Runtime: CPython\r
X-Stainless-Runtime-Version: 3.11.7\r
Authorization: Bearer sk-not-a-key\r
X-Stainless-Async: false\r
x-stainless-retry-count: 0\r
x-stainless-read-timeout: 600\r
"""


@cache
def text(size: int, seed: int) -> str:
    """About `size` characters of words."""
    pick = random.Random(seed)
    words: list[str] = []
    length = 0
    while length < size:
        words.append(pick.choice(_WORDS))
        length += len(words[-1]) + 1
    return " ".join(words)


def marker(number: int) -> str:
    """The word by which a request differs from others: all are equally long."""
    return f"number-{number:08}"


def chat(number: int, *, stream: bool = False, frames: int = FRAMES) -> bytes:
    """A chat of 2 KB."""
    messages = [
        {"role": "system", "content": text(500, 1)},
        {"role": "user", "content": f"{marker(number)} {text(1350, 2)}"},
    ]
    long = {} if frames == FRAMES else {"max_completion_tokens": frames}
    return _body(messages, **long, stream=stream)


def frames_of(body: bytes) -> int:
    """The number of frames in the stream that a chat asks for."""
    found = _FRAMES.search(body)
    return int(found[1]) if found else FRAMES


def streams(body: bytes) -> bool:
    """Whether a chat asks for a stream, whoever wrote it anew on the way."""
    return bool(_STREAMS.search(body))


def transcript(number: int) -> bytes:
    """An agent's request of 60 KB: 20 tools, and 24 calls of them with their results."""
    tools = [_tool(n) for n in range(20)]
    messages = [{"role": "system", "content": text(4000, 3)}]
    for turn in range(24):
        call = f"call_{turn:024}"
        messages += [_call(call, turn), _result(call, turn)]
    messages.append({"role": "user", "content": f"{marker(number)} {text(400, 4)}"})
    return _body(messages, tools=tools)


def conversation(number: int) -> bytes:
    """A chat of 3.4 KB that has little in common with another one."""
    messages = [
        {"role": "system", "content": text(500, 1)},
        {"role": "user", "content": f"{marker(number)} {prose.piece(2650, b'%d' % number)}"},
    ]
    return _body(messages)


def session(number: int, turns: int) -> list[bytes]:
    """An agent's requests: each has all that the one before had, and some KB more."""
    tools = [_tool(n) for n in range(20)]
    messages: list[dict[str, object]] = [{"role": "system", "content": text(4000, 3)}]
    asked = f"{marker(number)} {prose.piece(1000, b'%d' % number)}"
    messages.append({"role": "user", "content": asked})
    requests = []
    for turn in range(turns):
        requests.append(_body(messages, tools=tools))
        call = f"call_{number:012}{turn:012}"
        found = prose.piece(1800, call.encode())
        messages += [_call(call, turn), {"role": "tool", "tool_call_id": call, "content": found}]
    return requests


def _body(messages: list[dict[str, object]], **fields: object) -> bytes:
    value = {"model": "gpt-5-mini", "messages": messages, "temperature": 0.2, **fields}
    return orjson.dumps({**value, "user": _USER})


def _tool(number: int) -> dict[str, object]:
    names = [f"argument_{n}" for n in range(6)]
    properties = {
        name: {"type": "string", "description": text(60, 100 * number + n)}
        for n, name in enumerate(names)
    }
    function = {
        "name": f"tool_{number}",
        "description": text(260, 1000 + number),
        "parameters": {"type": "object", "properties": properties, "required": names[:2]},
    }
    return {"type": "function", "function": function}


def _call(name: str, turn: int) -> dict[str, object]:
    arguments = orjson.dumps({"argument_0": text(80, turn), "argument_1": turn}).decode()
    function = {"name": f"tool_{turn % 20}", "arguments": arguments}
    calls = [{"id": name, "type": "function", "function": function}]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def _result(name: str, turn: int) -> dict[str, object]:
    return {"role": "tool", "tool_call_id": name, "content": text(1100, 2000 + turn)}


def wire(body: bytes, path: str = PATH) -> bytes:
    """A whole request, head and body."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{_HEADERS}Content-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def repeated(bodies: list[bytes], path: str = PATH) -> Iterator[bytes]:
    """The same requests over and over."""
    return cycle([wire(body, path) for body in bodies])


def fresh(bodies: list[bytes], path: str = PATH) -> Iterator[bytes]:
    """The same requests over and over, but no two of the same bytes: `user` counts up."""
    halves = cycle([wire(body, path).split(_USER.encode()) for body in bodies])
    return (b"%bu-%010d%b" % (start, n, end) for (start, end), n in zip(halves, count(1)))


def rearranged(bodies: list[bytes], path: str = PATH) -> Iterator[bytes]:
    """As `fresh`, and every second one with its keys the other way round, the rest spaced out."""
    values = [orjson.loads(body) for body in bodies]
    turned = [orjson.dumps(_reversed(value)) for value in values[::2]]
    spaced = [orjson.dumps(value, option=orjson.OPT_INDENT_2) for value in values[1::2]]
    return fresh([body for pair in zip(turned, spaced, strict=True) for body in pair], path)


def _reversed(value: object) -> object:
    if isinstance(value, list):
        return [_reversed(item) for item in value]
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in reversed(value)}
    return value


def unheard(
    first: int, *, stream: bool = False, frames: int = FRAMES, path: str = PATH
) -> Iterator[bytes]:
    """Chats that nobody has asked before: the number in the message counts up."""
    body = chat(0, stream=stream, frames=frames)
    start, end = wire(body, path).split(marker(0).encode())
    return (b"%b%b%b" % (start, marker(n).encode(), end) for n in count(first))


def completion(said: str = "") -> bytes:
    """An answer of 1.6 KB."""
    message = {"role": "assistant", "content": said or SAID, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    usage = {"prompt_tokens": 412, "completion_tokens": 220, "total_tokens": 632}
    return orjson.dumps({**_envelope("chat.completion"), "choices": [choice], "usage": usage})


SAID = text(1180, 5)
"""What `completion` says."""


def frame(number: int, of: int = FRAMES, stamp: int | None = None) -> bytes:
    """One of the events of a stream, 264 bytes on average; `stamp` is the time of sending."""
    if number == of - 1:
        return b"data: [DONE]\n\n"
    end = number == of - 2
    # Some take sixteen digits for a telephone number.
    start = text(11, 2 * number) if stamp is None else f"{stamp:016}"
    role = {} if number else {"role": "assistant"}
    delta = {} if end else {**role, "content": f"{start} {text(8, number)} "}
    choice = {
        "index": 0,
        "delta": delta,
        "logprobs": None,
        "finish_reason": "stop" if end else None,
    }
    value = {**_envelope("chat.completion.chunk"), "choices": [choice]}
    return b"data: %b\n\n" % orjson.dumps(value)


def answer_to(body: bytes) -> bytes:
    """What an upstream answers that does not stamp its frames."""
    of = frames_of(body)
    return b"".join(frame(n, of) for n in range(of)) if streams(body) else completion()


def said_in(answer: bytes) -> str:
    """The text of a completion, or of a stream of one, whatever frames it has."""
    if not answer.startswith((b"data:", b"\n", b":")):
        return str(orjson.loads(answer)["choices"][0]["message"]["content"])
    events = [line[5:].strip() for line in answer.splitlines() if line.startswith(b"data:")]
    chunks = [orjson.loads(event) for event in events if event != b"[DONE]"]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)


def _envelope(kind: str) -> dict[str, object]:
    return {
        "id": "chatcmpl-C0ffee00C0ffee00C0ffee00",
        "object": kind,
        "created": 1_790_000_000,
        "model": "gpt-5-mini-2025-08-07",
        "system_fingerprint": None,
    }
