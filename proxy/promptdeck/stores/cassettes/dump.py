"""One interaction written as a piece of YAML that a reviewer can read, losing no byte.

What writes itself again exactly is kept as structure with its JSON style; what
does not, as verbatim text; what is not UTF-8, as base64. `dump` reads back what
it wrote and falls back a step until nothing is lost.

A stream is kept as one line a frame. Where several share all but their delta, that is
written once, as `chunk`, and each line has its delta alone: `load` lists the forms.

The last line holds the digests: so that no text's last line end hangs on the file's.
"""

import base64
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from xxhash import xxh3_128_hexdigest

from promptdeck.core.dialects.table import says
from promptdeck.core.interaction import Frame, Headers, Interaction, Response
from promptdeck.core.text.jsontext import JSON, Unfaithful, compact, parse, render, style_of
from promptdeck.core.text.octets import as_json
from promptdeck.core.text.yamltext import block
from promptdeck.errors import CassetteError

from .digests import digests_of
from .load import DELTA, JSON_TYPE, VERSION, Template, entries, load

HEADER = (
    "# promptdeck cassette: model calls recorded once, replayed for ever.\n"
    f"promptdeck: {VERSION}\n"
    "interactions:\n"
)


def header_with(section: JSON) -> str:
    """What stands above a file's recordings: with the section `match`, or None for none."""
    if section is None:
        return HEADER
    return HEADER.replace("interactions:", f"{section_text(section)}interactions:")


def section_text(section: JSON) -> str:
    """The section `match` as it is written above the recordings."""
    return "".join(f"{line}\n" for line in block({"match": section}))


class Richness(NamedTuple):
    """How readable an interaction is written; `dump` tries the most readable first."""

    structure: bool
    """JSON as YAML, frames by a template."""
    text: bool
    """UTF-8 as text."""


FORMS = (Richness(True, True), Richness(False, True), Richness(False, False))


def dump(interaction: Interaction) -> str:
    """The text of one interaction, an item of the file's list, ending with a line's end.

    CassetteError if no form keeps it exactly.
    """
    for form in FORMS:
        try:
            text = written(interaction, form)
            if reads_back(text, interaction):
                return text
        # A head can hold text that stands for no bytes, bodies a depth that is no YAML of ours;
        # times before the year 1 are none.
        except (CassetteError, ValueError, TypeError, OverflowError, RecursionError):
            continue
    raise CassetteError(f"recording {interaction.id} cannot be written as YAML without loss")


def written(
    interaction: Interaction,
    form: Richness,
    template: "Template | None" = None,
    told: str | None = None,
) -> str:
    """The item of an interaction in one form, whether it can be read back or not.

    `template` and `told`, the text for people, are found out where they are not given.
    """
    if told is None:
        told = told_by(interaction)
    return "\n".join([*block([_plain(interaction, form, template, told)]), ""])


LARGE = 4 * 1024 * 1024
"""Bytes of an answer from which `large` writes it, a part at a time.

Of less `written` takes ten times the size, which is no more than a large one may take."""


def is_large(interaction: Interaction) -> bool:
    """True for one that `large` writes."""
    return sum([len(data) for _, data in interaction.response.frames]) > LARGE


def told_by(interaction: Interaction) -> str:
    """The text for people of an answer in frames; empty where there is none, and of a large one.

    To put one together takes ten times its size, and nobody reads that far.
    """
    streamed = as_stream(interaction.response)
    return says(interaction) if streamed and not is_large(interaction) else ""


_LARGE = 256 * 1024
"""Characters of a text whose data is left out where it is read back."""
# Base64, mostly: what any reader of YAML gives back as it is, and 64 characters of as well as all.
_DATA = re.compile(r"(?<![\w/+-])([\w/+-]{64})[\w/+-]{4000,}+", re.ASCII)


def reads_back(text: str, interaction: Interaction) -> bool:
    """True if an item's text is read as the interaction that it was made of.

    To read an image of 16 MB takes six times that, and a second in which no other thread runs.
    So digests stand for data, here and there alike; where that proves nothing, all is read.
    """
    if len(text) > _LARGE and _DATA.search(text):
        request, response = interaction.request, interaction.response
        frames = tuple(Frame(ms, _without_data(data)) for ms, data in response.frames)
        wanted = interaction._replace(
            request=request._replace(body=_without_data(request.body)),
            response=Response(response.status, response.headers, frames),
        )
        told = _told(told_by(interaction))
        [found] = entries(HEADER + _told(text))
        if found.interaction == wanted and (found.says or "") == told:
            return True
    return load(HEADER + text) == [interaction]


def _without_data(body: bytes) -> bytes:
    """A body with a digest in the place of each long run of data in it."""
    return _told(body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _told(text: str) -> str:
    """A text with a digest in the place of each long run of data in it."""
    return _DATA.sub(lambda found: found[1] + xxh3_128_hexdigest(found[0].encode()), text)


def _plain(
    interaction: Interaction, form: Richness, template: "Template | None", told: str
) -> dict[str, JSON]:
    """The item as a JSON value, its keys in the order in which they are written."""
    request, response = interaction.request, interaction.response
    streamed = as_stream(response)
    return {
        "id": interaction.id,
        "key": interaction.key,
        "recorded": _time_text(interaction.recorded_at),
        "upstream": interaction.upstream,
        "variant": str(interaction.variant),
        **({"redacted": interaction.redacted} if interaction.redacted else {}),
        "request": {
            "method": request.method,
            "target": as_json(request.target),
            **_type_out(request.content_type),
            **_headers_out(request.selecting),
            **_request_body(request.body, form),
        },
        "response": {
            "status": response.status,
            **_headers_out(response.headers),
            **(_stream(response, told, form, template) if streamed else _answer(response, form)),
        },
        "digest": str(digests_of(interaction, told)),
    }


def _type_out(content_type: str) -> dict[str, JSON]:
    """A request's content type under its key; empty for the usual one."""
    return {} if content_type == JSON_TYPE else {"content-type": as_json(content_type)}


def _request_body(body: bytes, form: Richness) -> dict[str, JSON]:
    """A request's body under one key; `json` where it is compact JSON. Empty for none."""
    if form.structure:
        try:
            value = parse(body)
        except Unfaithful:
            pass
        else:
            if compact(value) == body:
                return {"json": value}
    return _verbatim(body, form) if body else {}


def _verbatim(body: bytes, form: Richness) -> dict[str, JSON]:
    """A body as `text` or, where that is not UTF-8 or not wanted, as `base64`."""
    if form.text:
        try:
            return {"text": body.decode()}
        except UnicodeDecodeError:
            pass
    return {"base64": base64.encodebytes(body).decode().removesuffix("\n")}


def _headers_out(headers: Headers) -> dict[str, JSON]:
    """Headers as a mapping, or as a list of pairs where a name stands twice."""
    if not headers:
        return {}
    named = {name: as_json(value) for name, value in headers}
    if len(named) == len(headers):
        return {"headers": named}
    return {"headers": [[as_json(part) for part in item] for item in headers]}


def as_stream(response: Response) -> bool:
    """True if a response is written frame by frame: a stream, or what is not of one frame."""
    return response.is_stream or len(response.frames) != 1


def _answer(response: Response, form: Richness) -> dict[str, JSON]:
    """Time and body of a response of one frame, which stand beside status and headers."""
    [frame] = response.frames
    return {"took": frame.offset_ms, **_answer_body(frame.data, form)}


def _answer_body(body: bytes, form: Richness) -> dict[str, JSON]:
    """An answer's body under one key; `json` where a style writes it as it is, which is named."""
    if form.structure:
        try:
            text, value = body.decode(), parse(body)
        except ValueError:
            pass
        else:
            if style := style_of(text, value):
                return {**({} if style == "compact" else {"style": style}), "json": value}
    return _verbatim(body, form)


def _stream(
    response: Response, told: str, form: Richness, template: "Template | None"
) -> dict[str, JSON]:
    """Text for people, template and frames of a stream, which stand beside status and headers."""
    template = template or (template_of(response.frames) if form.structure else None)
    return {
        **({"says": told} if told else {}),
        **({} if template is None or template.style == "compact" else {"style": template.style}),
        **({} if template is None else {"chunk": template.text}),
        "frames": [
            [ms, *_frame_out(data, template if form.structure else None, form)]
            for ms, data in response.frames
        ],
    }


def template_of(frames: Sequence[Frame]) -> Template | None:
    """The first template that two frames have; None where no two share one."""
    seen: set[Template] = set()
    for _, data in frames:
        if template := _with_delta(data):
            if template in seen:
                return template
            seen.add(template)
    return None


def _with_delta(data: bytes) -> Template | None:
    """A frame with a place in it for its delta; None where it has none or not in plain sight."""
    delta, text = _delta(data)
    if delta is None or DELTA in text:
        return None
    for style in ("compact", "spaced", "compact ascii", "spaced ascii"):
        head, colon = '"delta":', " " if style.startswith("spaced") else ""
        filled = head + colon + render(delta, style)
        if text.count(filled) == 1:
            return Template(text.replace(filled, head + colon + DELTA), style)
    return None


def _delta(data: bytes) -> tuple[JSON, str]:
    """The first choice's delta of a frame `data: {...}`, and the frame's text.

    None and an empty text where it is no such frame.
    """
    try:
        text = data.decode().removesuffix("\n\n")
        value = parse(text.removeprefix("data:"))
        delta = value["choices"][0]["delta"]
    except (ValueError, TypeError, LookupError):
        return None, ""
    return (delta, text) if isinstance(delta, dict) else (None, "")


def _frame_out(data: bytes, template: Template | None, form: Richness) -> list[JSON]:
    """A frame but for its milliseconds, in the first of the forms that gives it back."""
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


def _time_text(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
