"""The OpenAPI 3.1 document of what promptdeck serves, with the shapes that requests are judged by.

What a path takes and answers is written here by hand; `tests/core/contract`
holds that every path is served and every example is sound.
"""

from typing import Any

from . import answers, examples
from .request import body_shape
from .schema import JSONSchema

_JSON = "application/json"
_SSE = "text/event-stream"

_ABOUT = """\
promptdeck stands between a program and its model: it records each answer once and replays it. \
It speaks the chat completions API of OpenAI and Dedalus, so the clients of both work with it \
unchanged.

Types are enforced. Ranges and values that are only documented are not: what is odd comes back in \
a `Warning` header, and is refused where `contract.strict` is set. Unknown fields pass. In \
passthrough mode upstream alone judges, and its errors pass as they came.

Any other path below `/v1/` takes the general way: its requests are not checked, and are recorded \
and replayed as they are, multipart and binary bodies too. `/cassette/NAME/v1/...` is the same \
server bound to cassette NAME.\
"""

_TAGS = {
    "chat": "Chat completions",
    "deferred": "Answers collected later",
    "stored": "Completions asked for with `store: true`",
    "models": "What can answer",
    "deck": "promptdeck itself",
}


def document(version: str) -> dict[str, Any]:
    """The whole document, as `/openapi.json` serves it, for this version of promptdeck."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "promptdeck",
            "version": version,
            "summary": "Chat completions, recorded once and replayed for ever.",
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "This server."}],
        "security": [{}, {"bearer": []}, {"apiKey": []}],
        "tags": [{"name": name, "description": about} for name, about in _TAGS.items()],
        "paths": _PATHS,
        "components": {"schemas": _shapes(), "securitySchemes": _SECURITY},
    }


def page() -> str:
    """The document as a page of HTML that loads nothing from outside."""
    # Only whoever looks at the page needs it.
    from .page import render

    return render(document(""))


def _shapes() -> dict[str, JSONSchema]:
    """All shapes that have a name, by it, the request's body first."""
    shapes: dict[str, JSONSchema] = {"ChatCompletionRequest": {}}
    shapes["ChatCompletionRequest"] = body_shape(shapes)
    for schema in (
        answers.COMPLETION,
        answers.CHUNK,
        answers.DEFERRED,
        answers.COMPLETIONS,
        answers.STORED_MESSAGES,
        answers.DELETED,
        answers.MODELS,
        answers.ERROR,
    ):
        schema.shape(shapes)
    return shapes


# What paths are made of


def _ref(name: str) -> JSONSchema:
    """A reference to the shape of this name."""
    return {"$ref": f"#/components/schemas/{name}"}


def _operation(tag: str, name: str, summary: str, **more: Any) -> dict[str, Any]:
    """One method of a path; `name` is that of the function in clients made of the document."""
    return {"tags": [tag], "operationId": name, "summary": summary, **more}


def _json(description: str, schema: JSONSchema, **more: Any) -> dict[str, Any]:
    """An answer whose body is JSON of this schema; `more` stands beside it, such as an example."""
    return {"description": description, "content": {_JSON: {"schema": schema, **more}}}


def _body(schema: JSONSchema, **more: Any) -> dict[str, Any]:
    """A request's body, JSON of this schema; `more` stands beside it, such as an example."""
    return {"required": True, "content": {_JSON: {"schema": schema, **more}}}


def _failure(description: str, code: str = "", **more: Any) -> dict[str, Any]:
    """An error's answer, with the example of that code; `more` stands beside its content."""
    example = {"example": examples.error(code)} if code else {}
    return {**_json(description, _ref("Error"), **example), **more}


def _parameter(place: str, name: str, about: str, **schema: Any) -> dict[str, Any]:
    """A string in the header, query or path of a request; `schema` narrows or changes its type."""
    return {
        "in": place,
        "name": name,
        "description": about,
        "schema": {"type": "string", **schema},
        **({"required": True} if place == "path" else {}),
    }


def _header(about: str) -> dict[str, Any]:
    """A header of an answer."""
    return {"description": about, "schema": {"type": "string"}}


_SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The provider's key goes upstream and is kept nowhere.",
    },
    "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}
_REQUEST_HEADERS = [
    _parameter(
        "header",
        "Cache-Control",
        "`no-cache` asks upstream anew, `no-store` keeps no answer, `only-if-cached` never asks "
        "upstream, `max-age` limits how old an answer may be. Replay stays offline.",
    ),
    _parameter(
        "header",
        "Idempotency-Key",
        "The same key with the same body gets the first answer, for a day.",
    ),
    _parameter("header", "X-Provider", "Choose the upstream for this request, and keep it secret."),
    _parameter("header", "X-Provider-Key", "The key for that provider."),
    _parameter("header", "X-Provider-Model", "The model under that provider's name."),
    _parameter("header", "X-Request-Id", "Names the request in the log and in the answer."),
]
_RESPONSE_HEADERS = {
    "Cache-Status": _header("RFC 9211: whether the answer is recorded, and why it was asked for."),
    "Age": _header("Seconds since a recorded answer was recorded."),
    "Warning": _header("What is odd about the request and not refused."),
    "X-Request-Id": _header("Names the request in the log."),
}
_NO_RETRY = {"headers": {"x-should-retry": _header("`false`: asking again will not help.")}}
_PAGING = [
    _parameter("query", "after", "The last id of the page before."),
    _parameter("query", "limit", "How many, from 1 to 100.", type="integer", default=20),
    _parameter("query", "order", "By age.", enum=["asc", "desc"], default="asc"),
]
_METADATA = {
    "in": "query",
    "name": "metadata",
    "description": "Only those with these labels: `metadata[topic]=geography`.",
    "style": "deepObject",
    "explode": True,
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
}
_BAD = _failure("The request is not as it should be.")
_NONE = _failure("There is none.", "not_found")
_COMPLETION = {"200": _json("The completion.", _ref("ChatCompletion")), "404": _NONE}
_REPORT = {
    "200": _json(
        "What was played, missed and recorded since the start.",
        {
            "type": "object",
            "properties": {
                "cassette": {"type": "string"},
                "played": {"type": "object", "additionalProperties": {"type": "integer"}},
                "unplayed": {"type": "array", "items": {"type": "string"}},
                "missed": {"type": "array", "items": {"type": "object"}},
                "recorded": {"type": "array", "items": {"type": "string"}},
            },
        },
    ),
    "400": _failure("The name is none that a cassette may have."),
    "404": _failure("There is no such cassette."),
}
_HEALTH = {
    "200": _json(
        "It runs.",
        {"type": "object", "properties": {"status": {"const": "ok"}}, "required": ["status"]},
    )
}
_CASSETTE = _parameter("path", "name", "Of a cassette; may hold slashes.")
_STORED = _parameter("path", "completion_id", "As listed.")

_CREATED = {
    "200": {
        "description": (
            "The answer as JSON, or with `stream: true` as server-sent events: bare `data:` lines "
            "of one chunk each, then `data: [DONE]`. What goes wrong on the way comes as "
            "`event: error`. "
            "With `deferred: true` and no stream, the id to collect it under."
        ),
        "headers": _RESPONSE_HEADERS,
        "content": {
            _JSON: {
                "schema": {"anyOf": [_ref("ChatCompletion"), _ref("DeferredCompletion")]},
                "example": examples.COMPLETION,
            },
            _SSE: {
                # No `schema`: one of OpenAPI 3.1 would be of the stream as one text, and readers of
                # 3.2 take it for one of each event, whose data need not be JSON (`[DONE]`).
                "x-event": _ref("ChatCompletionChunk"),
                "example": examples.STREAM,
            },
        },
    },
    "400": _failure(
        "The request breaks the contract, or in replay there is no recording; `details` has all"
        " of it, or what differs.",
        "invalid_request",
        **_NO_RETRY,
    ),
    "409": _failure(
        "This Idempotency-Key came with another request.", "idempotency_key_reused", **_NO_RETRY
    ),
    "413": _failure("The body is larger than `server.max_body`.", "too_large"),
    "502": _failure("Upstream cannot be reached, or broke off.", "upstream_unreachable"),
    "503": _failure("Recordings cannot be read.", "store_unavailable"),
    "504": _failure(
        "Upstream took too long, or nothing is recorded and `only-if-cached`.", "upstream_timeout"
    ),
}

_PATHS: dict[str, Any] = {
    "/v1/chat/completions": {
        "post": _operation(
            "chat",
            "createChatCompletion",
            "Answer a conversation",
            parameters=_REQUEST_HEADERS,
            requestBody=_body(
                _ref("ChatCompletionRequest"),
                examples={name: {"value": value} for name, value in examples.REQUESTS.items()},
            ),
            responses=_CREATED,
        ),
        "get": _operation(
            "stored",
            "listChatCompletions",
            "List stored completions",
            parameters=[*_PAGING, _parameter("query", "model", "Only of this model."), _METADATA],
            responses={"200": _json("A page.", _ref("ChatCompletionList")), "400": _BAD},
        ),
    },
    "/v1/chat/completions/{completion_id}": {
        "parameters": [_STORED],
        "get": _operation(
            "stored", "getChatCompletion", "Read a stored completion", responses=_COMPLETION
        ),
        "post": _operation(
            "stored",
            "updateChatCompletion",
            "Replace the metadata of a stored completion",
            requestBody=_body(
                {
                    "type": "object",
                    "properties": {
                        "metadata": {"type": "object", "additionalProperties": {"type": "string"}}
                    },
                    "required": ["metadata"],
                },
                example={"metadata": {"topic": "geography"}},
            ),
            responses={**_COMPLETION, "400": _BAD},
        ),
        "delete": _operation(
            "stored",
            "deleteChatCompletion",
            "Delete a stored completion",
            responses={"200": _json("It is gone.", _ref("ChatCompletionDeleted")), "404": _NONE},
        ),
    },
    "/v1/chat/completions/{completion_id}/messages": {
        "parameters": [_STORED],
        "get": _operation(
            "stored",
            "listChatCompletionMessages",
            "List the messages that a stored completion answers",
            parameters=_PAGING,
            responses={
                "200": _json("A page.", _ref("StoredMessageList")),
                "400": _BAD,
                "404": _NONE,
            },
        ),
    },
    "/v1/chat/deferred-completion/{request_id}": {
        "parameters": [_parameter("path", "request_id", "As answered to `deferred: true`.")],
        "get": _operation(
            "deferred",
            "getDeferredCompletion",
            "Collect a deferred completion, once and within a day",
            responses={
                "200": _json("The completion.", _ref("ChatCompletion")),
                "202": {"description": "Not yet there; the body is empty."},
                "404": _failure("It never was, was collected, or is a day old.", "not_found"),
                "410": _failure("It was lost when promptdeck stopped.", "deferred_lost"),
            },
        ),
    },
    "/v1/models": {
        "get": _operation(
            "models",
            "listModels",
            "List models: upstream's, or in replay those of the recordings",
            responses={"200": _json("All of them.", _ref("ModelList"))},
        )
    },
    "/v1/models/{model}": {
        "parameters": [_parameter("path", "model", "May hold a slash, as in `openai/gpt-5`.")],
        "get": _operation(
            "models",
            "getModel",
            "Describe a model",
            responses={"200": _json("The model.", _ref("Model")), "404": _NONE},
        ),
    },
    "/health": {"get": _operation("deck", "health", "Say that it runs", responses=_HEALTH)},
    "/_deck/health": {
        "get": _operation("deck", "deckHealth", "Tell version, mode and counts", responses=_HEALTH)
    },
    "/_deck/cassettes/{name}/report": {
        "parameters": [_CASSETTE],
        "get": _operation(
            "deck", "report", "Tell what a cassette was asked for", responses=_REPORT
        ),
    },
    "/_deck/cassettes/{name}/rewind": {
        "parameters": [_CASSETTE],
        "post": _operation(
            "deck", "rewind", "Play a cassette from its start again", responses=_REPORT
        ),
    },
}
