"""Exchanges as other tools write them, and what promptdeck makes of their files."""

import gzip

import orjson

from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text import sse
from promptdeck.imports import Imported, NotCarried, carry, read
from tests.recordings import THEN, chunk, completion

URL = "https://api.openai.com/v1/chat/completions"
STREAM = b"".join(
    [
        *(sse.encode(orjson.dumps(chunk(delta))) for delta in ({"content": "Hé"}, {})),
        sse.encode(orjson.dumps(chunk({}, "stop"))),
        b"data: [DONE]\n\n",
    ]
)


def prompt(text="hi", **body):
    messages = [{"role": "user", "content": text}]
    return orjson.dumps({"model": "m", "messages": messages, **body}).decode()


def answer(text="Hé"):
    return orjson.dumps(completion(text)).decode()


def packed(text):
    return gzip.compress(text.encode(), mtime=0)


def imported(path, content, form="auto"):
    """What the front makes of a file with this content."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read(path, form))


def carried(found, redactor=None, *, errors=False):
    """What would be saved of it, in order."""
    return [
        item if isinstance(item, NotCarried) else _carry(item, redactor, errors) for item in found
    ]


def _carry(item, redactor, errors):
    made = carry(item, redactor or Redactor(), otherwise=THEN, errors=errors)
    return made if isinstance(made, NotCarried) else made.interaction


def plain_entry(**changes):
    """A plain one, as a reader makes it."""
    plain = Imported(
        place="1",
        method="POST",
        url=URL,
        request_headers=(("content-type", "application/json"),),
        body=prompt().encode(),
        status=200,
        headers=(("content-type", "application/json"),),
        frames=(),
    )
    return plain._replace(**changes)
