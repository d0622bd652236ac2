"""Ollama's own protocol: `/api/chat`, `/api/generate`.

https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from promptdeck.core.interaction import Response
from promptdeck.core.text.jsontext import JSON, JSONObject
from promptdeck.errors import HTTPError

from .base import Model, values_of
from .pieces import as_list, as_object, called, labelled, objects_in, whole_characters


class OllamaDialect(Model):
    """An answer, or a stream's last line, says `done`. A stream has a line of JSON for each piece.

    It is what comes where nobody says `stream: false`.
    """

    whole = "its last line says `done`"
    lists = ("messages", "tools")

    def says(self, response: Response) -> str:
        pieces = objects_in([values_of(response.body)])
        # Of `/api/chat` in a message, of `/api/generate` at the top.
        said = [as_object(piece.get("message")) or piece for piece in pieces]
        thoughts, texts, results = (
            "".join([text for one in said if isinstance(text := one.get(key), str)])
            for key in ("thinking", "content", "response")
        )
        calls = objects_in(one.get("tool_calls") for one in said)
        lines = [*labelled("reasoning", thoughts), *labelled("", texts + results)]
        return whole_characters("\n".join([*lines, *map(_called, calls)]))

    def turns(self, body: JSON) -> list[tuple[str, str]]:
        asked = as_object(body)
        told = [
            (role, text)
            for key, role in (("system", "system"), ("prompt", "user"))
            if isinstance(text := asked.get(key), str)
        ]
        return told + [_turn(message) for message in objects_in([asked.get("messages")])]

    def error(self, error: HTTPError, request_id: str = "") -> JSONObject:
        told = super().error(error, request_id)
        return {**told, "error": error.message}

    def _problem_with_body(self, kind: str, body: bytes) -> str | None:
        problem = super()._problem_with_body(kind, body)
        last = values_of(body)[-1:]
        done = not last or (isinstance(last[0], dict) and last[0].get("done") is True)
        return problem if problem or done else "its last line does not say `done`"


def _turn(message: JSONObject) -> tuple[str, str]:
    """Who says what in a message of a request."""
    lines = [
        *labelled("reasoning", message.get("thinking")),
        *labelled("", message.get("content")),
        *("[image]" for _ in as_list(message.get("images"))),
        *map(_called, objects_in([message.get("tool_calls")])),
    ]
    return str(message.get("role", "?")), "\n".join(lines)


def _called(call: JSONObject) -> str:
    function = as_object(call.get("function"))
    return called(function.get("name"), function.get("arguments", {}))


OLLAMA = OllamaDialect("ollama")
