"""What is asked and answered: the same bytes on every run.

Every request carries its number twice: in the last user message, where another
number makes another request, and in `user`, which does not count when requests
are compared but makes other bytes.
"""

import random
from collections.abc import Iterator
from itertools import count, cycle

import orjson

PATH = "/v1/chat/completions"
FRAMES = 62

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
    return f"number-{number:08}"


def chat(number: int, *, stream: bool = False) -> bytes:
    """A chat of 2 KB."""
    messages = [
        {"role": "system", "content": text(500, 1)},
        {"role": "user", "content": f"{marker(number)} {text(1350, 2)}"},
    ]
    return _body(messages, stream=stream)


def transcript(number: int) -> bytes:
    """An agent's request of 60 KB: 20 tools, and 24 calls of them with their results."""
    tools = [_tool(n) for n in range(20)]
    messages = [{"role": "system", "content": text(4000, 3)}]
    for turn in range(24):
        call = f"call_{turn:024}"
        messages += [_call(call, turn), _result(call, turn)]
    messages.append({"role": "user", "content": f"{marker(number)} {text(400, 4)}"})
    return _body(messages, tools=tools)


def _body(messages: list[dict[str, object]], **fields: object) -> bytes:
    # `user` stands last, where `fresh` finds it.
    value = {"model": "gpt-5-mini", "messages": messages, "temperature": 0.2, **fields}
    return orjson.dumps({**value, "user": "u-0000000000"})


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


def wire(body: bytes) -> bytes:
    """A whole request, head and body."""
    head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n{_HEADERS}Content-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def repeated(bodies: list[bytes]) -> Iterator[bytes]:
    """The same requests over and over."""
    return cycle([wire(body) for body in bodies])


def fresh(bodies: list[bytes]) -> Iterator[bytes]:
    """The same requests over and over, but no two of the same bytes: `user` counts up."""
    tail = len(b'0000000000"}')
    starts = cycle([wire(body)[:-tail] for body in bodies])
    return (b'%b%010d"}' % (start, n) for start, n in zip(starts, count(1), strict=False))


def unheard(first: int, *, stream: bool = False) -> Iterator[bytes]:
    """Chats that nobody has asked before: the number in the message counts up."""
    start, end = wire(chat(0, stream=stream)).split(marker(0).encode())
    return (b"%b%b%b" % (start, marker(n).encode(), end) for n in count(first))


def completion() -> bytes:
    """An answer of 1.6 KB."""
    message = {"role": "assistant", "content": text(1180, 5), "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    usage = {"prompt_tokens": 412, "completion_tokens": 220, "total_tokens": 632}
    return orjson.dumps({**_envelope("chat.completion"), "choices": [choice], "usage": usage})


def frame(number: int, stamp: int = 0) -> bytes:
    """One of `FRAMES` stream events of 264 bytes on average; `stamp` is the time of sending."""
    if number == FRAMES - 1:
        return b"data: [DONE]\n\n"
    end = number == FRAMES - 2
    delta = {} if end else {"content": f"{stamp:016} {text(8, number)}"}
    choice = {
        "index": 0,
        "delta": delta,
        "logprobs": None,
        "finish_reason": "stop" if end else None,
    }
    value = {**_envelope("chat.completion.chunk"), "choices": [choice]}
    return b"data: %b\n\n" % orjson.dumps(value)


def _envelope(kind: str) -> dict[str, object]:
    return {
        "id": "chatcmpl-C0ffee00C0ffee00C0ffee00",
        "object": kind,
        "created": 1_790_000_000,
        "model": "gpt-5-mini-2025-08-07",
        "system_fingerprint": None,
    }
