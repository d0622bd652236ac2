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
import binascii
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import yaml

from proxy.core import accumulate
from proxy.core.interaction import Frame, Headers, Interaction, Request, Response, Variant
from proxy.core.jsontext import JSON, Unfaithful, compact, parse, render, style_of
from proxy.core.yamltext import block
from proxy.errors import CassetteError

VERSION = 1
HEADER = (
    "# promptdeck cassette: model calls recorded once, replayed for ever.\n"
    f"promptdeck: {VERSION}\n"
    "interactions:\n"
)
_DELTA = "<delta>"
_JSON_TYPE = "application/json"


class _Loader(yaml.CSafeLoader):
    """YAML with JSON's scalars only: `no`, `1:30` and dates stay text; no aliases, no doubles."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  PyYAML's own way

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        if node in self.constructed_objects:
            raise yaml.MarkedYAMLError(
                problem="an alias, which cassettes do not use", problem_mark=node.start_mark
            )
        return super().construct_object(node, deep=deep)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value):
            raise yaml.MarkedYAMLError(
                problem="a key stands twice in one mapping", problem_mark=node.start_mark
            )
        return mapping


for tag, pattern, first in (
    ("null", "~|null|", "~n\0"),
    ("bool", "true|false", "tf"),
    ("int", r"-?(?:0|[1-9]\d*)", "-0123456789"),
    ("float", r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?", "-0123456789"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{tag}",
        re.compile(f"(?:{pattern})$"),
        list(first) + [""][: tag == "null"],
    )


class _Form(NamedTuple):
    """How much is kept as structure; `dump` tries the richest first."""

    structure: bool
    text: bool


_FORMS = (_Form(True, True), _Form(False, True), _Form(False, False))


def dump(interaction: Interaction) -> str:
    """The list item for one interaction. CassetteError if no form keeps it exactly."""
    for form in _FORMS:
        text = "".join(f"{line}\n" for line in block([_plain(interaction, form)]))
        try:
            if load(HEADER + text) == [interaction]:
                return text
        except CassetteError:
            continue
    raise CassetteError(f"recording {interaction.id} cannot be written as YAML without loss")


def _plain(interaction: Interaction, form: _Form) -> dict[str, JSON]:
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


def _request_body(body: bytes, form: _Form) -> dict[str, JSON]:
    if form.structure:
        try:
            value = parse(body)
        except Unfaithful:
            pass
        else:
            if compact(value) == body:
                return {"json": value}
    return _verbatim(body, form) if body else {}


def _verbatim(body: bytes, form: _Form) -> dict[str, JSON]:
    if form.text:
        try:
            return {"text": body.decode()}
        except UnicodeDecodeError:
            pass
    return {"base64": base64.encodebytes(body).decode()}


def _headers_out(headers: Headers) -> dict[str, JSON]:
    if not headers:
        return {}
    named = dict(headers)
    return {"headers": named if len(named) == len(headers) else [list(item) for item in headers]}


def _as_stream(response: Response) -> bool:
    return response.is_stream or len(response.frames) != 1


def _answer(response: Response, form: _Form) -> dict[str, JSON]:
    [frame] = response.frames
    return {"took": frame.offset_ms, **_answer_body(frame.data, form)}


def _answer_body(body: bytes, form: _Form) -> dict[str, JSON]:
    if form.structure:
        try:
            text, value = body.decode(), parse(body)
        except ValueError:
            pass
        else:
            if style := style_of(text, value):
                return {**({} if style == "compact" else {"style": style}), "json": value}
    return _verbatim(body, form)


def _stream(response: Response, form: _Form) -> dict[str, JSON]:
    template = _template(response.frames) if form.structure else None
    says = accumulate.says(response)
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


def _frame_out(data: bytes, template: _Template | None, form: _Form) -> list[JSON]:
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


def load(text: str, name: str = "cassette") -> list[Interaction]:
    """Every interaction of a cassette's text. CassetteError names file and line."""
    items = _items(text, name)
    return [_interaction(item, n, text, name) for n, item in enumerate(items)]


def told(text: str) -> list[str | None]:
    """The readable `says` of each interaction, as it stands in the text."""
    return [item["response"].get("says") for item in _items(text, "cassette")]


def _items(text: str, name: str) -> list[Any]:
    loader = _Loader(text)
    try:
        root = loader.get_single_data()
    except yaml.YAMLError as error:
        raise CassetteError(_yaml_problem(error, name)) from None
    finally:
        loader.dispose()
    return _checked_items(root, name)


def _yaml_problem(error: yaml.YAMLError, name: str) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f"{name}:{mark.line + 1}" if mark else name
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"{place}: not a readable cassette: {problem}"


def _checked_items(root: Any, name: str) -> list[Any]:
    version = root.get("promptdeck") if isinstance(root, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise CassetteError(f"{name}:1: not a cassette: `promptdeck: {VERSION}` is missing")
    if version > VERSION:
        raise CassetteError(
            f"{name}:1: format version {version} is newer than {VERSION}, the newest that this"
            " promptdeck reads; update promptdeck"
        )
    items = root.get("interactions")
    if items is not None and not isinstance(items, list):
        raise CassetteError(f"{name}: `interactions` must be a list")
    if unknown := [key for key in root if key not in ("promptdeck", "interactions")]:
        raise CassetteError(f"{name}: unknown key {unknown[0]!r} beside `interactions`")
    return items or []


def _interaction(item: Any, position: int, text: str, name: str) -> Interaction:
    try:
        return _read(item)
    except (LookupError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        line = item_lines(text)[position]
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise CassetteError(
            f"{name}:{line}: interaction {position + 1} cannot be read: {what}"
        ) from None


def item_lines(text: str) -> list[int]:
    """The line, from 1, on which each interaction starts."""
    node = yaml.compose(text, _Loader)
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    lists = [value for key, value in pairs if key.value == "interactions"]
    return [entry.start_mark.line + 1 for found in lists for entry in found.value]


def _read(item: Any) -> Interaction:
    request, response = item["request"], item["response"]
    return Interaction(
        id=_text(item, "id"),
        key=_text(item, "key"),
        variant=Variant(item["variant"]),
        recorded_at=datetime.fromisoformat(_text(item, "recorded")).timestamp(),
        upstream=_text(item, "upstream"),
        request=Request(
            method=_text(request, "method"),
            target=_text(request, "target"),
            content_type=request.get("content-type", _JSON_TYPE),
            body=_body_in(request, "compact"),
        ),
        response=Response(
            status=_number(response, "status"),
            headers=_headers_in(response.get("headers", {})),
            frames=tuple(_frames_in(response)),
        ),
        redacted=_number(item, "redacted") if "redacted" in item else 0,
    )


def _text(holder: Any, key: str) -> str:
    value = holder[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} must be text, not {value!r}")
    return value


def _number(holder: Any, key: str) -> int:
    value = holder[key]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{key} must be a whole number, not {value!r}")
    return value


def _headers_in(headers: Any) -> Headers:
    pairs = headers.items() if isinstance(headers, dict) else headers
    return tuple((str(key), str(value)) for key, value in pairs)


def _body_in(holder: Any, style: str) -> bytes:
    if "json" in holder:
        value = holder["json"]
        return compact(value) if style == "compact" else render(value, style).encode()
    if "text" in holder:
        return _text(holder, "text").encode()
    return base64.b64decode(_text(holder, "base64")) if "base64" in holder else b""


def _frames_in(response: Any) -> Iterator[Frame]:
    style = response.get("style", "compact")
    if "frames" not in response:
        yield Frame(_number(response, "took"), _body_in(response, style))
        return
    template = _Template(response.get("chunk", ""), style)
    for entry in response["frames"]:
        match entry:
            case [int(ms), dict(delta)] if _DELTA in template.text:
                yield Frame(ms, f"{template.fill(delta)}\n\n".encode())
            case [int(ms), str(text)]:
                yield Frame(ms, f"{text}\n\n".encode())
            case [int(ms), "exact", str(text)]:
                yield Frame(ms, text.encode())
            case [int(ms), "base64", str(text)]:
                yield Frame(ms, base64.b64decode(text))
            case _:
                raise ValueError(f"frame {compact(entry).decode()[:60]} has no known form")


def _time_text(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
