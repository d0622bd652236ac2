"""Ollama's own protocol: `/api/chat`, `/api/generate`.

https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from promptdeck.core.text.jsontext import JSONObject
from promptdeck.errors import HTTPError

from .base import Model, values_of


class OllamaDialect(Model):
    """An answer, or a stream's last line, says `done`. A stream has a line of JSON for each piece.

    It is what comes where nobody says `stream: false`.
    """

    whole = "its last line says `done`"
    lists = ("messages", "tools")

    def error(self, error: HTTPError, request_id: str = "") -> JSONObject:
        told = super().error(error, request_id)
        return {**told, "error": error.message}

    def _problem_with_body(self, kind: str, body: bytes) -> str | None:
        problem = super()._problem_with_body(kind, body)
        last = values_of(body)[-1:]
        done = not last or (isinstance(last[0], dict) and last[0].get("done") is True)
        return problem if problem or done else "its last line does not say `done`"


OLLAMA = OllamaDialect("ollama")
