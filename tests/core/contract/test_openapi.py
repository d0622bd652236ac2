"""openapi: the document holds together, its examples are true, its page is whole."""

import importlib.util
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import orjson
import pytest

from promptdeck.core.contract.openapi import document, page
from promptdeck.core.contract.request import FIELDS, check
from promptdeck.core.text import sse
from tests.schema_oracle import KEYWORDS, accepts

DOCUMENT = document("1.2.3")
SHAPES: dict[str, Any] = DOCUMENT["components"]["schemas"]
METHODS = {"get", "post", "delete"}
OPERATIONS = [
    pytest.param(path, item, method, id=f"{method} {path}")
    for path, item in DOCUMENT["paths"].items()
    for method in item
    if method in METHODS
]


def under(key: str, value: Any) -> Iterator[Any]:
    """Every value of that key, at any depth outside of examples."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name == key:
                yield item
            elif name not in ("example", "examples"):
                yield from under(key, item)
    elif isinstance(value, list):
        for item in value:
            yield from under(key, item)


def schemas() -> Iterator[Any]:
    yield from SHAPES.values()
    yield from under("schema", DOCUMENT["paths"])


def parts(shape: Any) -> Iterator[Any]:
    """A schema and all within it."""
    if isinstance(shape, bool):
        return
    yield shape
    for item in shape.get("properties", {}).values():
        yield from parts(item)
    for item in shape.get("anyOf", []):
        yield from parts(item)
    for key in ("items", "additionalProperties", "not"):
        if key in shape:
            yield from parts(shape[key])


# The document


def test_it_can_be_served() -> None:
    assert orjson.loads(orjson.dumps(DOCUMENT)) == DOCUMENT
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert DOCUMENT["info"]["version"] == "1.2.3"


def test_every_reference_leads_somewhere_and_every_definition_is_used() -> None:
    names = {reference.rpartition("/")[2] for reference in under("$ref", DOCUMENT)}
    assert names == SHAPES.keys()
    assert all(SHAPES.values())


TYPES = {"null", "boolean", "string", "number", "integer", "array", "object"}


def test_every_schema_is_json_schema() -> None:
    for shape in (part for schema in schemas() for part in parts(schema)):
        assert shape.keys() <= KEYWORDS
        kinds = shape.get("type", [])
        assert {kinds} <= TYPES if isinstance(kinds, str) else set(kinds) < TYPES
        assert shape.get("required", []) == list(dict.fromkeys(shape.get("required", [])))
        assert shape.get("required", []) == [
            key for key in shape.get("required", []) if key in shape.get("properties", {})
        ]
        assert all(shape.get(key, True) for key in ("anyOf", "enum", "properties", "description"))


@pytest.mark.skipif(not importlib.util.find_spec("jsonschema"), reason="jsonschema is not here")
def test_jsonschema_agrees_that_it_is() -> None:
    from jsonschema import Draft202012Validator

    for schema in schemas():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(("path", "item", "method"), OPERATIONS)
def test_an_operation_declares_what_is_in_its_path(path: str, item: Any, method: str) -> None:
    operation = item[method]
    parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
    named = {one["name"] for one in parameters if one["in"] == "path"}
    assert named == set(re.findall(r"{(\w+)}", path))
    assert all(one["required"] for one in parameters if one["in"] == "path")
    assert operation["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}
    assert operation["responses"].keys() & {"200"}


def test_operations_have_names_of_their_own() -> None:
    names = [*under("operationId", DOCUMENT)]
    assert len(set(names)) == len(names) == len(OPERATIONS)


def test_the_paths_are_those_that_are_served() -> None:
    assert {(method, path) for path, item in DOCUMENT["paths"].items() for method in item} - {
        ("parameters", path) for path in DOCUMENT["paths"]
    } == {
        ("post", "/v1/chat/completions"),
        ("get", "/v1/chat/completions"),
        ("get", "/v1/chat/completions/{completion_id}"),
        ("post", "/v1/chat/completions/{completion_id}"),
        ("delete", "/v1/chat/completions/{completion_id}"),
        ("get", "/v1/chat/completions/{completion_id}/messages"),
        ("get", "/v1/chat/deferred-completion/{request_id}"),
        ("get", "/v1/models"),
        ("get", "/v1/models/{model}"),
        ("get", "/health"),
        ("get", "/_deck/health"),
        ("get", "/_deck/cassettes/{name}/report"),
        ("post", "/_deck/cassettes/{name}/rewind"),
    }


# The request


def test_the_request_has_every_field_with_a_description() -> None:
    body = SHAPES["ChatCompletionRequest"]
    assert [*body["properties"]] == [*FIELDS]
    assert all(shape["description"] for shape in body["properties"].values())
    assert (body["required"], body["additionalProperties"]) == (["model"], True)


def test_what_is_documented_only_is_not_enforced_by_any_schema() -> None:
    assert all(not {"minimum", "maximum", "pattern", "maxItems"} & part.keys()
               for schema in schemas() for part in parts(schema))  # fmt: skip
    fields = SHAPES["ChatCompletionRequest"]["properties"]
    assert "0 to 2" in fields["temperature"]["description"]
    assert "enum" not in fields["verbosity"]
    assert fields["speed"]["enum"] == ["standard", "fast", None]


def test_defaults_and_deprecations_are_told() -> None:
    fields = SHAPES["ChatCompletionRequest"]["properties"]
    assert (fields["stream"]["default"], fields["n"]["default"]) == (False, 1)
    assert [name for name, shape in fields.items() if shape.get("deprecated")] == [
        "functions",
        "function_call",
        "user",
    ]


# Examples


def test_the_examples_of_requests_keep_to_the_contract() -> None:
    media = DOCUMENT["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]
    examples = media["application/json"]["examples"]
    assert len(examples) >= 3
    for example in examples.values():
        assert check(example["value"]) == ((), ())


@pytest.mark.parametrize(("path", "item", "method"), OPERATIONS)
def test_the_examples_of_answers_keep_to_their_schemas(path: str, item: Any, method: str) -> None:
    for response in item[method]["responses"].values():
        for media in response.get("content", {}).values():
            if "example" in media and "schema" in media:
                assert accepts(media["schema"], media["example"], SHAPES)


def test_the_example_of_a_stream_is_one() -> None:
    answer = DOCUMENT["paths"]["/v1/chat/completions"]["post"]["responses"]["200"]
    media = answer["content"]["text/event-stream"]
    *texts, last = (sse.parse(frame).data for frame in sse.frames(media["example"].encode()))
    assert last == sse.DONE
    assert len(texts) > 2
    assert all(accepts(media["x-event"], orjson.loads(text), SHAPES) for text in texts)


def test_the_example_of_an_error_is_what_check_says() -> None:
    answer = DOCUMENT["paths"]["/v1/chat/completions"]["post"]["responses"]["400"]
    example = answer["content"]["application/json"]["example"]
    (found,) = check({"model": "m", "response_format": {"type": "json_shema"}}).violations
    assert (str(found), found.path) == (example["message"], example["param"])
    assert example["error"].items() <= example.items()


# The page


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


PAGE = Page(page())


def test_the_page_loads_nothing() -> None:
    assert not PAGE.tags & {"script", "link", "img", "iframe", "object"}
    assert not {"src", "onclick"} & {name for name, _ in PAGE.attributes}
    assert "url(" not in page()
    assert "@import" not in page()


def test_every_link_of_the_page_leads_somewhere() -> None:
    ids = [value for name, value in PAGE.attributes if name == "id"]
    links = {value for name, value in PAGE.attributes if name == "href"}
    assert len(set(ids)) == len(ids)
    assert links - {f"#{name}" for name in ids} == {"/openapi.json"}


def test_the_page_has_each_field_type_and_path() -> None:
    ids = {value for name, value in PAGE.attributes if name == "id"}
    assert {f"field-{name}" for name in FIELDS} <= ids
    assert {f"type-{name}" for name in SHAPES.keys() - {"ChatCompletionRequest"}} <= ids
    assert all(path in PAGE.text for path in DOCUMENT["paths"])


def test_the_page_follows_the_readers_choice_of_light_or_dark() -> None:
    assert "color-scheme: light dark" in page()
