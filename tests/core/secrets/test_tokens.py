"""A secret goes out of every member that says an answer's text once more."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.interaction import Frame
from promptdeck.core.secrets.answers import cleared_body, cleared_frames
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text import sse
from tests.secret_samples import TOKENS

REDACTOR = Redactor()


def entry(text):
    one = {"token": text, "logprob": -0.5, "bytes": list(text.encode())}
    return {**one, "top_logprobs": [one, {"token": "x", "logprob": -9.0, "bytes": [120]}]}


def chat(texts):
    """Events of a chat stream, each with its piece and the tokens of it."""
    for text in texts:
        choice = {"index": 0, "delta": {"content": text}, "logprobs": {"content": [entry(text)]}}
        yield {"choices": [choice]}


def legacy(texts):
    for text in texts:
        logprobs = {"tokens": [*text], "token_logprobs": [-0.5] * len(text)}
        yield {"choices": [{"index": 0, "text": text, "logprobs": logprobs}]}


def responses(texts):
    for text in texts:
        yield {
            "type": "response.output_text.delta",
            "output_index": 0,
            "content_index": 0,
            "delta": text,
            "logprobs": [entry(text)],
        }
    whole = {"type": "output_text", "text": "".join(texts), "logprobs": [*map(entry, texts)]}
    yield {
        "type": "response.output_text.done",
        "text": "".join(texts),
        "logprobs": whole["logprobs"],
    }
    yield {"type": "response.completed", "response": {"output": [{"content": [whole]}]}}


def gemini(texts):
    for text in texts:
        chosen = {"chosenCandidates": [{"token": text, "logProbability": -0.5}]}
        part = {"content": {"parts": [{"text": text}]}, "index": 0, "logprobsResult": chosen}
        yield {"candidates": [part]}


DIALECTS = pytest.mark.parametrize("dialect", [chat, legacy, responses, gemini])
SECRETS = st.integers(0, len(TOKENS) - 1).map(lambda number: TOKENS[number][1])


def pieces(text, size):
    return [text[at : at + size] for at in range(0, len(text), size)]


def everything_said(value):
    """All texts and all bytes in a value, those that are alike in their order."""
    found = {}

    def walk(item, path):
        if isinstance(item, dict):
            for key, inner in item.items():
                walk(inner, (*path, key))
        elif isinstance(item, list) and item and all(isinstance(one, int) for one in item):
            found.setdefault(path, []).append(bytes(item).decode())
        elif isinstance(item, list):
            for inner in item:
                walk(inner, path)
        elif isinstance(item, str):
            found.setdefault(path, []).append(item)

    walk(value, ())
    return ["".join(texts) for texts in found.values()]


@DIALECTS
@given(secret=SECRETS, size=st.integers(1, 9))
def test_no_member_of_a_stream_spells_a_secret(dialect, secret, size):
    events = [*dialect(["see ", *pieces(secret, size), " there"])]
    frames = [Frame(0, b"data: %b\n\n" % orjson.dumps(event)) for event in events]
    cleared, counts = cleared_frames(REDACTOR, frames)
    values = [orjson.loads(sse.parse(frame.data).data) for frame in cleared]
    for value in (values, *values):
        assert not [text for text in everything_said(value) if secret in text]
    assert counts
    assert cleared_frames(REDACTOR, cleared)[0] == cleared


@given(secret=SECRETS, size=st.integers(1, 9))
def test_no_member_of_a_whole_answer_spells_a_secret(secret, size):
    texts = ["see ", *pieces(secret, size), " there"]
    logprobs = {"content": [*map(entry, texts)]}
    message = {"role": "assistant", "content": "".join(texts)}
    body = orjson.dumps({"choices": [{"index": 0, "message": message, "logprobs": logprobs}]})
    cleared, counts = cleared_body(REDACTOR, body)
    assert not [text for text in everything_said(orjson.loads(cleared)) if secret in text]
    assert counts
    assert cleared_body(REDACTOR, cleared)[0] == cleared


def test_bytes_that_an_older_version_left_are_found():
    secret = "ghp_" + "A1b2" * 9
    events = [*chat(pieces(secret, 3))]
    for number, event in enumerate(events):
        text = "" if number else "[redacted:github]"
        event["choices"][0]["delta"]["content"] = text
        event["choices"][0]["logprobs"]["content"][0]["token"] = text
    frames = [Frame(0, b"data: %b\n\n" % orjson.dumps(event)) for event in events]
    cleared, counts = cleared_frames(REDACTOR, frames)
    assert counts
    values = [orjson.loads(sse.parse(frame.data).data) for frame in cleared]
    assert not [text for text in everything_said(values) if secret in text]


def test_an_answer_without_secrets_stays_as_it_is():
    body = orjson.dumps({"choices": [{"logprobs": {"content": [entry("Hello"), entry(" you")]}}]})
    assert cleared_body(REDACTOR, body) == (body, {})
