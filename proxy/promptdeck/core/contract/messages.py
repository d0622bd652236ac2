"""The messages of a request: the shape of each role's, of the parts of a content, and of calls.

Wider than any one provider: what one of them is known to accept is no
violation. Mistral writes an image as its bare URL and arguments as an object,
SDKs write null for what is absent, and every provider has content parts of its
own, which pass with a warning.

The order of the messages is not judged. The Dedalus SDK's runner, when it
streams, sends `tool` messages without the calls that they answer.
"""

from .compound import Either, ListOf, MapOf, Object, Tagged, nullable
from .schema import ANYTHING, NULL, Schema, Text

TEXT = Text()
FREE = MapOf(ANYTHING)
"""Any object."""
MAYBE_TEXT = nullable(TEXT)

# As in OpenAI's API reference, by the part's `type`.
_PARTS = {
    "text": Object({"text": TEXT}, name="TextPart"),
    "image_url": Object(
        {
            "image_url": Either(
                TEXT,
                Object(
                    {"url": Text(about="An http(s) or data URL.")},
                    {"detail": nullable(Text(["auto", "low", "high", "original"]))},
                    name="ImageURL",
                ),
            )
        },
        name="ImagePart",
    ),
    "input_audio": Object(
        {
            "input_audio": Either(
                TEXT,
                Object(
                    {"data": Text(about="Base64.")},
                    {"format": nullable(Text(["wav", "mp3"]))},
                    asked=["format"],
                    name="InputAudio",
                ),
            )
        },
        name="AudioPart",
    ),
    "file": Object(
        {
            "file": Object(
                {}, dict.fromkeys(["file_data", "file_id", "filename"], MAYBE_TEXT), name="File"
            )
        },
        name="FilePart",
    ),
    "refusal": Object({"refusal": TEXT}, name="RefusalPart"),
}
# Of Anthropic, Mistral, Google, OpenAI's Responses, vLLM and OpenRouter.
_FOREIGN_PARTS = """audio audio_url document document_url image input_file input_image input_text
    output_text redacted_thinking reasoning reference search_result thinking tool_reference
    tool_result tool_use video video_url""".split()


def _parts(documented: str, *, least: int = 0) -> ListOf:
    """A list of at least `least` parts, whose types are `documented` (words) for a role's content.

    Parts of other roles' pass like those of other providers, with a warning.
    """
    known = {kind: _PARTS[kind] for kind in documented.split()}
    others = [kind for kind in _PARTS if kind not in known] + _FOREIGN_PARTS
    return ListOf(Tagged("type", known, others=others), least=least)


_TEXT_PARTS = _parts("text")
TEXT_OR_PARTS = Either(TEXT, _TEXT_PARTS)

_CALLED = Object(
    {"name": TEXT},
    {"arguments": Either(TEXT, FREE, NULL, about="JSON as a string; an object is Mistral's way.")},
    asked=["arguments"],
)
TOOL_CALL = Tagged(
    "type",
    {
        "function": Object(
            {"function": _CALLED},
            {
                "id": MAYBE_TEXT,
                "thought_signature": nullable(
                    Text(about="Base64; Gemini wants its own back with the conversation.")
                ),
            },
            asked=["id"],
            name="FunctionCall",
        ),
        "custom": Object(
            {"custom": Object({"name": TEXT, "input": TEXT})},
            {"id": MAYBE_TEXT},
            asked=["id"],
            name="CustomCall",
        ),
    },
    default="function",
    open=True,
    name="ToolCall",
)

_NAMED: dict[str, Schema] = {"name": MAYBE_TEXT}


def _instructions(name: str) -> Object:
    """The shape of a developer's or a system's message, under its name in the document."""
    return Object({"content": TEXT_OR_PARTS}, _NAMED, name=name)


MESSAGE = Tagged(
    "role",
    {
        "developer": _instructions("DeveloperMessage"),
        "system": _instructions("SystemMessage"),
        "user": Object(
            {"content": Either(TEXT, _parts("text image_url input_audio file", least=1))},
            _NAMED,
            name="UserMessage",
        ),
        "assistant": Object(
            {},
            {
                "content": Either(TEXT, _parts("text refusal"), NULL),
                "refusal": MAYBE_TEXT,
                **_NAMED,
                "audio": nullable(Object({"id": TEXT}, about="An earlier spoken answer.")),
                "tool_calls": nullable(ListOf(TOOL_CALL)),
                "function_call": nullable(_CALLED),
            },
            name="AssistantMessage",
        ),
        "tool": Object(
            {"content": TEXT_OR_PARTS},
            {"tool_call_id": MAYBE_TEXT},
            asked=["tool_call_id"],
            name="ToolMessage",
        ),
        "function": Object(
            {"name": TEXT},
            {"content": nullable(TEXT_OR_PARTS)},
            asked=["content"],
            name="FunctionMessage",
        ),
    },
    name="Message",
)
