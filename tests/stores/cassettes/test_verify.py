"""What `verify` finds, on which line, and what it lets pass."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.interaction import Frame, Request, Response, Variant
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text import sse
from promptdeck.errors import CassetteError
from promptdeck.stores.cassettes.dump import HEADER, dump
from promptdeck.stores.cassettes.redact import redact
from promptdeck.stores.cassettes.save import save
from promptdeck.stores.cassettes.verify import Flaw, verify
from tests.chats import TEXT
from tests.recordings import ODD, REDACTOR, chat_request, chunk, interaction, new, of, whole
from tests.stores.cassettes import without_digests

KEY = "sk-proj-" + "Ab1" * 16


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.yaml"


def written(path, *interactions):
    path.write_text(HEADER + "".join("\n" + dump(one) for one in interactions))
    return path.read_text()


def line_of(text, part):
    return text[: text.index(part)].count("\n") + 1


def test_a_sound_file_has_no_problem(path):
    save(path, [new(one) for one in ODD.values()])
    assert verify(path, REDACTOR) == []


@given(prompt=TEXT, answer=TEXT, stream=st.booleans())
def test_what_is_recorded_is_sound(tmp_path_factory, prompt, answer, stream):
    path = tmp_path_factory.mktemp("sound") / "x.yaml"
    save(path, [new(interaction(prompt, answer, stream=stream))])
    assert verify(path, REDACTOR) == []


def test_an_edited_prompt_is_found_on_the_line_of_its_interaction(path):
    text = written(path, interaction("one"), interaction("two"))
    path.write_text(text.replace("content: two", "content: three"))
    [problem] = verify(path, REDACTOR)
    assert problem.place == f"{path}:{line_of(text, interaction('two').id)}"
    assert problem.text.startswith("the request was edited: its key is p")
    assert problem.text.endswith(f"now, the file says {interaction('two').key}")
    assert problem.mend == "run promptdeck cassette fix x"
    assert str(problem) == f"{problem.place}: {problem.text}; {problem.mend}"


def test_what_does_not_count_in_a_request_is_altered_too(path):
    text = written(path, interaction("one", user="ann"))
    path.write_text(text.replace("user: ann", "user: bob"))
    [problem] = verify(path, REDACTOR)
    assert problem.text.startswith(f"the request of {interaction('one', user='ann').id} was edited")
    without_digests(path)
    assert verify(path, REDACTOR) == []


def test_an_edited_text_that_is_not_what_the_frames_say_is_found(path):
    text = written(path, interaction("one"), interaction("two", "Hello there", stream=True))
    path.write_text(text.replace("says: Hello there", "says: Hello where"))
    [problem] = verify(path, REDACTOR)
    assert problem.place == f"{path}:{line_of(text, interaction('two').id)}"
    assert problem.text == "`says` does not tell what the frames say"
    without_digests(path)
    assert [one.text for one in verify(path, REDACTOR)] == [problem.text]


def test_an_answer_that_was_altered_is_found_with_both_ways_out(path):
    text = written(path, interaction("one", "Hello there"))
    path.write_text(text.replace("content: Hello there", "content: Hello where"))
    [problem] = verify(path, REDACTOR)
    name = interaction("one", "Hello there").id
    assert str(problem) == (
        f"{path}:5: the answer of {name} was edited, or altered by a tool, since it was recorded;"
        " if that is meant, run promptdeck cassette fix x, else restore the file"
    )


def test_edited_frames_are_found_as_well_and_a_missing_text_is_not(path):
    text = written(path, interaction("two", "Hello there", stream=True))
    path.write_text(text.replace('{content: "there"}', '{content: "where"}'))
    assert len(verify(path, REDACTOR)) == 1
    path.write_text(text.replace("    says: Hello there\n", ""))
    assert verify(path, REDACTOR) == []


def test_an_id_that_stands_twice_is_found_at_both_places(path):
    text = written(path, interaction("one"), interaction("two"), interaction("one"))
    problems = verify(path, REDACTOR)
    name = interaction("one").id
    assert [problem.place for problem in problems] == [
        f"{path}:{line_of(text, name)}",
        f"{path}:{text[: text.rindex(name)].count(chr(10)) + 1}",
    ]
    assert all("stands more than once" in problem.text for problem in problems)


def test_a_time_that_would_not_be_written_again_is_found(path):
    text = written(path, interaction("one"))
    path.write_text(text.replace("20.123Z", "20.1234567Z"))
    [problem] = verify(path, REDACTOR)
    assert "cannot be written as YAML without loss" in problem.text


IN_TWO = (chunk({"content": KEY[:8]}), chunk({"content": KEY[8:]}), chunk({}, "stop"))
SPREAD = Response(
    200,
    (("content-type", "text/event-stream"),),
    tuple(Frame(n, sse.encode(orjson.dumps(item))) for n, item in enumerate(IN_TWO)),
)
SECRETS = {
    "request": (of(chat_request(f"my key is {KEY}"), whole("ok")), "openai"),
    "target": (of(Request("GET", "/v1/files?key=s3cret", "", b""), whole("ok")), "query"),
    "answer": (of(chat_request("x"), whole(f"your key is {KEY}")), "openai"),
    "stream": (of(chat_request("x", stream=True), SPREAD, Variant.SSE), "openai"),
    "header": (of(chat_request("x"), whole("ok", (("x-debug", f"key {KEY}"),))), "openai"),
}


@pytest.mark.parametrize("place", SECRETS)
def test_a_secret_is_found_by_its_kind_and_not_shown(path, place):
    holder, kind = SECRETS[place]
    text = written(path, interaction("one"), holder)
    assert verify(path, REDACTOR) == [
        Flaw(
            f"{path}:{line_of(text, holder.id)}",
            f"it holds what looks like a secret: {kind}",
            "run promptdeck cassette redact x and, if others may have seen the secret, revoke it",
        )
    ]


def test_a_pattern_of_the_users_own_is_a_secret_too(path):
    written(path, interaction("one", "Ask for ACME-4711."))
    redactor = Redactor.build([{"name": "acme", "pattern": r"ACME-\d+"}])
    assert [problem.text for problem in verify(path, redactor)] == [
        "it holds what looks like a secret: acme"
    ]


def test_one_interaction_may_have_several_problems(path):
    text = written(path, interaction("one", f"key {KEY}", stream=True))
    path.write_text(text.replace("content: one", "content: two").replace("says: ", "says: No, "))
    problems = verify(path, REDACTOR)
    assert len(problems) == 3
    assert len({problem.place for problem in problems}) == 1


def test_a_file_that_cannot_be_read_is_an_error_with_its_line(path):
    text = written(path, interaction("one"))
    path.write_text(text.replace("  variant: json", "  variant: tape"))
    with pytest.raises(CassetteError, match=rf"x\.yaml:{line_of(text, '- id')}: "):
        verify(path, REDACTOR)
    with pytest.raises(CassetteError, match="No such file"):
        verify(path.with_name("y.yaml"), REDACTOR)


def test_a_secret_that_a_person_wrote_beside_a_recording_is_found(path):
    written(path, interaction("one"), interaction("two"))
    text = path.read_text().replace("\n- id", f"\n# was recorded with {KEY}\n- id", 1)
    path.write_text(text)
    [problem] = verify(path, REDACTOR)
    line = text[: text.index(KEY)].count("\n") + 1
    assert problem.place == f"{path}:{line}"
    assert "take it out of the comment" in problem.mend
    assert KEY not in str(problem)


def test_a_secret_in_the_upstream_s_url_is_found(path):
    written(path, interaction()._replace(upstream="https://a.example/v1?api_key=0123456789abcdef"))
    assert [problem.text for problem in verify(path, REDACTOR)] == [
        "it holds what looks like a secret: query"
    ]


def test_progress_goes_from_entry_to_entry_and_to_the_end(path):
    written(path, *(interaction(f"{n}") for n in range(9)))
    shares = []
    verify(path, REDACTOR, step=shares.append)
    assert len(shares) == 10
    assert shares == sorted(shares)
    assert shares[-1] == 1
    edits = []
    redact(path, REDACTOR, step=edits.append)
    assert edits == sorted(edits)
    assert edits[-1] == 1


def test_a_file_that_never_had_digests_is_sound(path):
    written(path, interaction("one"), interaction("two"))
    without_digests(path)
    assert verify(path, REDACTOR) == []


def test_an_old_file_is_sound_when_one_of_its_recordings_was_redacted(path):
    text = written(path, interaction("one"), interaction(f"see {KEY}"), interaction("three"))
    assert KEY in text
    without_digests(path)
    assert len(verify(path, REDACTOR)) > 0
    redact(path, REDACTOR)
    assert KEY not in path.read_text()
    assert verify(path, REDACTOR) == []
