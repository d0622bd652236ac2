"""Signals as a stream of `/v1/responses`.

https://platform.openai.com/docs/api-reference/responses-streaming has the events and their order.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from xxhash import xxh128_hexdigest

from promptdeck.core.dialects.pieces import as_object, written
from promptdeck.core.dialects.translate.neutral import (
    Broke,
    Finished,
    Metered,
    Opened,
    Signal,
    Usage,
)
from promptdeck.core.interaction import Variant
from promptdeck.core.text import sse
from promptdeck.core.text.jsontext import JSON, JSONObject

from .namespaces import spaces_of
from .told import ToldOutput

# What a response says of its request, with the type that it must have and what stands there where
# the client has not said it.
_ECHOED: tuple[tuple[str, type | tuple[type, ...], JSON], ...] = (
    ("background", bool, False),
    ("instructions", str, None),
    ("max_output_tokens", int, None),
    ("max_tool_calls", int, None),
    ("metadata", dict, {}),
    ("parallel_tool_calls", bool, True),
    ("previous_response_id", str, None),
    ("prompt_cache_key", str, None),
    ("prompt_cache_retention", str, None),
    ("reasoning", dict, {"effort": None, "summary": None}),
    ("safety_identifier", str, None),
    ("service_tier", str, "default"),
    ("temperature", (int, float), 1.0),
    ("text", dict, {"format": {"type": "text"}}),
    ("tool_choice", (str, dict), "auto"),
    ("tools", list, []),
    ("top_logprobs", int, 0),
    ("top_p", (int, float), 1.0),
    ("truncation", str, "disabled"),
    ("user", str, None),
)
# The codes that an error within a response may have (`ResponseError` in openai 3.57), by status.
_CODES: Mapping[int, str] = {429: "rate_limit_exceeded", 400: "invalid_prompt"}
_CODED = (
    "server_error rate_limit_exceeded invalid_prompt data_residency_mismatch bio_policy"
    " misalignment_policy_violation vector_store_timeout invalid_image invalid_image_format"
    " invalid_base64_image invalid_image_url image_too_large image_too_small image_parse_error"
    " image_content_policy_violation invalid_image_mode image_file_too_large"
    " unsupported_image_media_type empty_image_file failed_to_download_image image_file_not_found"
).split()


class ResponsesTelling:
    """One answer, told to a client that asked for it by `asked`, its request's body."""

    def __init__(self, asked: JSONObject, variant: Variant, now: int) -> None:
        del variant  # usage is always told
        self._asked = asked
        self._now = now
        self._told = 0
        self._response: JSONObject = {}
        self._output = ToldOutput("", {})
        self._usage: Usage | None = None
        self._finished: Finished | None = None
        self._is_over = False

    def tell(self, signal: Signal) -> Iterable[bytes]:
        """The frames that tell of a signal; this protocol has one choice alone."""
        return [self._frame(one) for one in self._events(signal)]

    def end(self) -> Iterable[bytes]:
        """The last frame, with the whole response in it; none after a failure."""
        finished = self._finished
        if self._is_over or finished is None:
            return []
        self._is_over = True
        is_whole = finished.reason in ("stop", "tool_calls")
        status = "completed" if is_whole else "incomplete"
        reason = "max_output_tokens" if finished.reason == "length" else finished.reason
        response = {
            **self._response,
            "status": status,
            "completed_at": self._now if is_whole else None,
            "incomplete_details": None if is_whole else {"reason": reason},
            "output": self._output.items,
            "usage": _usage(self._usage),
        }
        if self._output.asides:
            response["asides"] = self._output.asides
        return [self._frame({"type": f"response.{status}", "response": response})]

    def _events(self, signal: Signal) -> Iterator[JSONObject]:
        if self._is_over or _choice(signal):
            return
        if isinstance(signal, Broke):
            yield from self._broken(signal)
            return
        if not self._response:
            yield from self._opened(signal if isinstance(signal, Opened) else Opened("", ""))
        match signal:
            case Metered(usage):
                self._usage = usage
            case Finished(reason):
                self._finished = signal
                is_whole = reason in ("stop", "tool_calls")
                yield from self._output.close("completed" if is_whole else "incomplete")
            case _:
                yield from self._output.tell(signal)

    def _opened(self, opened: Opened) -> Iterator[JSONObject]:
        response = self._begin(opened)
        yield {"type": "response.created", "response": response}
        yield {"type": "response.in_progress", "response": response}

    def _begin(self, opened: Opened) -> JSONObject:
        """The response as it is when it begins, which repeats what was asked."""
        own = opened.id.removeprefix("resp_") or f"{self._now:x}"
        asked = self._asked.get("model")
        model = opened.model or (asked if isinstance(asked, str) else "")
        # An item's id may have 64 characters, where a client takes it to OpenAI afterwards.
        stem = own if len(own) <= 40 else xxh128_hexdigest(own.encode("utf-8", "surrogatepass"))
        self._output = ToldOutput(stem, spaces_of(self._asked))
        self._response = {
            "id": f"resp_{own}",
            "object": "response",
            "created_at": self._now if opened.created is None else opened.created,
            "status": "in_progress",
            "completed_at": None,
            "error": None,
            "incomplete_details": None,
            "model": model,
            "output": [],
            # Nobody keeps it: it cannot be fetched, nor gone on from.
            "store": False,
            "usage": None,
            **{name: _echo(self._asked.get(name), kind, none) for name, kind, none in _ECHOED},
        }
        return self._response

    def _broken(self, broke: Broke) -> Iterator[JSONObject]:
        """The failure as an error, which the SDK raises, and as the end of the response.

        So OpenAI tells it, and some clients know one of the two alone (codex the second).
        """
        self._is_over = True
        code = broke.code or broke.type
        told = {"type": broke.type, "code": code, "message": broke.message, "param": broke.param}
        yield {**told, "type": "error", "error": told}
        response = self._response or self._begin(Opened("", ""))
        of_response = code if code in _CODED else _CODES.get(broke.status, "server_error")
        yield {
            "type": "response.failed",
            "response": {
                **response,
                "status": "failed",
                "error": {"code": of_response, "message": broke.message},
                "output": [item for item in self._output.items if _is_done(item)],
                "usage": None if self._usage is None else _usage(self._usage),
            },
        }

    def _frame(self, told: JSONObject) -> bytes:
        numbered = {**told, "sequence_number": self._told}
        self._told += 1
        return sse.encode(written(numbered), event=told["type"])


def _choice(signal: Signal) -> int:
    """Which of several answers a signal is of; what is of all of them counts as the first's."""
    return 0 if isinstance(signal, Opened | Metered | Broke) else signal.choice


def _is_done(item: JSONObject) -> bool:
    return item.get("status") != "in_progress"


def _echo(value: JSON, kind: type | tuple[type, ...], none: JSON) -> JSON:
    """What a request said, if it is what the response's type wants there."""
    if isinstance(value, bool) and kind is not bool:
        return none
    return value if isinstance(value, kind) else none


def _usage(usage: Usage | None) -> JSONObject:
    """Tokens as this protocol counts them: alike, under other names; nothing is left out."""
    usage = usage or Usage()
    details: dict[str, Any] = {
        "cached_tokens": usage.cached or 0,
        "cache_write_tokens": usage.cache_written or 0,
    }
    return {
        **as_object(dict(usage.rest)),
        "input_tokens": usage.prompt,
        "input_tokens_details": details,
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning or 0},
        "total_tokens": usage.total or usage.prompt + usage.completion,
    }
