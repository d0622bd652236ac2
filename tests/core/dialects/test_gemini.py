"""Google's protocol where it has no like: lists for streams, arguments in pieces, two spellings."""

import orjson
import pytest

from promptdeck.core.dialects.gemini.arguments import joined_arguments
from promptdeck.core.dialects.gemini.dialect import GEMINI
from promptdeck.core.interaction import Request, Variant
from promptdeck.core.matching.normalize import normalize
from promptdeck.core.matching.rules import Rules
from promptdeck.core.secrets.redact import Redactor
from tests.dialects import PROTOCOLS, answer, response

SAMPLE = PROTOCOLS["gemini"]
PATH = "/v1/models/gemini-4:"


def normal(path, body=SAMPLE.body):
    request = Request("POST", path, "application/json", orjson.dumps(body))
    return normalize(request, Rules(), Redactor())


def test_a_list_is_a_variant_of_its_own():
    streamed = response(SAMPLE.stream)
    listed = GEMINI.in_variant(streamed, Variant.LIST)
    pieces = orjson.loads(listed.body)
    assert [b"data: %b\r\n\r\n" % orjson.dumps(piece) for piece in pieces] == SAMPLE.stream
    assert GEMINI.in_variant(listed, Variant.SSE).body == streamed.body
    assert orjson.loads(GEMINI.in_variant(listed, Variant.JSON).body) == SAMPLE.whole
    assert GEMINI.problem_with(listed) is None
    assert GEMINI.says(listed) == SAMPLE.text
    cut = GEMINI.in_variant(answer(SAMPLE.whole), Variant.LIST)
    assert orjson.loads(GEMINI.in_variant(cut, Variant.JSON).body) == SAMPLE.whole


@pytest.mark.parametrize(
    ("verb", "variant"),
    [
        ("generateContent", Variant.JSON),
        ("generateContent?alt=json", Variant.JSON),
        ("streamGenerateContent", Variant.LIST),
        ("streamGenerateContent?alt=json", Variant.LIST),
        ("streamGenerateContent?alt=sse", Variant.SSE),
        ("streamGenerateContent?%24alt=sse", Variant.SSE),
        ("streamGenerateContent?alt=sse&prettyPrint=false", Variant.SSE),
    ],
)
def test_path_and_query_choose_the_variant_and_do_not_count(verb, variant):
    form = normal(PATH + verb)
    assert form.variant is variant
    if "pretty" not in verb:
        assert form.canonical == normal(PATH + "generateContent").canonical
    assert form.canonical != normal("/v1/models/other:" + verb).canonical


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"contents": "x"}, {"contents": ["x"]}),
        ({"contents": {"parts": {"text": "a"}}}, {"contents": [{"parts": [{"text": "a"}]}]}),
        (
            {"contents": [{"parts": [{"text": "a"}]}]},
            {"contents": [{"role": "user", "parts": [{"text": "a"}]}]},
        ),
        (
            {"system_instruction": {"parts": {"text": "a"}}},
            {"systemInstruction": {"role": "user", "parts": [{"text": "a"}]}},
        ),
        (
            {"generation_config": {"max_output_tokens": 5, "top_p": None}},
            {"generationConfig": {"maxOutputTokens": 5}},
        ),
        (
            {"contents": [{"parts": [{"inline_data": {"mime_type": "a/b", "data": "-_w="}}]}]},
            {"contents": [{"parts": [{"inlineData": {"mimeType": "a/b", "data": "+/w"}}]}]},
        ),
    ],
)
def test_two_spellings_of_one_thing_count_as_equal(one, other):
    path = PATH + "generateContent"
    assert normal(path, one).canonical == normal(path, other).canonical


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # Names within what is the user's own are theirs.
        (
            {"contents": [{"parts": [{"functionCall": {"args": {"a_b": 1}}}]}]},
            {"contents": [{"parts": [{"functionCall": {"args": {"aB": 1}}}]}]},
        ),
        ({"a_b": 1, "aB": 2}, {"a_b": 3, "aB": 2}),
        (
            {"tools": [{"functionDeclarations": [{"parametersJsonSchema": {"a_b": 1}}]}]},
            {"tools": [{"functionDeclarations": [{"parametersJsonSchema": {"aB": 1}}]}]},
        ),
        ({"contents": [{"role": "model", "parts": []}]}, {"contents": [{"parts": []}]}),
    ],
)
def test_what_says_something_else_counts(one, other):
    path = PATH + "generateContent"
    assert normal(path, one).canonical != normal(path, other).canonical


def piece(path, more=False, **value):
    return {"jsonPath": path, **value, **({"willContinue": True} if more else {})}


def part(*pieces, name="", more=True):
    call = {"partialArgs": [*pieces]} if pieces else {}
    call |= {"name": name} if name else {}
    return {"functionCall": call | ({"willContinue": True} if more else {})}


def test_arguments_that_come_piece_by_piece_are_put_together():
    parts = [
        {"text": "a"},
        part(name="paint"),
        part(piece("$.colour", more=True, stringValue="bl")),
        part(piece("$.colour", stringValue="ue")),
        part(piece("$.at[1].x", numberValue=2), piece("$.gone", nullValue="NULL_VALUE")),
        part(piece("$['a b']", boolValue=True), more=False),
        {"functionCall": {"name": "now"}},
    ]
    arguments = {"colour": "blue", "at": [None, {"x": 2}], "gone": None, "a b": True}
    assert joined_arguments(parts) == [
        {"text": "a"},
        {"functionCall": {"name": "paint", "args": arguments}},
        {"functionCall": {"name": "now"}},
    ]


def test_arguments_whose_end_is_missing_are_those_that_came():
    parts = [part(piece("$.a", more=True, stringValue="b"), name="f"), {"text": "c"}]
    assert joined_arguments(parts) == [
        {"functionCall": {"name": "f", "args": {"a": "b"}}},
        {"text": "c"},
    ]


def test_a_signed_part_stays_by_itself():
    def one(*parts):
        return {"candidates": [{"content": {"parts": [*parts]}}]}

    pieces = [one({"text": "a"}), one({"text": "b", "thoughtSignature": "s"}), one({"text": "c"})]
    frames = [b"data: %b\r\n\r\n" % orjson.dumps(each) for each in pieces]
    [candidate] = GEMINI.fold(frames)["candidates"]
    assert candidate["content"]["parts"] == [
        {"text": "a"},
        {"text": "b", "thoughtSignature": "s"},
        {"text": "c"},
    ]


BODY = {
    "contents": {"role": "user", "parts": {"text": "hi"}},
    "generation_config": {"max_output_tokens": 9, "topP": 1},
    "tools": [{"function_declarations": [{"name": "f", "parameters": {"a_b": 1}}]}],
}


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("$.generationConfig.maxOutputTokens", "$.generation_config.max_output_tokens"),
        ("$.generationConfig.topP", "$.generation_config.topP"),
        ("$.generationConfig.seed", "$.generation_config.seed"),
        ("$.tools[0].functionDeclarations[0].name", "$.tools[0].function_declarations[0].name"),
        (
            "$.tools[0].functionDeclarations[0].parameters.a_b",
            "$.tools[0].function_declarations[0].parameters.a_b",
        ),
        ("$.contents[0].parts[0].text", "$.contents[0].parts[0].text"),
        ("$.systemInstruction.parts[0].text", "$.systemInstruction.parts[0].text"),
        ("$.tools[3].functionDeclarations", "$.tools[3].functionDeclarations"),
        ("endpoint", "endpoint"),
        ("$", "$"),
    ],
)
def test_a_place_is_named_as_the_client_wrote_it(path, written):
    assert GEMINI.path_written(path, BODY) == written
    assert GEMINI.path_written(path, b"no json") == path
