"""Recordings as an HTTP archive (HAR 1.2), for browsers' network panels and other tools.

HAR knows neither binary requests, nor the times of a stream's frames, nor where
a base URL ends: these stand in `_encoding`, in the content's comment and in
`_target`, and `har` reads them back.
"""

import base64
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

from promptdeck import __version__
from promptdeck.core.interaction import Headers, Interaction, Request, Response
from promptdeck.core.targets import below
from promptdeck.core.text.jsontext import JSON
from promptdeck.core.varying import UNTOLD


def archive(interactions: Iterable[Interaction]) -> dict[str, JSON]:
    """A whole HAR with an entry for each recording, ready to be written as JSON."""
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "promptdeck", "version": __version__},
            "entries": [_entry(item) for item in interactions],
        }
    }


def _entry(item: Interaction) -> dict[str, JSON]:
    response = item.response
    first = response.frames[0].offset_ms if response.frames else 0
    return {
        "startedDateTime": _time_text(item.recorded_at),
        "time": response.took_ms,
        "request": _request(item.upstream, item.request),
        "response": _response(response),
        "cache": {},
        "timings": {"send": 0, "wait": first, "receive": max(0, response.took_ms - first)},
        "comment": item.id,
    }


def _time_text(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, with milliseconds."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def _request(upstream: str, request: Request) -> dict[str, JSON]:
    url = below(upstream, request.target)
    type_ = (("content-type", request.content_type),) if request.content_type else ()
    return {
        "method": request.method,
        "url": url,
        "_target": request.target,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _headers((*type_, *_selecting(request.selecting))),
        "queryString": [
            {"name": name, "value": value}
            for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True)
        ],
        **({"postData": _post(request)} if request.body else {}),
        # Of the format, for what is not known (HAR 1.2, request).
        "headersSize": -1,
        "bodySize": len(request.body),
    }


def _selecting(headers: Headers) -> Headers:
    """The headers that selected an answer, as a client sends them; empty where nobody knows.

    Who sent none took anything (RFC 9110, 12.5.1), which is told from what is not known.
    """
    if headers == UNTOLD:
        return ()
    return (
        headers if any(name == "accept" for name, _ in headers) else (*headers, ("accept", "*/*"))
    )


def _post(request: Request) -> dict[str, JSON]:
    return {"mimeType": request.content_type, **_text(request.body, "_encoding")}


def _response(response: Response) -> dict[str, JSON]:
    return {
        "status": response.status,
        "statusText": "",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _headers(response.headers),
        "content": {
            "size": len(response.body),
            "mimeType": response.content_type,
            **_text(response.body, "encoding"),
            **_offsets(response),
        },
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": -1,
    }


def _headers(headers: Headers) -> list[JSON]:
    return [{"name": name, "value": value} for name, value in headers]


def _text(body: bytes, encoding: str) -> dict[str, JSON]:
    """A body as `text`; as base64 where it is none, which the key `encoding` then says."""
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"text": base64.b64encode(body).decode(), encoding: "base64"}


def _offsets(response: Response) -> dict[str, JSON]:
    """The times of a stream's frames as a comment, which `har` reads back."""
    if not response.is_stream or not response.frames:
        return {}
    moments = " ".join(str(frame.offset_ms) for frame in response.frames)
    return {"comment": f"frames at {moments} ms"}
