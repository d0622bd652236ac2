"""Prompts and answers in the neutral form, drawn of every kind, and what makes two of them equal.

`prompts` are such as every dialect can say; what only some can is asked for by name. A sequence of
`signals` is one as a Hearing must give it.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import count
from typing import Any

from hypothesis import strategies as st

from promptdeck.core.dialects.translate.neutral import (
    Aside,
    Broke,
    CallClosed,
    CallOpened,
    CallSaid,
    Cited,
    Declined,
    Finished,
    Marked,
    Metered,
    Mused,
    Opened,
    Paper,
    Picture,
    Prompt,
    Sealed,
    Shape,
    Signal,
    Signed,
    Spoken,
    Thought,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Usage,
    Utterance,
    Weighed,
    Words,
)
from promptdeck.core.text.jsontext import compact, parse

TEXT = st.text(
    st.sampled_from(' \n"{}:,.aé漢字かな한🙂👩🏽‍🚀\u0301\u200d') | st.characters(codec="utf-8"),
    min_size=1,
    max_size=12,
)
SAID = TEXT.filter(str.strip)
"""Text that is not blank: several providers refuse such."""
NAMES = st.text("abcdefgh_", min_size=1, max_size=8)
IDS = st.text("abcdefXYZ0123456789_-", min_size=1, max_size=12)
COUNTS = st.integers(0, 2**40)
_SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | TEXT
ARGUMENTS = st.dictionaries(NAMES, _SCALARS | st.lists(_SCALARS, max_size=2), max_size=3)
SCHEMAS = st.fixed_dictionaries(
    {
        "type": st.just("object"),
        "properties": st.dictionaries(NAMES, st.just({"type": "string"}), max_size=2),
    },
    optional={"additionalProperties": st.just(False), "description": SAID},
)
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


# Prompts


def signatures(upstream: str, model: str) -> st.SearchStrategy[Signed]:
    """What one provider has signed: base64, as all of them send it."""
    return st.builds(Signed, st.just(upstream), st.just(model), st.sampled_from(["c2ln", "AAEC"]))


def thoughts(signed: st.SearchStrategy[Signed]) -> st.SearchStrategy[Thought]:
    """Signed reasoning: with text, with none (Anthropic's `omitted`), and encrypted."""
    # `builds` would draw the fields that have defaults as well.
    texts = st.tuples(SAID | st.just(""), signed).map(lambda drawn: Thought(*drawn))
    return texts | signed.map(lambda one: Thought("", one, is_hidden=True))


@st.composite
def prompts(
    draw: st.DrawFn,
    dialect: str = "chat",
    signed: st.SearchStrategy[Signed] | None = None,
    also: Collection[str] = (),
) -> Prompt:
    """A conversation that ends with the user's turn, its tools, and what else all can say.

    `also` adds what some cannot: `pictures`, `papers`, `failures` (of tools), `shape`, `late`
    (system messages amid the conversation), `custom` (tools that take text).
    """
    tools = draw(st.lists(_tools("custom" in also), max_size=2, unique_by=lambda one: one.name))
    turns: list[Utterance] = []

    def say(role: Any, *parts: Any) -> None:
        turns.append(Utterance(role, parts, f"$.{len(turns)}"))

    for text in draw(st.lists(SAID, max_size=2)):
        say("system", Words(text))
    first = draw(IDS)
    ids = (f"{first}_{n}" for n in count())
    for n in range(draw(st.integers(1, 3))):
        if n and "late" in also and draw(st.booleans()):
            say("system", Words(draw(SAID)))
        say("user", *draw(st.lists(_parts(also), min_size=1, max_size=2)))
        while tools and len(turns) < 20 and draw(st.booleans()):
            calls = [
                _call(draw, draw(st.sampled_from(tools)), next(ids))
                for _ in range(draw(st.integers(1, 2)))
            ]
            before = draw(st.lists(thoughts(signed), max_size=2)) if signed is not None else []
            said = [Words(text) for text in draw(st.lists(SAID, max_size=1))]
            say("assistant", *before, *said, *calls)
            say("user", *[_result(draw, call, "failures" in also) for call in calls])
        before = draw(st.lists(thoughts(signed), max_size=1)) if signed is not None else []
        say("assistant", *before, Words(draw(SAID)))
    say("user", *draw(st.lists(_parts(also), min_size=1, max_size=2)))
    choice = draw(st.none() | _choices(tools)) if tools else None
    shape = (
        draw(st.none() | st.tuples(SCHEMAS, NAMES).map(lambda drawn: Shape(*drawn)))
        if "shape" in also
        else None
    )
    options = draw(
        st.fixed_dictionaries(
            {"max_tokens": st.integers(1, 4096)},
            optional={"stop": st.lists(SAID, min_size=1, max_size=2)},
        )
    )
    return Prompt(
        dialect, "m-1", tuple(turns), tuple(tools), choice, shape=shape, stream=draw(st.booleans()),
        options=options,
    )  # fmt: skip


def _parts(also: Collection[str]) -> st.SearchStrategy[Any]:
    parts: list[st.SearchStrategy[Any]] = [SAID.map(Words)]
    if "pictures" in also:
        urls = st.sampled_from([f"data:image/png;base64,{PIXEL}", "https://example.com/a.png"])
        parts.append(urls.map(Picture))
    if "papers" in also:
        pdf = "data:application/pdf;base64,JVBERi0xLjQK"
        parts.append(st.just(Paper(pdf, name="a.pdf")))
    return st.one_of(parts)


def _tools(custom: bool) -> st.SearchStrategy[Tool]:
    # `builds` would draw the schema by its type, which is any JSON.
    plain = st.tuples(NAMES, st.none() | SAID, SCHEMAS).map(lambda drawn: Tool(*drawn))
    free = st.tuples(NAMES, SAID).map(lambda drawn: Tool(*drawn, None, custom={}))
    return plain | free if custom else plain


def _call(draw: st.DrawFn, tool: Tool, name: str) -> ToolCall:
    is_custom = tool.custom is not None
    arguments = draw(SAID) if is_custom else compact(draw(ARGUMENTS)).decode()
    return ToolCall(name, tool.name, arguments, is_custom=is_custom)


def _result(draw: st.DrawFn, call: ToolCall, failures: bool) -> ToolResult:
    failed = failures and draw(st.booleans())
    return ToolResult(call.id, call.name, (Words(draw(SAID)),), failed, call.is_custom)


def _choices(tools: Sequence[Tool]) -> st.SearchStrategy[ToolChoice]:
    named = st.sampled_from(tools).map(lambda one: ToolChoice("required", (one.name,)))
    return st.sampled_from([ToolChoice("none"), ToolChoice("auto"), ToolChoice("required")]) | named


def essence_of(prompt: Prompt) -> dict[str, Any]:
    """What two prompts must have in common to ask for the same.

    Neighbours of one role are one turn, neighbouring texts of one are apart, arguments are JSON;
    places and who asked in what dialect make no difference.
    """
    turns: list[tuple[str, list[Any]]] = []
    for turn in prompt.turns:
        parts = [_plain(part) for part in turn.parts]
        if turns and turns[-1][0] == turn.role:
            turns[-1][1].extend(parts)
        else:
            turns.append((turn.role, parts))
    return {
        "model": prompt.model,
        "turns": turns,
        "tools": prompt.tools,
        "choice": prompt.choice,
        "parallel": prompt.parallel,
        "shape": prompt.shape,
        "thinking": prompt.thinking,
        "stream": prompt.stream,
        "options": dict(prompt.options),
    }


def _plain(part: Any) -> Any:
    if isinstance(part, Picture | Paper) and part.url.startswith("data:"):
        return part._replace(mime="")  # the URL tells
    if isinstance(part, ToolCall) and not part.is_custom:
        return part._replace(arguments=compact(parse(part.arguments or "{}")).decode())
    return part


# Answers


@st.composite
def signals(
    draw: st.DrawFn,
    signed: st.SearchStrategy[Signed] | None = None,
    also: Collection[str] = (),
    choices: int = 1,
) -> list[Signal]:
    """An answer as a Hearing gives it, whole, with `choices` of them at most.

    `also` adds what some dialects cannot say: `refusals`, `citations`, `marks` (signatures of
    text), `bare` (reasoning that nobody signed), `summaries`, `custom`.
    """
    told: list[Signal] = [Opened(draw(IDS), "m-1", draw(st.none() | COUNTS))]
    for choice in range(draw(st.integers(1, choices))):
        told += _choice(draw, signed, also, choice)
    prompt, completion = draw(COUNTS), draw(COUNTS)
    details = [draw(st.none() | st.integers(0, most)) for most in (prompt, completion)]
    usage = Usage(prompt, completion, prompt + completion, details[0], reasoning=details[1])
    # Some dialects count on the way, and the last counts.
    at = draw(st.integers(1, len(told)))
    counted = [Metered(usage)] if draw(st.booleans()) else []
    last = [one for one in told if isinstance(one, Finished)]
    told = [one for one in told if not isinstance(one, Finished)]
    return [*told[:at], *counted, *told[at:], Metered(usage), *last]


def _choice(
    draw: st.DrawFn, signed: st.SearchStrategy[Signed] | None, also: Collection[str], choice: int
) -> list[Signal]:
    told: list[Signal] = []
    said = draw(st.lists(SAID, max_size=3))
    if signed is not None and draw(st.booleans()):
        for thought in draw(st.lists(thoughts(signed), min_size=1, max_size=2)):
            told += [Mused(text, choice) for text in _cut(draw, thought.text)]
            told.append(Sealed(thought, choice))
    elif "bare" in also and draw(st.booleans()):
        told += [Mused(text, choice) for text in _cut(draw, draw(SAID))]
    told += [Spoken(text, choice) for text in said]
    if said and signed is not None and "marks" in also and draw(st.booleans()):
        told.append(Marked(draw(signed), choice))
    if said and "citations" in also and draw(st.booleans()):
        inner = {"url": "https://example.com", "title": "t", "start_index": 0, "end_index": 1}
        told.append(Cited({"type": "url_citation", "url_citation": inner}, choice))
    if "refusals" in also and not said and draw(st.booleans()):
        told.append(Declined(draw(SAID), choice))
        return [*told, Finished("content_filter", choice=choice)]
    ids = draw(st.lists(IDS, max_size=2, unique=True))
    for number, name in enumerate(ids):
        own = draw(st.none() | signed) if signed is not None and not number else None
        told.append(CallOpened(number, name, draw(NAMES), own, choice=choice))
        arguments = compact(draw(ARGUMENTS)).decode()
        told += [CallSaid(number, text, choice) for text in _cut(draw, arguments)]
        told.append(CallClosed(number, choice))
    reason = "tool_calls" if ids else draw(st.sampled_from(["stop", "length"]))
    return [*told, Finished(reason, choice=choice)]


def _cut(draw: st.DrawFn, text: str) -> list[str]:
    """A text in some pieces, none of them empty."""
    at = draw(st.integers(0, len(text)))
    return [piece for piece in (text[:at], text[at:]) if piece]


def added_up(heard: Iterable[Signal]) -> dict[str, Any]:
    """What an answer says, however it was cut: to compare two of them.

    By choice: text, reasoning, signed blocks, calls, refusal, citations, the reason of its end;
    beside them id, model, usage, and the failure where there is one.
    """
    whole: dict[str, Any] = {"broke": None, "usage": None}
    choices: dict[int, dict[str, Any]] = {}
    for signal in heard:
        match signal:
            case Opened(id=name, model=model):
                whole |= {"id": name, "model": model}
            case Metered(usage):
                whole["usage"] = usage
            case Broke():
                assert whole["broke"] is None
                whole["broke"] = signal
            case _:
                nothing = {
                    "text": "", "mused": "", "sealed": [], "calls": {}, "refusal": "", "cited": [],
                    "marked": [], "finished": [], "weighed": [], "beside": [],
                }  # fmt: skip
                _add(choices.setdefault(signal.choice, nothing), signal)
    return {**whole, "choices": choices}


_LISTED = {Sealed: "sealed", Cited: "cited", Finished: "finished", Aside: "beside"}
_JOINED = {Spoken: "text", Mused: "mused", Declined: "refusal"}


def _add(choice: dict[str, Any], signal: Any) -> None:
    """Add a signal to the choice that it is of."""
    if name := _JOINED.get(type(signal)):
        choice[name] += signal.text
    elif name := _LISTED.get(type(signal)):
        choice[name].append(signal[0])
    elif isinstance(signal, Weighed):
        choice["weighed"].extend(signal.content)
    elif isinstance(signal, Marked):
        choice["marked"].append((len(choice["text"]), signal.signed))
    elif isinstance(signal, CallOpened):
        assert signal.number not in choice["calls"]
        choice["calls"][signal.number] = [
            signal.id, signal.name, signal.signed, signal.is_custom, "", False
        ]  # fmt: skip
    elif isinstance(signal, CallSaid):
        choice["calls"][signal.number][4] += signal.text
    else:
        assert isinstance(signal, CallClosed)
        assert not choice["calls"][signal.number][5]
        choice["calls"][signal.number][5] = True
