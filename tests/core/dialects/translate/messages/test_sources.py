"""Images and files as Anthropic takes them, and those that it does not."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.dialects.translate.aim import Untranslatable
from promptdeck.core.dialects.translate.messages.sources import paper, picture
from promptdeck.core.dialects.translate.neutral import Paper, Picture


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("data:image/png;base64,AAEC", ("base64", "image/png", "AAEC")),
        ("data:image/jpg;base64,AAEC", ("base64", "image/jpeg", "AAEC")),
        ("data:IMAGE/PNG;charset=x;base64,AA\nEC", ("base64", "image/png", "AAEC")),
        ("data:image/webp;base64,-_-_", ("base64", "image/webp", "+/+/")),
        ("data:image/gif;base64,AA", ("base64", "image/gif", "AA==")),
        ("data:image/gif;base64,AA%3D%3D", ("base64", "image/gif", "AA==")),
        ("https://example.com/a.png?b", ("url", None, "https://example.com/a.png?b")),
        ("http://example.com/a.png", ("url", None, "http://example.com/a.png")),
        ("file_011", ("file", None, "file_011")),
    ],
)
def test_an_image_is_a_source(url: str, source: tuple[str, str | None, str]) -> None:
    kind, mime, data = source
    key = {"base64": "data", "url": "url", "file": "file_id"}[kind]
    told = {"type": kind, key: data} | ({"media_type": mime} if mime else {})
    assert picture(Picture(url), "$") == {"type": "image", "source": told}


def test_a_data_url_without_a_type_is_of_that_beside_it() -> None:
    source = picture(Picture("data:;base64,AAEC", "image/png"), "$")["source"]
    assert source["media_type"] == "image/png"


PDF = "data:application/pdf;base64,JVBERi0xLjQK"


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (Paper(PDF, name="a.pdf"), {"source": {"type": "base64", "media_type": "application/pdf",
         "data": "JVBERi0xLjQK"}, "title": "a.pdf"}),
        (Paper("data:text/plain,a%20b%C3%A9"), {"source": {"type": "text", "data": "a bé",
         "media_type": "text/plain"}}),
        (Paper("data:text/csv;base64,YSxi"), {"source": {"type": "text", "data": "a,b",
         "media_type": "text/plain"}}),
        (Paper("https://example.com/a.pdf"), {"source": {"type": "url",
         "url": "https://example.com/a.pdf"}}),
        (Paper(id="file_1", name="n"), {"source": {"type": "file", "file_id": "file_1"},
         "title": "n"}),
    ],
)  # fmt: skip
def test_a_file_is_a_document(part: Paper, block: dict[str, Any]) -> None:
    assert paper(part, "$") == {"type": "document", **block}


def test_a_file_that_is_an_image_is_one() -> None:
    assert paper(Paper("data:image/png;base64,AAEC"), "$")["type"] == "image"


@pytest.mark.parametrize(
    "part",
    [
        Picture("data:image/svg+xml;base64,AAEC"),
        Picture("gs://bucket/a.png"),
        Picture("data:image/png"),
        Picture("data:image/png;base64,!"),
        Picture("data:image/png;base64,é"),
        Picture(""),
        Paper("data:application/zip;base64,AAEC"),
        Paper(""),
        Paper("ftp://a"),
    ],
)
def test_what_anthropic_does_not_take_is_refused_by_its_place(part: Picture | Paper) -> None:
    with pytest.raises(Untranslatable) as refused:
        picture(part, "$.a") if isinstance(part, Picture) else paper(part, "$.a")
    assert refused.value.param == "$.a"
    assert refused.value.status == 400


@given(st.binary(max_size=30))
def test_bytes_arrive_as_they_were(data: bytes) -> None:
    url = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    assert base64.b64decode(picture(Picture(url), "$")["source"]["data"]) == data
