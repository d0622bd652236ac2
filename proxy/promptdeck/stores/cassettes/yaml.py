"""One interaction as a piece of YAML that a reviewer can read, and back, byte for byte.

What writes itself again exactly is kept as structure with its JSON style; what
does not, as verbatim text; what is not UTF-8, as base64. `dump` reads back what
it wrote and falls back a step until nothing is lost. `load` reads a whole file.

A stream keeps one line per frame: `[ms, delta]` where the frame is the `chunk`
template with that delta, `[ms, "text"]` for a frame's text without the blank
line that ends it, and `[ms, exact, "text"]` or `[ms, base64, "..."]` for
anything else. `says` is what the model said, for people; replay reads frames.
"""

import base64
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from promptdeck.core.dialects.chat import saying
from promptdeck.core.interaction import Frame, Headers, Interaction, Request, Response, Variant
from promptdeck.core.text.jsontext import JSON, Unfaithful, compact, parse, render, style_of
from promptdeck.core.text.yamltext import block
from promptdeck.errors import CassetteError

from .file import Progress, silently
from .reader import BadYAML, YAMLReader

VERSION = 1
HEADER = (
    "# promptdeck cassette: model calls recorded once, replayed for ever.\n"
    f"promptdeck: {VERSION}\n"
    "interactions:\n"
)
_DELTA = "<delta>"
_JSON_TYPE = "application/json"


class _Richness(NamedTuple):
    """How much is kept as structure; `dump` tries the richest first."""

    structure: bool
    text: bool


_FORMS = (_Richness(True, True), _Richness(False, True), _Richness(False, False))


def dump(interaction: Interaction) -> str:
    """The list item for one interaction. CassetteError if no form keeps it exactly."""
    for form in _FORMS:
        try:
            text = "".join(f"{line}\n" for line in block([_plain(interaction, form)]))
            if load(HEADER + text) == [interaction]:
                return text
        # Header values can hold what is not Unicode; times before the year 1 are none.
        except (CassetteError, ValueError, TypeError, OverflowError, RecursionError):
            continue
    raise CassetteError(f"recording {interaction.id} cannot be written as YAML without loss")


def _plain(interaction: Interaction, form: _Richness) -> dict[str, JSON]:
    request, response = interaction.request, interaction.response
    return {
        "id": interaction.id,
        "key": interaction.key,
        "recorded": _time_text(interaction.recorded_at),
        "upstream": interaction.upstream,
        "variant": str(interaction.variant),
        **({"redacted": interaction.redacted} if interaction.redacted else {}),
        "request": {
            "method": request.method,
            "target": request.target,
            **(
                {} if request.content_type == _JSON_TYPE else {"content-type": request.content_type}
            ),
            **_request_body(request.body, form),
        },
        "response": {
            "status": response.status,
            **_headers_out(response.headers),
            **(_stream(response, form) if _as_stream(response) else _answer(response, form)),
        },
    }


def _request_body(body: bytes, form: _Richness) -> dict[str, JSON]:
    if form.structure:
        try:
            value = parse(body)
        except Unfaithful:
            pass
        else:
            if compact(value) == body:
                return {"json": value}
    return _verbatim(body, form) if body else {}


def _verbatim(body: bytes, form: _Richness) -> dict[str, JSON]:
    if form.text:
        try:
            return {"text": body.decode()}
        except UnicodeDecodeError:
            pass
    return {"base64": base64.encodebytes(body).decode().removesuffix("\n")}


def _headers_out(headers: Headers) -> dict[str, JSON]:
    if not headers:
        return {}
    named = dict(headers)
    return {"headers": named if len(named) == len(headers) else [list(item) for item in headers]}


def _as_stream(response: Response) -> bool:
    return response.is_stream or len(response.frames) != 1


def _answer(response: Response, form: _Richness) -> dict[str, JSON]:
    [frame] = response.frames
    return {"took": frame.offset_ms, **_answer_body(frame.data, form)}


def _answer_body(body: bytes, form: _Richness) -> dict[str, JSON]:
    if form.structure:
        try:
            text, value = body.decode(), parse(body)
        except ValueError:
            pass
        else:
            if style := style_of(text, value):
                return {**({} if style == "compact" else {"style": style}), "json": value}
    return _verbatim(body, form)


def _stream(response: Response, form: _Richness) -> dict[str, JSON]:
    template = _template(response.frames) if form.structure else None
    says = saying.says(response)
    return {
        **({"says": says} if says else {}),
        **({} if template is None or template.style == "compact" else {"style": template.style}),
        **({} if template is None else {"chunk": template.text}),
        "frames": [[ms, *_frame_out(data, template, form)] for ms, data in response.frames],
    }


class _Template(NamedTuple):
    """What most frames share: their text with `<delta>` where the delta stands."""

    text: str
    style: str

    def fill(self, delta: JSON) -> str:
        return self.text.replace(_DELTA, render(delta, self.style))


def _template(frames: Sequence[Frame]) -> _Template | None:
    """The template of the first frame that has one and shares it with another frame."""
    seen: set[_Template] = set()
    for _, data in frames:
        if template := _template_of(data):
            if template in seen:
                return template
            seen.add(template)
    return None


def _template_of(data: bytes) -> _Template | None:
    delta, text = _delta(data)
    if delta is None or _DELTA in text:
        return None
    for style in ("compact", "spaced", "compact ascii", "spaced ascii"):
        head, colon = '"delta":', " " if style.startswith("spaced") else ""
        filled = head + colon + render(delta, style)
        if text.count(filled) == 1:
            return _Template(text.replace(filled, head + colon + _DELTA), style)
    return None


def _delta(data: bytes) -> tuple[JSON, str]:
    """The first choice's delta of a frame `data: {...}` and the frame's text, or None."""
    try:
        text = data.decode().removesuffix("\n\n")
        value = parse(text.removeprefix("data:"))
        delta = value["choices"][0]["delta"]
    except (ValueError, TypeError, LookupError):
        return None, ""
    return (delta, text) if isinstance(delta, dict) else (None, "")


def _frame_out(data: bytes, template: _Template | None, form: _Richness) -> list[JSON]:
    if template:
        delta, text = _delta(data)
        if delta is not None and data.endswith(b"\n\n") and template.fill(delta) == text:
            return [delta]
    if form.text:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            pass
        else:
            ended = text.removesuffix("\n\n")
            return [ended] if ended != text else ["exact", text]
    return ["base64", base64.b64encode(data).decode()]


class Entry(NamedTuple):
    """An interaction and what else a file says of it."""

    line: int
    interaction: Interaction
    says: str | None
    """For people: replay does not read it."""


def load(text: str, name: str = "cassette") -> list[Interaction]:
    """Every interaction of a cassette's text. CassetteError names file and line."""
    return [entry.interaction for entry in entries(text, name)]


def entries(text: str, name: str = "cassette", step: Progress = silently) -> list[Entry]:
    """The same with lines and readable texts."""
    return list(each_entry(text, name, step))


def each_entry(text: str, name: str = "cassette", step: Progress = silently) -> Iterator[Entry]:
    """The same one by one: the last may be followed by a CassetteError."""
    lines = text.count("\n") + 1
    try:
        for entry in _entries(YAMLReader(text)):
            step(entry.line / lines)
            yield entry
        step(1)
    except BadYAML as error:
        raise CassetteError(f"{name}:{error.line}: {error}") from None


def _entries(reader: YAMLReader) -> Iterator[Entry]:
    version = None
    for key, line in reader.pairs():
        if key == "promptdeck":
            version = _version(reader.value(), line)
        elif key == "interactions":
            for entry in reader.entries():
                yield _entry(reader.value(), entry)
        else:
            raise BadYAML(line, f"unknown key {key!r} beside `interactions`")
    if version is None:
        raise BadYAML(1, f"`promptdeck: {VERSION}` is missing")


def _version(version: JSON, line: int) -> int:
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
    try:
        return Entry(line, _read(item), _text(item["response"], "says", "") or None)
    except (ValueError, TypeError, RecursionError) as error:
        raise BadYAML(line, f"this interaction: {error}") from None


_ITEM = frozenset("id key recorded upstream variant redacted request response".split())
_BODY = frozenset(["json", "text", "base64"])
_REQUEST = _BODY | {"method", "target", "content-type"}
_WHOLE = _BODY | {"status", "headers", "took", "style"}
_STREAM = frozenset("status headers says style chunk frames".split())


def _read(item: JSON) -> Interaction:
    _expect(item, "the entry", _ITEM)
    request, response = item.get("request"), item.get("response")
    _expect(request, "`request`", _REQUEST)
    streamed = isinstance(response, dict) and "frames" in response
    _expect(response, "`response`", _STREAM if streamed else _WHOLE)
    return Interaction(
        id=_text(item, "id"),
        key=_text(item, "key"),
        variant=Variant(_text(item, "variant")),
        recorded_at=_time(_text(item, "recorded")),
        upstream=_text(item, "upstream"),
        request=Request(
            method=_text(request, "method"),
            target=_text(request, "target"),
            content_type=_text(request, "content-type", _JSON_TYPE),
            body=_body_in(request),
        ),
        response=Response(
            status=_number(response, "status", range(100, 1000)),
            headers=_headers_in(response.get("headers", {})),
            frames=tuple(_frames_in(response) if streamed else [_whole_in(response)]),
        ),
        redacted=_number(item, "redacted") if "redacted" in item else 0,
    )


def _expect(holder: JSON, what: str, known: frozenset[str]) -> None:
    if not isinstance(holder, dict):
        raise TypeError(f"{what} must be a mapping")
    if unknown := sorted(holder.keys() - known):
        raise ValueError(f"{what} has an unknown key {unknown[0]!r}")


def _text(holder: dict[str, JSON], key: str, default: str | None = None) -> str:
    value = holder.get(key, default)
    if not isinstance(value, str):
        raise TypeError(f"`{key}` must be text" if key in holder else f"`{key}` is missing")
    return value


# What SQLite and every reader of JSON hold exactly.
_NUMBERS = range(2**53)


def _number(holder: dict[str, JSON], key: str, allowed: range = _NUMBERS) -> int:
    value = holder.get(key)
    if type(value) is not int or value not in allowed:
        raise ValueError(f"`{key}` must be a whole number, {allowed[0]} to {allowed[-1]}")
    return value


def _time(text: str) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"`recorded` has no time zone: {text}")
    return moment.timestamp()


def _headers_in(headers: JSON) -> Headers:
    pairs = headers.items() if isinstance(headers, dict) else headers
    if not all(isinstance(part, str) for pair in pairs for part in pair):
        raise TypeError("names and values of `headers` must be text; numbers want quotes")
    return tuple((name, value) for name, value in pairs)


def _body_in(holder: dict[str, JSON], style: str | None = None) -> bytes:
    """A body; `json` without a style is written as requests are kept."""
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
    style = _text(response, "style", "compact")
    try:
        render(None, style)
    except KeyError:
        raise ValueError(f"no style {style!r}") from None
    return style


def _whole_in(response: dict[str, JSON]) -> Frame:
    return Frame(_number(response, "took"), _body_in(response, _style(response)))


def _frames_in(response: dict[str, JSON]) -> Iterator[Frame]:
    template = _Template(_text(response, "chunk", ""), _style(response))
    frames = response["frames"]
    if not isinstance(frames, list):
        raise TypeError("`frames` must be a list")
    for n, entry in enumerate(frames, 1):
        match entry:
            case [int() as ms, *form] if type(ms) is int and ms in _NUMBERS:
                yield Frame(ms, _frame_in(form, template, n))
            case _:
                raise ValueError(f"frame {n} does not start with its milliseconds")


def _frame_in(form: list[JSON], template: _Template, n: int) -> bytes:
    match form:
        case [dict(delta)] if _DELTA in template.text:
            return f"{template.fill(delta)}\n\n".encode()
        case [str(text)]:
            return f"{text}\n\n".encode()
        case ["exact", str(text)]:
            return text.encode()
        case ["base64", str(text)]:
            return _bytes(text)
    raise ValueError(f"frame {n} has no known form")


def _time_text(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
