"""The OpenAPI 3.1 document of what promptdeck serves, written from the contract."""

from typing import Any

from . import contract_answers as answers
from .contract import body_shape
from .openapi_page import page as _page
from .schema import Schema, Shape

_JSON = "application/json"
_SSE = "text/event-stream"
_CHAT = "/v1/chat/completions"

_ABOUT = """\
promptdeck stands between a program and its model: it records each answer once and replays it. \
It speaks the chat completions API of OpenAI and Dedalus, so the clients of both work with it \
unchanged.

Any other path below `/v1/` takes the general way: the request is recorded and replayed as it is, \
multipart and binary bodies too, and is not checked. `/cassette/NAME/v1/...` is the same server \
bound to cassette NAME.

Types are enforced. Ranges and values that are only documented are not: what is odd comes back in \
a `Warning` header, or is refused where `contract.strict` is set. Unknown fields pass. In \
passthrough mode upstream alone judges, and upstream's errors pass as they came.
"""

_ERRORS = {
    400: ("invalid_request", "The request breaks the contract; `details` lists all that is wrong."),
    404: ("cassette_miss", "Replay has no recording of this request; `details` tells what differs."),
    409: ("idempotency_key_reused", "This Idempotency-Key came with another request before."),
    413: ("too_large", "The body is larger than `server.max_body`."),
    502: ("upstream_unreachable", "Upstream cannot be reached, or broke off."),
    504: ("upstream_timeout", "Upstream took too long, or `only-if-cached` found nothing."),
}


def document(version: str) -> dict[str, Any]:
    """The whole document, as `/openapi.json` serves it."""
    shapes: dict[str, Shape] = {"ChatCompletionRequest": {}}
    shapes["ChatCompletionRequest"] = body_shape(shapes)
    paths = _paths(shapes)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "promptdeck",
            "version": version,
            "summary": "Chat completions, recorded once and replayed for ever.",
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"bearer": []}, {"apiKey": []}],
        "tags": _TAGS,
        "paths": paths,
        "components": {
            "schemas": shapes,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The provider's key: it goes upstream and is kept nowhere.",
                },
                "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


_TAGS = [
    {"name": "chat", "description": "Chat completions"},
    {"name": "deferred", "description": "Answers collected later"},
    {"name": "stored", "description": "Completions asked for with `store: true`"},
    {"name": "models", "description": "What can answer"},
    {"name": "deck", "description": "promptdeck itself"},
]


def page() -> str:
    """The document as a page of HTML that loads nothing from outside."""
    return _page(document(""))


# Paths


def _paths(shapes: dict[str, Shape]) -> dict[str, Any]:
    def of(schema: Schema) -> Shape:
        return schema.shape(shapes)

    errors = {str(status): _failure(status, of(answers.ERROR)) for status in _ERRORS}
    missing = _answer("There is none.", of(answers.ERROR))
    bad_page = {"400": errors["400"]}
    stored = {"200": _answer("The completion.", of(answers.COMPLETION)), "404": missing}
    return {
        _CHAT: {
            "post": _operation(
                "chat",
                "createChatCompletion",
                "Answer a conversation",
                parameters=_REQUEST_HEADERS,
                requestBody={
                    "required": True,
                    "content": {
                        _JSON: {
                            "schema": {"$ref": "#/components/schemas/ChatCompletionRequest"},
                            "examples": {
                                name: {"value": value} for name, value in EXAMPLES.items()
                            },
                        }
                    },
                },
                responses={"200": _completed(of), **errors},
            ),
            "get": _operation(
                "stored",
                "listChatCompletions",
                "List stored completions",
                parameters=[
                    *_PAGING,
                    _parameter("query", "model", "Only those of this model."),
                    _METADATA,
                ],
                responses={"200": _answer("A page of them.", of(answers.COMPLETIONS)), **bad_page},
            ),
        },
        _CHAT + "/{completion_id}": {
            "parameters": [_in_path("completion_id")],
            "get": _operation(
                "stored", "getChatCompletion", "Read a stored completion", responses=stored
            ),
            "post": _operation(
                "stored",
                "updateChatCompletion",
                "Replace a stored completion's metadata",
                requestBody={
                    "required": True,
                    "content": {
                        _JSON: {
                            "schema": {
                                "type": "object",
                                "properties": {"metadata": _LABELS},
                                "required": ["metadata"],
                            },
                            "example": {"metadata": {"topic": "geography"}},
                        }
                    },
                },
                responses=stored | bad_page,
            ),
            "delete": _operation(
                "stored",
                "deleteChatCompletion",
                "Delete a stored completion",
                responses={"200": _answer("It is gone.", of(answers.DELETED)), "404": missing},
            ),
        },
        _CHAT + "/{completion_id}/messages": {
            "parameters": [_in_path("completion_id")],
            "get": _operation(
                "stored",
                "listChatCompletionMessages",
                "List the messages that a stored completion answered",
                parameters=_PAGING,
                responses={
                    "200": _answer("A page of them.", of(answers.STORED_MESSAGES)),
                    "404": missing,
                    **bad_page,
                },
            ),
        },
        "/v1/chat/deferred-completion/{request_id}": {
            "parameters": [_in_path("request_id")],
            "get": _operation(
                "deferred",
                "getDeferredCompletion",
                "Collect a deferred completion, once and within a day",
                responses={
                    "200": _answer("The completion.", of(answers.COMPLETION)),
                    "202": {"description": "Not there yet; the body is empty."},
                    "404": _answer("It never was, was collected, or is too old.", of(answers.ERROR)),
                    "410": _answer("It was lost when promptdeck stopped.", of(answers.ERROR)),
                },
            ),
        },
        "/v1/models": {
            "get": _operation(
                "models",
                "listModels",
                "List models: upstream's, or in replay those of the recordings",
                responses={"200": _answer("All of them.", of(answers.MODELS))},
            ),
        },
        "/v1/models/{model}": {
            "parameters": [_in_path("model", "May hold a slash, as in `openai/gpt-5`.")],
            "get": _operation(
                "models",
                "getModel",
                "Describe a model",
                responses={
                    "200": _answer("The model.", of(answers.MODEL_CARD)),
                    "404": missing,
                },
            ),
        },
        **_deck_paths(of(answers.ERROR)),
    }


def _deck_paths(error: Shape) -> dict[str, Any]:
    name = _in_path("name", "A cassette; may hold slashes.")
    reported = {
        "200": _answer("What was played and what was missed since the start.", _REPORT),
        "404": _answer("No such cassette.", error),
    }
    return {
        "/health": {
            "get": _operation(
                "deck", "health", "Tell whether it runs", responses={"200": _answer("It does.", _OK)}
            ),
        },
        "/_deck/health": {
            "get": _operation(
                "deck",
                "deckHealth",
                "Tell version, mode and counts",
                responses={"200": _answer("It runs.", _OK)},
            ),
        },
        "/_deck/cassettes/{name}/report": {
            "parameters": [name],
            "get": _operation(
                "deck", "report", "Tell what a cassette was asked for", responses=reported
            ),
        },
        "/_deck/cassettes/{name}/rewind": {
            "parameters": [name],
            "post": _operation(
                "deck",
                "rewind",
                "Play a cassette from its start again",
                responses=reported,
            ),
        },
    }


# Their parts


def _operation(tag: str, name: str, summary: str, **more: Any) -> dict[str, Any]:
    return {"tags": [tag], "operationId": name, "summary": summary, **more}


def _answer(description: str, schema: Shape, **more: Any) -> dict[str, Any]:
    return {"description": description, "content": {_JSON: {"schema": schema, **more}}}


def _failure(status: int, schema: Shape) -> dict[str, Any]:
    code, description = _ERRORS[status]
    return _answer(description, schema, example=_error_example(code, description))


def _error_example(code: str, description: str) -> Shape:
    kind = "upstream_error" if code.startswith("upstream") else "invalid_request_error"
    message = EXAMPLE_MESSAGES.get(code, description)
    param = message.partition(":")[0] if message.startswith("$") else None
    fields = {"message": message, "type": kind, "param": param, "code": code}
    return {"error": fields, **fields}
