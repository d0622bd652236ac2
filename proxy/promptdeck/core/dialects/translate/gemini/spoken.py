"""Single parts of contents: media, what a function returned, ids of calls."""

import json  # noqa: TID251  orjson alters numbers beyond 64 bits, and refuses half an emoji
import re
from typing import NoReturn

import xxhash

from promptdeck.core.dialects.translate.aim import Untranslatable
from promptdeck.core.dialects.translate.neutral import Paper, Picture, Sound, ToolResult, Words
from promptdeck.core.text.jsontext import JSON, JSONObject, Unfaithful, parse

# By the ends of names and URLs, as far as clients say no type.
_MIMES = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "heic": "image/heic",
    "heif": "image/heif",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "mp4": "video/mp4",
    "wav": "audio/wav",
    "mp3": "audio/mp3",
}
# What people write, and Google does not know.
_RENAMED = {"image/jpg": "image/jpeg"}
_YOUTUBE = ("https://www.youtube.com/", "https://youtube.com/", "https://youtu.be/")

_MADE = "call_pd"


def made_id(answer: str, choice: int, number: int) -> str:
    """An id for a call that Google gave none: the same each time, another for each call."""
    return f"{_MADE}{digest(f'{answer}/{choice}/{number}')}"


def digest(text: str) -> str:
    """A short name for a text: 16 hexadecimal digits."""
    return xxhash.xxh64_hexdigest(text.encode("utf-8", "surrogatepass"))


def is_made_id(name: str) -> bool:
    """True for an id that `made_id` made: Google does not know it."""
    return name.startswith(_MADE) and len(name) == len(_MADE) + 16


# "Invalid function name. Must start with a letter or an underscore", says Google; other providers
# take `2fa` and `-x` as well.
_ODD = re.compile(r"_*[0-9-]")


def function_name(name: str) -> str:
    """A function's name as Google takes it: with an underscore before what must not be first.

    So has one that begins so already: `called_name` takes it off again.
    """
    return f"_{name}" if _ODD.match(name) else name


def called_name(name: str) -> str:
    """The name by which the client knows the function that Google calls so."""
    return name[1:] if name.startswith("_") and _ODD.match(name) else name


def media_of(part: Picture | Sound | Paper, path: str) -> JSONObject:
    """An image, audio or file as a part. Untranslatable where it is known by another's id only."""
    if isinstance(part, Sound):
        return _inline(f"audio/{part.format}", part.data)
    name = part.name if isinstance(part, Paper) else ""
    if part.url.startswith("data:"):
        head, _, data = part.url[len("data:") :].partition(",")
        kind, *more = head.split(";")
        if "base64" not in more:
            raise Untranslatable(f"{path}: a data URL must be base64", param=path)
        return _inline(kind or part.mime or _mime(name), data)
    url = part.url or _held_at(part.id if isinstance(part, Paper) else "")
    if not url:
        raise Untranslatable(f"{path}: Google does not have this file", param=path)
    mime = part.mime or _mime(url.partition("?")[0]) or _mime(name)
    if not mime:
        mime = "video/mp4" if url.startswith(_YOUTUBE) else ""
    if not mime and isinstance(part, Picture):
        mime = "image/jpeg"  # Google looks at the bytes, but wants some type
    held = {"mimeType": _RENAMED.get(mime, mime)} if mime else {}
    return {"fileData": {"fileUri": url, **held}}


def _held_at(name: str) -> str:
    """Where a file is that Google knows by this id; nothing for another provider's."""
    if name.startswith("files/"):
        return f"https://generativelanguage.googleapis.com/v1beta/{name}"
    return name if name.startswith(("https://", "http://", "gs://")) else ""


def _inline(mime: str, data: str) -> JSONObject:
    return {"inlineData": {"mimeType": _RENAMED.get(mime, mime), "data": data}}


def _mime(name: str) -> str:
    return _MIMES.get(name.rpartition(".")[2].lower(), "")


def returned(result: ToolResult, name: str, path: str, *, within: bool) -> list[JSONObject]:
    """The result of a call to the function of this name, as parts.

    Media are `within` the result where the model takes them there, else they follow it.
    """
    text = "".join(part.text for part in result.parts if isinstance(part, Words))
    told: JSONObject = {
        "name": function_name(name),
        "response": _response(text, failed=result.failed),
    }
    if result.id and not is_made_id(result.id):
        told = {"id": result.id, **told}
    media = [
        media_of(part, path) for part in result.parts if isinstance(part, Picture | Sound | Paper)
    ]
    if media and within:
        return [{"functionResponse": told | {"parts": media}}]
    return [{"functionResponse": told}, *media]


def _response(text: str, *, failed: bool) -> JSONObject:
    """What a function returned, as the object that it must be."""
    if failed:
        return {"error": text}
    try:
        value = exact(text) if text.lstrip().startswith("{") else text
    except Unfaithful:
        value = text
    return value if isinstance(value, dict) else {"output": text}


def exact(text: str) -> JSON:
    """The value of JSON text with its numbers as they are. Unfaithful where it is no JSON."""
    try:
        return parse(text)
    except (Unfaithful, UnicodeEncodeError):
        pass
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Unfaithful(str(error)) from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
