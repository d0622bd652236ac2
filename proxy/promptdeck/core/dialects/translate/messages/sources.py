"""Images and files as Anthropic takes them: blocks that have or name their source.

Nothing is fetched: what is behind a URL is Anthropic's to get.
"""

import base64
import binascii
from urllib.parse import unquote_to_bytes

from promptdeck.core.dialects.translate.aim import Untranslatable
from promptdeck.core.dialects.translate.neutral import Paper, Picture
from promptdeck.core.text.jsontext import JSONObject

_PICTURES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_PDF = "application/pdf"


def picture(part: Picture, path: str) -> JSONObject:
    """The block of an image. Untranslatable for a kind that is not taken."""
    return {"type": "image", "source": _picture(part.url, part.mime, path)}


def _picture(url: str, mime: str, path: str) -> JSONObject:
    if url.startswith("data:"):
        kind, data = _data(url, path)
        kind = _kind(kind or mime)
        if kind not in _PICTURES:
            raise Untranslatable(f"Anthropic takes no {kind or 'such image'}", param=path)
        return {"type": "base64", "media_type": kind, "data": base64.b64encode(data).decode()}
    return _elsewhere(url, path)


def paper(part: Paper, path: str) -> JSONObject:
    """The block of a file. Untranslatable for a kind that is not taken."""
    if part.id:
        source: JSONObject = {"type": "file", "file_id": part.id}
    elif not part.url.startswith("data:"):
        source = _elsewhere(part.url, path)
    else:
        kind, data = _data(part.url, path)
        kind = _kind(kind or part.mime)
        if kind.startswith("image/"):
            return {"type": "image", "source": _picture(part.url, part.mime, path)}
        if kind == _PDF:
            data_of = base64.b64encode(data).decode()
            source = {"type": "base64", "media_type": _PDF, "data": data_of}
        elif kind.startswith("text/"):
            text = data.decode("utf-8", "replace")
            source = {"type": "text", "media_type": "text/plain", "data": text}
        else:
            raise Untranslatable(f"Anthropic takes no {kind or 'such file'}", param=path)
    return {"type": "document", "source": source, **({"title": part.name} if part.name else {})}


def _kind(mime: str) -> str:
    """A media type by its right name, without parameters."""
    kind = mime.partition(";")[0].strip().lower()
    return "image/jpeg" if kind == "image/jpg" else kind


def _elsewhere(url: str, path: str) -> JSONObject:
    if url.startswith(("http://", "https://")):
        return {"type": "url", "url": url}
    if not url or "://" in url:
        raise Untranslatable(f"Anthropic cannot fetch {url[:80] or 'nothing'}", param=path)
    return {"type": "file", "file_id": url}


def _data(url: str, path: str) -> tuple[str, bytes]:
    """The media type and the bytes of a data URL (RFC 2397)."""
    head, comma, data = url[len("data:") :].partition(",")
    kind, marked, rest = head.rpartition(";base64")
    unread = Untranslatable("this data URL cannot be read", param=path)
    if not comma:
        raise unread
    try:
        if marked and not rest:
            # What servers take: no line ends, padding or not, the alphabet of URLs too.
            text = "".join(unquote_to_bytes(data).decode("ascii").split()).translate(_URL_SAFE)
            return kind, base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        return head, unquote_to_bytes(data)
    except (binascii.Error, ValueError):
        raise unread from None


_URL_SAFE = {ord("-"): "+", ord("_"): "/"}
