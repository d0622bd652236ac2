"""Cassettes of vcrpy and pytest-recording, in the shapes that vcrpy 9.4 and older ones write."""

import base64

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.interaction import Variant
from promptdeck.core.text import sse
from promptdeck.errors import CassetteError
from promptdeck.imports import NotCarried, vcr
from tests.other_tools import STREAM, URL, answer, carried, imported, packed, prompt

# As vcrpy 9.4.2 wrote it for httpx, which hands it compressed bodies.
HTTPX = r"""interactions:
- request:
    body: "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"h\xEF\"}]}"
    headers:
      accept:
      - '*/*'
      authorization:
      - Bearer sk-abc
      content-length:
      - '58'
      content-type:
      - application/json
    method: POST
    uri: http://127.0.0.1:8791/v1/chat/completions
  response:
    body:
      string: !!binary |
        H4sIAKOlA2sC/1VOSwrCQAy9SslaxYorT+AdRMp0Gm10OilNBKHMgTyHFzMziMXd+yXvzUAdHCrw
        6xpWFXB7Q69F6J1uPA9jQCWO2fQTOsUcr40N3GHIyaF4PZNHMX6agWKHT4PbHEMRd0VjM0wcMgAn
        QqIuarnkqBhL5/H9CoGrPSTTLxRJ+sY6xerNFeUR0tmsx+/jONlCbZTvGOU7bBn9ryurC4u0S+kD
        yRkWPf0AAAA=
    headers:
      content-encoding:
      - gzip
      content-length:
      - '179'
      content-type:
      - application/json
      date:
      - Tue, 14 Nov 2023 22:13:20 GMT
    status:
      code: 200
      message: OK
version: 1
"""


def entry(body=None, response=None, headers=None, status=200, **more):
    """An interaction whose `string` is `response`, as vcrpy lays it out."""
    return {
        "request": {
            "method": "POST",
            "uri": URL,
            "body": prompt() if body is None else body,
            "headers": {"Content-Type": ["application/json"]},
        },
        "response": {
            "status": {"code": status, "message": "OK"},
            "headers": {"Content-Type": ["application/json"], **(headers or {})},
            "body": {"string": answer() if response is None else response},
        },
        **more,
    }


def cassette(*entries):
    # By libyaml, as vcrpy does: PyYAML's own writer loses a line end such as U+0085.
    return yaml.dump(
        {"interactions": list(entries), "version": 1},
        Dumper=yaml.CSafeDumper,
        allow_unicode=True,
        sort_keys=False,
    )


def only(path, *entries):
    [made] = carried(imported(path, cassette(*entries)))
    return made


def test_a_cassette_of_httpx_becomes_a_recording(tmp_path):
    [made] = carried(imported(tmp_path / "a.yaml", HTTPX))
    assert (made.upstream, made.request.target) == (
        "http://127.0.0.1:8791/v1",
        "/v1/chat/completions",
    )
    assert orjson.loads(made.request.body)["messages"][0]["content"] == "hï"
    answered = orjson.loads(made.response.body)
    assert answered["choices"][0]["message"]["content"].startswith("Héllo")
    assert made.response.headers == (("content-type", "application/json"),)
    assert made.recorded_at == 1_700_000_000


def test_a_body_unpacked_under_a_header_that_says_gzip_is_taken_as_it_is(tmp_path):
    # So vcrpy keeps what it records of `requests`.
    made = only(tmp_path / "a.yaml", entry(headers={"Content-Encoding": ["gzip"]}))
    assert made.response.body == answer().encode()


def test_a_packed_body_is_unpacked(tmp_path):
    headers = {"content-encoding": ["gzip"]}
    made = only(tmp_path / "a.yaml", entry(response=packed(answer("é" * 99)), headers=headers))
    assert made.response.body == answer("é" * 99).encode()


def test_a_packed_body_that_was_cut_off_is_listed(tmp_path):
    headers = {"content-encoding": ["gzip"]}
    made = only(tmp_path / "a.yaml", entry(response=packed(answer())[:-9], headers=headers))
    assert made == NotCarried("2", "its compressed body is broken or cut off")


def test_repeated_requests_keep_their_order(tmp_path):
    says = [f"answer {n}" for n in range(5)]
    entries = [entry(response=answer(text)) for text in says]
    made = carried(imported(tmp_path / "a.yaml", cassette(*entries)))
    assert [answer(text).encode() for text in says] == [item.response.body for item in made]
    assert len({item.key for item in made}) == 1


def test_a_stream_kept_as_one_text_is_cut_into_frames(tmp_path):
    streamed = entry(
        prompt(stream=True), STREAM.decode(), {"Content-Type": ["text/event-stream; charset=utf-8"]}
    )
    made = only(tmp_path / "a.yaml", streamed)
    assert made.variant is Variant.SSE
    assert [frame.data for frame in made.response.frames] == sse.frames(STREAM)
    assert {frame.offset_ms for frame in made.response.frames} == {0}


def test_json_cassettes_are_read_too(tmp_path):
    text = orjson.dumps({"version": 1, "interactions": [entry(), entry(status=500)]}).decode()
    first, second = carried(imported(tmp_path / "a.json", text))
    assert first.response.body == answer().encode()
    assert second[:2] == ("$.interactions[1]", "its answer is an error, status 500")


def test_binary_and_base64_requests_keep_their_bytes(tmp_path):
    as_binary = entry(prompt().encode())
    as_base64 = entry({"base64_string": base64.b64encode(b"\xff\x00").decode()})
    as_base64["request"]["uri"] = "https://files.example.com/v1/files"
    as_base64["request"]["headers"] = {"content-type": "application/x"}
    first, second = carried(imported(tmp_path / "a.yaml", cassette(as_binary, as_base64)))
    assert first.request.body == prompt().encode()
    assert second.request.body == b"\xff\x00"
    assert second.upstream == "https://files.example.com/v1"


def test_the_time_of_recording_is_kept_where_it_stands(tmp_path):
    quoted = entry(recorded_at="2023-11-14T22:13:20.500+00:00")
    assert only(tmp_path / "a.yaml", quoted).recorded_at == 1_700_000_000.5
    bare = cassette(entry()).replace(
        "- request:", "- recorded_at: 2023-11-14T22:13:20Z\n  request:"
    )
    [made] = carried(imported(tmp_path / "b.yaml", bare))
    assert made.recorded_at == 1_700_000_000


def test_bodies_that_a_project_keeps_parsed_are_written_compactly(tmp_path):
    item = entry()
    item["request"]["parsed_body"] = orjson.loads(item["request"].pop("body"))
    item["response"]["parsed_body"] = orjson.loads(item["response"].pop("body")["string"])
    made = only(tmp_path / "a.yaml", item)
    assert made.request.body == prompt().encode()
    assert made.response.body == answer().encode()


def test_the_old_form_of_answers_to_httpx_is_read(tmp_path):
    item = entry()
    item["response"] = {
        "content": answer(),
        "headers": {"content-type": ["application/json"]},
        "http_version": "HTTP/1.1",
        "status_code": 200,
    }
    assert only(tmp_path / "a.yaml", item).response.body == answer().encode()


def test_shared_parts_of_a_file_are_read(tmp_path):
    headers = {"Content-Type": ["application/json"]}
    one, other = entry(), entry(prompt("other"))
    one["request"]["headers"] = other["request"]["headers"] = headers
    text = cassette(one, other)
    assert "&id001" in text
    made = carried(imported(tmp_path / "a.yaml", text))
    assert [item.request.content_type for item in made] == ["application/json"] * 2


def test_a_file_that_would_run_code_is_refused_with_its_line(tmp_path):
    text = "interactions:\n- !!python/object/apply:os.system ['touch ran']\n"
    with pytest.raises(CassetteError, match=r"a\.yaml: line 2: .*would run code"):
        imported(tmp_path / "a.yaml", text)


def test_tags_of_python_2_are_read_as_what_they_meant(tmp_path):
    text = cassette(entry()).replace(
        "Content-Type:\n      - application/json",
        "Content-Type: !!python/tuple\n      - !!python/unicode 'application/json'",
    )
    assert "python/tuple" in text
    [made] = carried(imported(tmp_path / "a.yaml", text))
    assert made.request.content_type == "application/json"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("promptdeck: 1\ninteractions:\n", "a cassette of promptdeck already"),
        ("- request: {}\n", "it has no `interactions`"),
        ("interactions: 3\n", "no list"),
        ("interactions:\n- at: 2023-99-99\n", "month must be in"),
        ("a: [", "line 2: did not find"),
        ("", "it has no `interactions`"),
    ],
)
def test_what_is_no_cassette_is_an_error(tmp_path, text, said):
    with pytest.raises(CassetteError, match=said):
        imported(tmp_path / "a.yaml", text)


def test_an_odd_interaction_is_listed_and_the_next_one_carried(tmp_path):
    odd = [{"request": {}}, "text", entry(3), entry()]
    made = carried(imported(tmp_path / "a.yaml", cassette(*odd)))
    assert [type(item) is NotCarried for item in made] == [True, True, True, False]
    assert made[0].place == "2"
    assert made[2].reason == "a body that is neither text nor bytes but int"


@given(
    st.lists(st.tuples(st.text(st.characters(codec="utf-8")), st.binary() | st.text()), max_size=3)
)
def test_any_body_that_vcrpy_keeps_comes_through(drawn):
    entries = [entry(sent.encode() or "x", came) for sent, came in drawn]
    for (_, came), found in zip(drawn, vcr.read(cassette(*entries)), strict=True):
        [frame] = found.frames
        assert frame.data == (came if isinstance(came, bytes) else came.encode())


def lines(*entries):
    return "".join(orjson.dumps(one).decode() + "\n" for one in entries)


@pytest.mark.parametrize("key", ["recordings", "records", "apiCalls", "x y"])
def test_pairs_under_any_key_and_one_a_line_are_read(tmp_path, key):
    whole = {"meta": {"tool": "own"}, key: [entry(), entry(prompt("b"))], "others": [1]}
    bare = {**entry(), "recordedAt": "2023-11-14T22:13:20Z"}
    files = {
        "a.json": orjson.dumps(whole).decode(),
        "b.yaml": yaml.safe_dump(whole),
        "c.jsonl": lines(bare, entry(prompt("b"))),
        "d.json": orjson.dumps([entry(), entry(prompt("b"))]).decode(),
    }
    for name, text in files.items():
        made = carried(imported(tmp_path / name, text))
        assert [one.request.body for one in made] == [prompt().encode(), prompt("b").encode()]
        assert [one.place for one in imported(tmp_path / name, text)]


def test_a_line_that_is_no_pair_is_listed_with_its_number(tmp_path):
    first, second = carried(imported(tmp_path / "a.jsonl", lines(entry(), {"a": 1})))
    assert first.response.body == answer().encode()
    assert second.place == "2"
    with pytest.raises(CassetteError, match="broken JSON"):
        imported(tmp_path / "b.jsonl", lines(entry()) + "{")


def test_a_stream_kept_as_its_pieces_is_put_together(tmp_path):
    pieces = [frame.decode() for frame in sse.frames(STREAM)]
    item = entry(prompt(stream=True), headers={"Content-Type": ["text/event-stream"]})
    for body in (pieces, {"string": STREAM.decode()}):
        item["response"]["body"] = body
        made = only(tmp_path / "a.yaml", item)
        assert made.response.body == STREAM
