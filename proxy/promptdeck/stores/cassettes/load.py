"""A cassette's text read: every interaction, byte for byte, or an error with its line.

The form is what `dump` writes, however it is laid out. Of a frame's three forms `[ms,
delta]` is the `chunk` template with that delta, `[ms, "text"]` a frame's text without
the blank line that ends it, and `[ms, exact, "text"]` or `[ms, base64, "..."]` anything
else. `says` is for people: replay reads the frames.

What is served comes from `load` alone, which refuses what somebody altered since it was written.
"""

import base64
import re
import shlex
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from promptdeck.core.interaction import Frame, Headers, Interaction, Request, Response, Variant
from promptdeck.core.text.jsontext import JSON, compact, render
from promptdeck.core.text.octets import from_json
from promptdeck.core.varying import UNTOLD
from promptdeck.errors import CassetteError, ForeignFile

from .digests import altered
from .progress import Progress, silently
from .reader import BadYAML, YAMLReader, unmerged
from .section import parsed_section

VERSION = 1
"""Of the format: the number behind `promptdeck:` at the top of each file."""
JSON_TYPE = "application/json"
"""The content type of a request that names none."""
DELTA = "<delta>"
"""Where the delta of each frame stands in the `chunk` template."""


class Entry(NamedTuple):
    """An interaction and what else a file says of it."""

    line: int
    """Where it begins, from 1."""
    interaction: Interaction
    says: str | None
    """What the model said, for people; None where that is not written. Replay does not read it."""
    digests: str = ""
    """The line that tells what it was when it was written; empty in files without one."""
    altered: tuple[str, ...] = ()
    """What of it is otherwise now, as `digests.altered` names it."""


def load(text: str, name: str = "cassette") -> list[Interaction]:
    """Every interaction of a cassette's text. CassetteError names the file, `name`, and line.

    It is also raised for one that was altered since promptdeck wrote it, with what to do.
    """
    return [entry.interaction for entry in unaltered(each_entry(text, name), name)]


def unaltered(found: Iterable[Entry], name: str) -> Iterator[Entry]:
    """The entries as they come. CassetteError, with file and line, at one that was altered."""
    for entry in found:
        if entry.altered:
            raise CassetteError(
                f"{name}:{entry.line}: {told_altered(entry)}; if that is meant, run"
                f" `promptdeck cassette fix {shlex.quote(name)}`, else restore the file"
            )
        yield entry


_WORDS = {"request": "the request", "answer": "the answer", "says": "the text under `says`"}


def told_altered(entry: Entry) -> str:
    """What was altered of a recording, for people."""
    parts = " and ".join(_WORDS[part] for part in entry.altered)
    return (
        f"{parts} of {entry.interaction.id} was edited, or altered by a tool, since it was recorded"
    )


def entries(text: str, name: str = "cassette", step: Progress = silently) -> list[Entry]:
    """Every interaction with its line and readable text, altered ones too.

    CassetteError names file and line.
    """
    return list(each_entry(text, name, step))


def each_entry(text: str, name: str = "cassette", step: Progress = silently) -> Iterator[Entry]:
    """The `entries` one by one, as they are read; a CassetteError may come after some."""
    if text and not re.search(_OURS, text):
        raise ForeignFile(f"{name}:1: {_what_else(text, name)}")
    lines = text.count("\n") + 1
    try:
        for entry in _entries(YAMLReader(text)):
            step(entry.line / lines)
            yield entry
        step(1)
    except BadYAML as found:
        # Whatever comes of it: a merge that was left is the cause.
        error = unmerged(text) or found
        raise CassetteError(f"{name}:{error.line}: {error}") from None


# The key whose value is the format's version, however the file is laid out.
_OURS = r"\bpromptdeck[\"']?\s*:"
# The keys under which vcrpy and Ruby's VCR keep recordings, reel, HAR and ddapm-test-agent.
_THEIRS = r"(?m)^[\s{]*[\"']?(?:http_interactions|interactions|request|log)[\"']?\s*:"


def _what_else(text: str, name: str) -> str:
    """What a file is that is no cassette, and what to do with it."""
    if re.search(_THEIRS, text):
        return (
            "this is another tool's recording; `promptdeck cassette import"
            f" {shlex.quote(name)} --to NAME` makes a cassette of it"
        )
    return "this is no cassette, as it says nowhere `promptdeck: 1`; keep it in another folder"


def _entries(reader: YAMLReader) -> Iterator[Entry]:
    """The entries of a whole file. BadYAML where it is no cassette of this version."""
    version = None
    listed = False
    for key, line in reader.pairs():
        if key == "promptdeck":
            version = _version(reader.value(), line)
        elif key == "match" and not listed:
            try:
                parsed_section(reader.value())
            except BadYAML:
                raise
            except (ValueError, TypeError) as error:
                raise BadYAML(line, f"in `match`: {error}") from None
        elif key == "match":
            raise BadYAML(line, "`match` has to stand above `interactions`")
        elif key == "interactions":
            listed = True
            for entry in reader.entries():
                yield _entry(reader.value(), entry)
        else:
            raise BadYAML(line, f"unknown key {key!r} beside `interactions`")
    if version is None:
        raise BadYAML(1, f"`promptdeck: {VERSION}` is missing")


def _version(version: JSON, line: int) -> int:
    """The format version if this promptdeck reads it; else BadYAML with what to do."""
    if type(version) is int and version > VERSION:
        raise BadYAML(
            line,
            f"format version {version} is newer than {VERSION}, the newest that this promptdeck"
            " reads; update promptdeck",
        )
    if version != VERSION or type(version) is not int:
        raise BadYAML(line, f"no format version {version!r}; there is {VERSION}")
    return version


def _entry(item: JSON, line: int) -> Entry:
    """One entry of the list, which begins at `line`. BadYAML says what is wrong with it."""
    try:
        found, says = _read(item), _text(item["response"], "says", "") or None
        digests = _text(item, "digest", "")
        return Entry(line, found, says, digests, altered(digests, found, says) if digests else ())
    except (ValueError, TypeError, RecursionError) as error:
        raise BadYAML(line, f"this interaction: {error}") from None


class Template(NamedTuple):
    """The text that most frames of a stream share, with `DELTA` where the delta stands."""

    text: str
    style: str
    """How a delta is written, as `jsontext.render` names it."""

    def fill(self, delta: JSON) -> str:
        """A frame's text without the blank line that ends it."""
        return self.text.replace(DELTA, render(delta, self.style))


_ITEM = frozenset("id key recorded upstream variant redacted request response digest".split())
_BODY = frozenset(["json", "text", "base64"])
_REQUEST = _BODY | {"method", "target", "content-type", "headers"}
_WHOLE = _BODY | {"status", "headers", "took", "style"}
_STREAM = frozenset("status headers says style chunk frames".split())


def _read(item: JSON) -> Interaction:
    """The interaction of an entry. ValueError or TypeError says what is wrong with it."""
    _expect(item, "the entry", _ITEM)
    request, response = item.get("request"), item.get("response")
    _expect(request, "`request`", _REQUEST)
    streamed = isinstance(response, dict) and "frames" in response
    _expect(response, "`response`", _STREAM if streamed else _WHOLE)
    # 0.1.0 wrote neither digests nor headers of requests.
    selecting = () if "digest" in item else UNTOLD
    if "headers" in request:
        selecting = _headers_in(request["headers"])
    return Interaction(
        id=_text(item, "id"),
        key=_text(item, "key"),
        variant=Variant(_text(item, "variant")),
        recorded_at=_time(_text(item, "recorded")),
        upstream=_text(item, "upstream"),
        request=Request(
            method=_text(request, "method"),
            target=_head_text(request, "target"),
            content_type=_head_text(request, "content-type", JSON_TYPE),
            body=_body_in(request),
            selecting=selecting,
        ),
        response=Response(
            status=_number(response, "status", range(100, 1000)),
            headers=_headers_in(response.get("headers", {})),
            frames=tuple(_frames_in(response) if streamed else [_whole_in(response)]),
        ),
        redacted=_number(item, "redacted") if "redacted" in item else 0,
    )


def _expect(holder: JSON, what: str, known: frozenset[str]) -> None:
    """TypeError or ValueError unless `holder`, called `what`, is a mapping with known keys alone.

    A key that nobody reads is a slip of who edited the file, and would go unnoticed.
    """
    if not isinstance(holder, dict):
        raise TypeError(f"{what} must be a mapping")
    if unknown := sorted(holder.keys() - known):
        raise ValueError(f"{what} has an unknown key {unknown[0]!r}")


def _text(holder: dict[str, JSON], key: str, default: str | None = None) -> str:
    """The text under a key, or the default. TypeError if it is none, or missing without one."""
    value = holder.get(key, default)
    if not isinstance(value, str):
        raise TypeError(f"`{key}` must be text" if key in holder else f"`{key}` is missing")
    return value


def _head_text(holder: dict[str, JSON], key: str, default: str | None = None) -> str:
    """`_text`, which may also be given as its bytes: `{latin-1: ...}`."""
    text = from_json(holder.get(key))
    return _text(holder, key, default) if text is None else text


_NUMBERS = range(2**53)
"""Whole numbers that SQLite and every reader of JSON hold exactly (RFC 8259, section 6)."""


def _number(holder: dict[str, JSON], key: str, allowed: range = _NUMBERS) -> int:
    """The whole number under a key. ValueError if it is none, missing, or not allowed."""
    value = holder.get(key)
    if type(value) is not int or value not in allowed:
        raise ValueError(f"`{key}` must be a whole number, {allowed[0]} to {allowed[-1]}")
    return value


def _time(text: str) -> float:
    """Seconds since the epoch by ISO 8601. ValueError without a time zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"`recorded` has no time zone: {text}")
    return moment.timestamp()


def _headers_in(headers: JSON) -> Headers:
    """Headers from a mapping, or from a list of pairs where a name stands twice."""
    pairs = headers.items() if isinstance(headers, dict) else headers
    read = [[from_json(part) for part in pair] for pair in pairs]
    named = tuple((name, value) for name, value in read if name is not None and value is not None)
    if len(named) < len(read):
        raise TypeError("names and values of `headers` must be text; numbers want quotes")
    return named


def _body_in(holder: dict[str, JSON], style: str | None = None) -> bytes:
    """The body under `json`, `text` or `base64`; empty without any, ValueError with two.

    `json` is written in `style`; without one compact, as requests are kept.
    """
    forms = holder.keys() & _BODY
    if len(forms) > 1:
        raise ValueError(f"more than one of {', '.join(sorted(forms))}")
    if "json" in holder:
        value = holder["json"]
        return render(value, style).encode() if style else compact(value)
    if "base64" in holder:
        return _bytes(_text(holder, "base64"))
    return _text(holder, "text", "").encode()


def _bytes(text: str) -> bytes:
    return base64.b64decode("".join(text.split()), validate=True)


def _style(response: dict[str, JSON]) -> str:
    """The JSON style of a response. ValueError if there is none of that name."""
    style = _text(response, "style", "compact")
    try:
        render(None, style)
    except KeyError:
        raise ValueError(f"no style {style!r}") from None
    return style


def _whole_in(response: dict[str, JSON]) -> Frame:
    """The one frame of a response that is no stream."""
    return Frame(_number(response, "took"), _body_in(response, _style(response)))


def _frames_in(response: dict[str, JSON]) -> Iterator[Frame]:
    """The frames of a stream. ValueError or TypeError counts them from 1."""
    template = Template(_text(response, "chunk", ""), _style(response))
    frames = response["frames"]
    if not isinstance(frames, list):
        raise TypeError("`frames` must be a list")
    for n, entry in enumerate(frames, 1):
        match entry:
            case [int() as ms, *form] if type(ms) is int and ms in _NUMBERS:
                yield Frame(ms, _frame_in(form, template, n))
            case _:
                raise ValueError(f"frame {n} does not start with its milliseconds")


def _frame_in(form: list[JSON], template: Template, n: int) -> bytes:
    """The bytes of frame `n` by what stands behind its milliseconds. ValueError for no form."""
    match form:
        case [dict(delta)] if DELTA in template.text:
            return f"{template.fill(delta)}\n\n".encode()
        case [str(text)]:
            return f"{text}\n\n".encode()
        case ["exact", str(text)]:
            return text.encode()
        case ["base64", str(text)]:
            return _bytes(text)
    raise ValueError(f"frame {n} has no known form")
