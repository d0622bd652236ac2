"""Runs of events that are alike but for their texts: nothing is lost by reading them as one."""

import random
from collections import defaultdict
from itertools import accumulate, pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.interaction import Frame, Response
from promptdeck.core.secrets.answers import cleared_frames
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text.jsontext import Unfaithful, parse
from promptdeck.core.text.runs import Run, leaves, runs, windows
from tests.scripted_upstream import chunks
from tests.secret_samples import TOKENS

REDACTOR = Redactor()
# A pattern of the user's own has every frame looked at by itself, though this one finds nothing.
THOROUGH = Redactor.build([{"name": "never", "pattern": "(?!x)x"}])
KNOWN = "known-secret-77"
KNOWN_AND_ODD = 'k"k"' * 4
WORDS = [secret for _, secret in TOKENS[::6]] + [
    *("hello", " world", "\n", '"', "\\", "\\n", "é", "🙂", "[redacted:x]", "{}:,", "sk-", KNOWN),
    *("ha" * 30, KNOWN_AND_ODD, "API_KEY", "a1b2" * 6),
    "://u:pw12@h",
    "Bearer abcdefghijk12345678",
    "API_KEY=" + "a1b2" * 6,
]
# What makes an event another, or no event at all, at times.
ODD = [
    lambda frame: b"event: x\n" + frame,
    lambda frame: frame[:-2] + b"\r\n\r\n",
    lambda frame: b": c\n\n",
    lambda frame: frame[:-1],
    lambda frame: frame.replace(b"data: ", b"data:"),
    lambda frame: frame.replace(b"}\n", b',"id":"again"}\n'),
    lambda frame: frame.replace(b"}\n", b',"x_index":true}\n'),
    lambda frame: frame.replace(b"}\n", b"\n"),
    lambda frame: frame.replace(b'"created":1', b'"created":' + b"1" * 30),
    lambda frame: frame.replace(b'"created":1', b'"created":2'),
    lambda frame: frame.replace(b"l", b"\xff"),
    lambda frame: frame.replace(b"l", b"\t"),
    lambda frame: frame.replace(b"l", b"\0"),
    lambda frame: frame.replace(b"l", b"\\ud83d"),
    lambda frame: frame.replace(b"l", b"\\x"),
    lambda frame: b"data: [DONE]\n\n",
]


def choices(word, shape, rnd):
    choice = {"index": 0, "delta": {"content": word}, "finish_reason": None}
    match shape:
        case "calls":
            call = {"index": rnd.randrange(2), "function": {"arguments": word}}
            choice["delta"] = {"tool_calls": [call]}
        case "two in turn":
            choice["index"] = rnd.randrange(2)
        case "two of a number":
            return [choice, {"index": 0, "delta": {"content": "x"}}]
        case "named":
            choice["delta"] = {"content": "x", "API_KEY": word}
        case "telling":
            choice["finish_reason"] = rnd.choice(["", "stop"])
    return [choice]


@st.composite
def streams(draw):
    rnd = random.Random(draw(st.integers(0, 2**32)))
    text = "".join(draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=5)))
    shape = draw(
        st.sampled_from(["", "", "calls", "two in turn", "two of a number", "named", "telling"])
    )
    sizes = draw(st.sampled_from([(1, 2, 3, 5, 8), (8,), (4, 100)]))
    name = draw(st.sampled_from([b"", b"", b"event: e\n", b'event: "e"\n']))
    frames = []
    while text:
        word, text = text[: (at := rnd.choice(sizes))], text[at:]
        value = {"id": "c-1", "created": 1, "choices": choices(word, shape, rnd)}
        if shape == "telling":
            value |= {"obfuscation": word[:2], "type": rnd.choice(["chunk", "error"])}
        frames.append(name + b"data: %b\n\n" % orjson.dumps(value))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3]))):
        at, odd = rnd.randrange(len(frames)), rnd.choice(ODD)
        for number in range(at, min(at + rnd.choice([1, 3]), len(frames))):
            frames[number] = odd(frames[number])
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    return [*frames, b"data: %b\n\n" % orjson.dumps(end), b"data: [DONE]\n\n"]


def value_of(frame):
    """The JSON of a frame that is UTF-8 and has any."""
    data = [line[6:] for line in frame.decode(errors="replace").split("\n") if line[:6] == "data: "]
    try:
        frame.decode()
        return parse("\n".join(data))
    except (UnicodeDecodeError, Unfaithful):
        return None


def joined(found):
    said = defaultdict(str)
    for path, text in found:
        said[path] += text
    return said


@given(streams())
def test_a_run_says_what_its_frames_say_one_after_the_other(frames):
    plain = [frame for frame in frames if b"\r" not in frame and b"data:{" not in frame]
    each = [leaf for frame in plain for leaf in leaves(value_of(frame))]
    found = []
    for run in runs(plain):
        if run.texts is None:
            found += [(path, holder[key]) for path, holder, key in leaves(value_of(run.first))]
        else:
            found += [(path, text) for path, texts in run.texts.items() for text in texts]
    assert joined(found) == joined((path, holder[key]) for path, holder, key in each)


@given(streams())
def test_whether_a_stream_is_whole_shows_in_the_first_of_each_run(frames):
    response = Response(200, (("content-type", "text/event-stream"),), ())
    one_by_one = [Run(frame) for frame in frames]
    assert CHAT.problem_with(response, runs(frames)) == CHAT.problem_with(response, one_by_one)


@given(streams(), st.sampled_from([(), (KNOWN, KNOWN_AND_ODD)]))
def test_the_same_is_taken_out_as_from_each_frame_by_itself(frames, extra):
    stream = [Frame(number, data) for number, data in enumerate(frames)]
    thorough, expected = cleared_frames(THOROUGH, stream, extra)
    cleared, counts = cleared_frames(REDACTOR, stream, extra)
    assert counts == expected
    assert cleared == thorough


def test_an_answer_is_one_run_but_for_its_ends():
    frames = chunks("one two three four five six seven")
    found = runs(frames)
    assert len(found) < len(frames) - 4
    said = next(run.texts for run in found if run.texts)
    content = "".join(said["choices", "index=0", "delta", "content"])
    assert content in "one two three four five six seven"


@pytest.mark.parametrize("frame", [b"", b"\n\n", b"data: ", b'data: "\n\n', b'data: {"a":"\\\n\n'])
def test_no_frame_is_too_strange(frame):
    assert runs([frame, frame]) == [Run(frame)] * 2


@given(streams())
def test_runs_are_all_frames_in_their_order(frames):
    found = runs(frames)
    sizes = [max([1, *map(len, (run.texts or {}).values())]) for run in found]
    assert sum(sizes) == len(frames)
    assert [run.first for run in found] == [frames[at] for at in accumulate(sizes[:-1], initial=0)]


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 100), st.integers(0, 40))
def test_windows_are_over_all_and_overlap(sizes, size, again):
    again = min(again, size - 1)
    found = windows(sizes, size, again)
    assert [*range(len(sizes))] == sorted({n for begin, end in found for n in range(begin, end)})
    for (begin, end), (following, after) in pairwise(found):
        assert begin < following <= end < after
        assert sum(sizes[following:end]) >= min(again, sum(sizes[begin + 1 : end]))
    assert all(sum(sizes[begin:end]) <= size + again + 2 * max(sizes) for begin, end in found)
