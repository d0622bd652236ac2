"""The shapes of a request's larger fields: tools and their choice, models, MCP servers, forms.

`request` says which field has which of these shapes. Where two providers write
one thing in two ways, both pass.
"""

from .compound import Advised, Either, Hidden, ListOf, MapOf, Object, Tagged, nullable
from .messages import FREE, MAYBE_TEXT, TEXT, TEXT_OR_PARTS
from .schema import ANYTHING, Boolean, Enum, Integer, Number, Schema, Text

MAYBE_FREE = nullable(FREE)
MAYBE_BOOLEAN = nullable(Boolean())
MAYBE_INTEGER = nullable(Integer())
MAYBE_NUMBER = nullable(Number())
TEXTS = ListOf(TEXT)

# Every provider's names for one thing: a request may be meant for any of them.
EFFORTS = "none minimal low medium high xhigh max".split()
TIERS = "auto default flex scale priority fast standard standard_only".split()
LOGIT_BIAS = MapOf(Number(-100, 100))

# Tools

_FUNCTION_NAME = Text(pattern=r"[a-zA-Z0-9_-]{1,64}")
FUNCTION = Object(
    {"name": _FUNCTION_NAME},
    {"description": MAYBE_TEXT, "parameters": MAYBE_FREE},
    name="Function",
)
TOOL = Tagged(
    "type",
    {
        "function": Object(
            {
                "function": Object(
                    {"name": _FUNCTION_NAME},
                    {
                        "description": MAYBE_TEXT,
                        "parameters": nullable(MapOf(ANYTHING, about="JSON Schema.")),
                        "strict": MAYBE_BOOLEAN,
                    },
                    name="ToolFunction",
                )
            },
            name="FunctionTool",
        ),
        "custom": Object(
            {"custom": Object({"name": TEXT}, {"description": MAYBE_TEXT, "format": MAYBE_FREE})},
            name="CustomTool",
        ),
    },
    default="function",
    open=True,
    name="Tool",
)

_NAMED = Object({"name": TEXT})
_PARALLEL: dict[str, Schema] = {"disable_parallel_tool_use": MAYBE_BOOLEAN}
TOOL_CHOICE = Either(
    Text(["none", "auto", "required", "any"]),
    Tagged(
        "type",
        {
            "function": Object({"function": _NAMED}, about="OpenAI: this function."),
            "custom": Object({"custom": _NAMED}, about="OpenAI: this custom tool."),
            "allowed_tools": Object(
                {
                    "allowed_tools": Object(
                        {"tools": ListOf(FREE)}, {"mode": Text(["auto", "required"])}
                    )
                },
                about="OpenAI: one of these.",
            ),
            "auto": Object({}, _PARALLEL, about="Anthropic: the model decides."),
            "any": Object({}, _PARALLEL, about="Anthropic: some tool."),
            "tool": Object({"name": TEXT}, _PARALLEL, about="Anthropic: this tool."),
            "none": Object({}, about="Anthropic: no tool."),
        },
        open=True,
    ),
    name="ToolChoice",
)

# Models

# Dedalus's ModelSettings, key by key as dedalus_labs 0.3.0 types them.
_SETTINGS: dict[str, Schema] = {
    **dict.fromkeys(
        """attributes audio extra_args extra_query generation_config input_audio_transcription
        prediction response_format search_parameters stream_options thinking tool_config
        turn_detection web_search_options""".split(),
        MAYBE_FREE,
    ),
    **dict.fromkeys(
        "deferred include_usage logprobs parallel_tool_calls store stream".split(), MAYBE_BOOLEAN
    ),
    **dict.fromkeys(
        "max_completion_tokens max_tokens n seed top_k top_logprobs".split(), MAYBE_INTEGER
    ),
    **dict.fromkeys(
        "frequency_penalty presence_penalty temperature timeout top_p".split(), MAYBE_NUMBER
    ),
    **dict.fromkeys(
        """input_audio_format output_audio_format prompt_cache_key safety_identifier user
        voice""".split(),
        MAYBE_TEXT,
    ),
    "reasoning_effort": nullable(Text(EFFORTS)),
    "service_tier": nullable(Text(TIERS)),
    "verbosity": nullable(Text(["low", "medium", "high"])),
    "extra_headers": Hidden(nullable(MapOf(TEXT))),
    "metadata": nullable(MapOf(TEXT)),
    "logit_bias": nullable(LOGIT_BIAS),
    "modalities": nullable(TEXTS),
    "stop": nullable(Either(TEXT, TEXTS)),
    "safety_settings": nullable(ListOf(FREE)),
    "structured_output": ANYTHING,
    "system_instruction": nullable(Either(TEXT, FREE)),
    "tool_choice": nullable(Either(TEXT, FREE)),
    "truncation": nullable(Enum(["auto", "disabled"])),
    "reasoning": nullable(
        Object(
            {},
            {
                "effort": Advised(nullable(Text(EFFORTS))),
                "summary": Advised(nullable(Text(["auto", "concise", "detailed"]))),
                "generate_summary": Advised(nullable(Text(["auto", "concise", "detailed"]))),
            },
        )
    ),
}
SETTINGS = Object({}, dict(sorted(_SETTINGS.items())), name="ModelSettings")
# Closed, as Dedalus's OpenAPI document has it: what is beside `settings` reaches no model.
DEDALUS_MODEL = Object(
    {"model": TEXT}, {"settings": nullable(SETTINGS)}, closed=True, name="DedalusModel"
)
_ONE_MODEL = (TEXT, DEDALUS_MODEL)
MODEL = Either(*_ONE_MODEL, ListOf(Either(*_ONE_MODEL), least=1))

# MCP servers, and what is deferred to them

# The document requires `name`, and the SDK's runner leaves it out: `a/b@v1` becomes
# `{"slug": "a/b", "version": "v1"}`.
MCP_SERVER = Object(
    {},
    {
        "name": nullable(Text(about="The SDK leaves it out at times.")),
        "slug": nullable(Text(pattern=r"[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+")),
        "url": MAYBE_TEXT,
        "version": MAYBE_TEXT,
        "credentials": Hidden(nullable(MapOf(TEXT))),
    },
    name="MCPServerSpec",
    about="Named by `slug` or by `url`.",
)
MCP_SERVERS = Either(TEXT, MCP_SERVER, ListOf(Either(TEXT, MCP_SERVER)))
CREDENTIAL = Object(
    {
        "connection_name": TEXT,
        "values": MapOf(Either(TEXT, Integer(), Boolean())),
    },
    name="Credential",
)
CREDENTIALS = Hidden(nullable(Either(CREDENTIAL, ListOf(CREDENTIAL))))
DEFERRED_CALL = Object(
    {"id": TEXT, "name": TEXT},
    {
        "arguments": MAYBE_FREE,
        "venue": nullable(Text(about='Default: "server".')),
        "dependencies": nullable(TEXTS),
        "blocked_by": nullable(TEXTS),
    },
    name="DeferredCall",
)

# Answers in a form, out loud, and foretold

RESPONSE_FORMAT = Tagged(
    "type",
    {
        "text": Object({}),
        "json_object": Object({}),
        "json_schema": Object(
            {
                "json_schema": Object(
                    {"name": _FUNCTION_NAME},
                    {"description": MAYBE_TEXT, "schema": MAYBE_FREE, "strict": MAYBE_BOOLEAN},
                    name="NamedSchema",
                )
            }
        ),
    },
    # What Fireworks, Together and vLLM have besides.
    others=["grammar", "regex", "structural_tag"],
    name="ResponseFormat",
)
THINKING = Tagged(
    "type",
    {
        # Anthropic's least budget. Less draws a warning.
        "enabled": Object({}, {"budget_tokens": Integer(1024)}, asked=["budget_tokens"]),
        "disabled": Object({}),
        "adaptive": Object({}),
    },
    others=["auto"],  # Volcengine's
    name="Thinking",
)
# The Dedalus SDK's older types, which npm's newest still has, know it as any object.
AUDIO = Object(
    {},
    {
        "voice": Either(TEXT, Object({"id": TEXT})),
        "format": Enum("wav aac mp3 flac opus pcm16".split()),
    },
    asked=("voice", "format"),
    name="AudioOutput",
)
PREDICTION = Object({"type": Enum(["content"]), "content": TEXT_OR_PARTS}, name="Prediction")
# As in the Dedalus SDK 0.3.0: its OpenAPI document has fewer, and refuses the SDK's own test.
_HARMS = """UNSPECIFIED DEROGATORY TOXICITY VIOLENCE SEXUAL MEDICAL DANGEROUS HARASSMENT
    HATE_SPEECH SEXUALLY_EXPLICIT DANGEROUS_CONTENT CIVIC_INTEGRITY""".split()
SAFETY_SETTING = Object(
    {
        "category": Enum([f"HARM_CATEGORY_{harm}" for harm in _HARMS]),
        "threshold": Enum(
            """HARM_BLOCK_THRESHOLD_UNSPECIFIED BLOCK_LOW_AND_ABOVE BLOCK_MEDIUM_AND_ABOVE
            BLOCK_ONLY_HIGH BLOCK_NONE OFF""".split()
        ),
    },
    name="SafetySetting",
)
