"""Edits of cassette files: nothing is lost, and what they do not touch stays as it was."""

import signal
from collections import Counter

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from promptdeck.core.dialects.chat.accumulate import cut, says
from promptdeck.core.interaction import Frame, Request, Response, Variant
from promptdeck.core.matching.fingerprint import fingerprint, order
from promptdeck.core.matching.rules import Rules
from promptdeck.core.secrets.redact import Redactor
from promptdeck.errors import CassetteError, UsageError
from promptdeck.stores.cassettes.diff import compare
from promptdeck.stores.cassettes.edit import (
    content,
    dedupe,
    dedupe_anywhere,
    divide,
    prune,
    read_pieces,
)
from promptdeck.stores.cassettes.file import in_recorded_order, names, path_of, read, save
from promptdeck.stores.cassettes.merge import merge
from promptdeck.stores.cassettes.revise import Keep, fix, redact, rename_model
from promptdeck.stores.cassettes.verify import verify
from promptdeck.stores.cassettes.yaml import HEADER, dump
from tests.chats import WEATHER
from tests.recordings import (
    INTERACTIONS,
    ODD,
    REDACTOR,
    base_of,
    canon,
    chat_request,
    conversation,
    interaction,
    new,
    of,
    python,
    whole,
)

KEY = "sk-proj-" + "Ab1" * 16
# Few requests and answers, so that many are alike.
FEW = st.builds(
    interaction,
    st.sampled_from(["a", "b"]),
    st.sampled_from(["1", "2"]),
    at=st.sampled_from([1_700_000_000.0, 1_700_000_001.5]),
    stream=st.booleans(),
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.yaml"


def written(path, *interactions):
    """A file by hand: ids may clash, and nothing is sorted."""
    path.write_text(HEADER + "".join("\n" + dump(one) for one in interactions))
    return path.read_text()


def saved(path, *interactions):
    return save(path, [new(one) for one in interactions]).interactions


def contents(path):
    return Counter(content(one) for one in read(path))


def edited(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


# Never losing one


@settings(deadline=None, max_examples=30)
@given(st.lists(FEW | INTERACTIONS, max_size=8))
def test_deduping_leaves_the_first_of_each_content_in_order(tmp_path_factory, interactions):
    path = tmp_path_factory.mktemp("dedupe") / "x.yaml"
    written(path, *interactions)
    first = [
        one
        for n, one in enumerate(interactions)
        if content(one) not in map(content, interactions[:n])
    ]
    gone = dedupe_anywhere(path)
    assert read(path) == first
    assert len(gone) == len(interactions) - len(first)
    assert dedupe_anywhere(path) == []


def played(interactions, rules):
    """What replay gives to each request, asked as often as it was recorded."""
    laws = canon(rules)
    turns = {}
    for one in in_recorded_order(interactions, lambda one: one):
        answers = turns.setdefault((laws.canonical(one.request), one.variant), [])
        answers.append(one.response.body)
    return turns


ANY_ORDER = st.lists(
    st.builds(
        interaction,
        st.just("a"),
        st.sampled_from(["1", "2"]),
        at=st.sampled_from([1_700_000_000.0 + n for n in range(9)]),
        stream=st.booleans(),
        seed=st.sampled_from([1, 2]),
    ),
    max_size=9,
)


EARLY, LATE = 1_700_000_000.0, 1_700_000_001.0


@settings(deadline=None, max_examples=60)
@given(ANY_ORDER, st.booleans(), st.integers(1, 3))
# The stream that goes was the latest of its request, whose other variant stays.
@example(
    interactions=[
        interaction("a", "1", at=EARLY, stream=True, seed=2),
        interaction("a", "1", at=LATE, stream=True, seed=2),
        interaction("a", "2", at=LATE, stream=False, seed=1),
        interaction("a", "1", at=EARLY, stream=False, seed=2),
    ],
    ignoring=True,
    least=1,
)
def test_after_deduping_the_same_answers_come_in_the_same_order(
    tmp_path_factory, interactions, ignoring, least
):
    path = tmp_path_factory.mktemp("dedupe") / "x.yaml"
    written(path, *interactions)
    rules = Rules.build(["$.seed"] if ignoring else [])
    asked = canon(rules).canonical
    before = [played(interactions, laws) for laws in (Rules(), rules)]
    gone = dedupe(path, lambda one: asked(one.request), least=least)
    left = read(path)
    assert len(left) + len(gone) == len(interactions)
    for laws, turns in zip((Rules(), rules), before, strict=True):
        now = played(left, laws)
        assert now.keys() == turns.keys()
        for request, answers in turns.items():
            repeating = [*now[request], *[now[request][-1]] * len(answers)]
            assert repeating[: len(answers)] == answers
    fewest = played(left, rules)
    assert all(len(fewest[one]) >= min(least, len(answers)) for one, answers in before[1].items())
    assert dedupe(path, lambda one: asked(one.request), least=least) == []


def test_of_equal_answers_at_the_end_of_a_sequence_the_first_stays(path):
    texts = ["A", "B", "A", "A", "A"]
    ids = [one.id for one in saved(path, *(interaction("a", text) for text in texts))]
    assert dedupe(path, lambda one: one.key) == ids[3:]
    assert [says(one.response) for one in read(path)] == ["A", "B", "A"]


@settings(deadline=None, max_examples=30)
@given(st.lists(FEW | INTERACTIONS, max_size=8), st.sampled_from(["id", "variant", "constant"]))
def test_a_split_has_everything_and_its_merge_is_whole(tmp_path_factory, interactions, by):
    folder = tmp_path_factory.mktemp("split")
    text = written(folder / "x.yaml", *interactions)
    part_of = {"id": lambda one: one.id, "variant": lambda one: one.variant, "constant": str}[by]
    parts = divide(folder, "x", lambda one: str(part_of(one)) if by != "constant" else "")
    assert (folder / "x.yaml").read_text() == text
    assert sorted(names(folder)) == sorted(["x", *parts])
    together = [one for part in parts for one in read(path_of(folder, part))]
    assert sorted(map(repr, together)) == sorted(map(repr, interactions))
    assert divide(folder, "x", lambda one: str(part_of(one)) if by != "constant" else "") == parts


@settings(deadline=None, max_examples=30)
@given(st.lists(FEW | INTERACTIONS, max_size=6))
def test_mending_loses_nothing_and_then_verify_has_no_more_to_mend(tmp_path_factory, interactions):
    path = tmp_path_factory.mktemp("fix") / "x.yaml"
    written(path, *interactions)
    done = fix(path, REDACTOR)
    assert done.problems == []
    assert contents(path) == Counter(map(content, interactions))
    assert not [one for one in verify(path, REDACTOR) if " fix " in one.mend]
    assert fix(path, REDACTOR).changed == []


@settings(deadline=None, max_examples=30)
@given(st.lists(INTERACTIONS, max_size=4), st.sampled_from(["e", "content", "promptdeck"]))
def test_redaction_finds_nothing_the_second_time(tmp_path_factory, interactions, word):
    path = tmp_path_factory.mktemp("redact") / "x.yaml"
    redactor = Redactor.build([{"name": "word", "pattern": f"{word}{word}|{KEY}"}])
    written(path, *interactions)
    redact(path, redactor)
    assert redact(path, redactor).secrets == Counter()
    assert not [one for one in verify(path, redactor) if "secret" in one.text]


def test_a_process_killed_while_it_edits_leaves_a_whole_file(path):
    saved(path, *map(conversation, range(20)))
    before = contents(path)
    script = (
        "from promptdeck.stores.cassettes.revise import rename_model\n"
        "print('go', flush=True)\n"
        "for n in range(10**6):\n"
        "    rename_model(path, 'm' if n % 2 == 0 else 'n', 'n' if n % 2 == 0 else 'm', REDACTOR)\n"
    )
    process = python(script, path)
    assert process.stdout.readline() == "go\n", process.communicate()
    first = path.stat().st_mtime_ns
    while path.stat().st_mtime_ns == first:
        assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    rename_model(path, "n", "m", REDACTOR)
    assert contents(path) == before


# Merging


def test_ids_that_clash_are_numbered_on(tmp_path):
    ours, theirs = tmp_path / "a.yaml", tmp_path / "b.yaml"
    saved(ours, interaction("q", "1"), interaction("q", "2"))
    saved(theirs, interaction("q", "2"), interaction("q", "3"), interaction("q", "4"))
    merged = merge(ours, [theirs])
    stem = interaction("q").id.removesuffix("1")
    assert [one.id for one in read(ours)] == [f"{stem}{n}" for n in (1, 2, 3, 4)]
    assert [says(one.response) for one in read(ours)] == ["1", "2", "3", "4"]
    assert merged == (4, [f"{stem}1"], [(f"{stem}2", f"{stem}3"), (f"{stem}3", f"{stem}4")])
    assert verify(ours, REDACTOR) == []


def test_comments_come_along_and_the_sources_stay(tmp_path):
    ours, theirs, both = (tmp_path / f"{name}.yaml" for name in "abc")
    saved(ours, interaction("one"))
    saved(theirs, interaction("two"))
    edited(theirs, "\n- id:", "\n# the hard one\n- id:")
    edited(theirs, "  upstream:", "  # by way of the office\n  upstream:")
    before = ours.read_text(), theirs.read_text()
    merge(both, [ours, theirs])
    for text in before:
        assert text.removeprefix(HEADER) in both.read_text()
    assert (ours.read_text(), theirs.read_text()) == before


def test_a_merge_with_what_cannot_be_read_changes_nothing(path, tmp_path):
    text = written(path, interaction())
    (tmp_path / "bad.yaml").write_text("promptdeck: 9\n")
    with pytest.raises(CassetteError, match="version 9"):
        merge(path, [tmp_path / "bad.yaml"])
    assert path.read_text() == text


# Splitting, pruning, deduping


def test_parts_that_differ_in_case_share_a_file(tmp_path):
    written(tmp_path / "x.yaml", interaction("a"), interaction("b"), interaction("c"))
    parts = iter(["GPT", "gpt", "a/b: c"])
    found = divide(tmp_path, "x", lambda one: next(parts))
    assert list(found) == ["x/GPT", "x/a-b-c"]
    assert len(read(tmp_path / "x" / "GPT.yaml")) == 2


def test_a_part_that_holds_something_else_stops_a_split_before_it_begins(tmp_path):
    written(tmp_path / "x.yaml", interaction("a"), interaction("b"))
    (tmp_path / "x").mkdir()
    written(tmp_path / "x" / "b.yaml", interaction("c"))
    parts = iter("ab")
    with pytest.raises(UsageError, match="there is a cassette x/b already"):
        divide(tmp_path, "x", lambda one: next(parts))
    assert names(tmp_path) == ["x", "x/b"]


def test_pruning_takes_out_what_it_is_told_with_its_comments(path):
    first, second = saved(path, conversation(1), conversation(2))
    edited(path, f"- id: {first.id}", f"# old\n- id: {first.id}")
    edited(path, f"- id: {second.id}", f"# good\n- id: {second.id}")
    assert prune(path, {first.id, "nobody"}, dry=True) == [first.id]
    assert len(read(path)) == 2
    assert prune(path, {first.id, "nobody"}) == [first.id]
    assert path.read_text() == HEADER + "\n# good\n" + dump(second)
    assert prune(path, {second.id}) == [second.id]
    assert read(path) == []
    assert saved(path, conversation(3))[0] in read(path)


def test_duplicates_may_differ_in_time_and_not_in_a_byte(path):
    one = interaction("a", "x", stream=True)
    slower = one._replace(
        recorded_at=one.recorded_at + 60,
        response=Response(
            200,
            one.response.headers,
            tuple(Frame(ms * 2, data) for ms, data in one.response.frames),
        ),
    )
    other = one._replace(response=Response(201, one.response.headers, one.response.frames))
    kept = saved(path, one, slower, other, interaction("a", "x"))
    assert dedupe_anywhere(path, dry=True) == [kept[1].id]
    assert len(read(path)) == 4
    assert dedupe_anywhere(path) == [kept[1].id]
    assert read(path) == [kept[0], kept[2], kept[3]]


# Renaming a model


def test_a_model_is_renamed_wherever_it_is_named_so(path):
    dated = orjson.dumps({"model": "m-2024", "choices": []})
    saved(
        path,
        interaction("whole"),
        interaction("stream", stream=True),
        of(
            Request("POST", "/v1/chat/completions", "application/json", b'{"model":["m"]}'),
            whole("x"),
        ),
        of(chat_request("dated"), Response(200, (), (Frame(1, dated),))),
        of(chat_request("other", model="mm"), Response(200, (), (Frame(1, b"model m"),))),
    )
    before = {one.request.body: one for one in read(path)}
    done = rename_model(path, "m", "n", REDACTOR)
    assert len(done.changed) == 4
    for one in read(path):
        old = before[one.request.body.replace(b'"n"', b'"m"')]
        assert one.response.body == old.response.body.replace(b'"model":"m"', b'"model":"n"')
        assert one.key == fingerprint(base_of(one.request))
        assert one.key[3:11] in one.id
    assert dated in [one.response.body for one in read(path)]
    assert verify(path, REDACTOR) == []
    assert rename_model(path, "m", "n", REDACTOR).changed == []


def test_requests_that_become_one_are_numbered_after_what_is_there(path):
    saved(path, interaction("q", "1", model="n"), interaction("q", "2"), interaction("q", "3"))
    rename_model(path, "m", "n", REDACTOR)
    stem = interaction("q", model="n").id.removesuffix("1")
    assert [(one.id, says(one.response)) for one in read(path)] == [
        (f"{stem}{n}", str(n)) for n in (1, 2, 3)
    ]


# Redacting


def test_secrets_are_counted_and_keys_made_again(path):
    request = chat_request(f"my key is {KEY}")._replace(target="/v1/chat/completions?key=s3cret")
    holder = of(request, whole(f"{KEY}", (("x-debug", KEY),)))._replace(key="p1:old")
    text = written(path, interaction("clean"), holder)
    done = redact(path, REDACTOR, dry=True)
    assert path.read_text() == text
    assert done == redact(path, REDACTOR)
    assert done.secrets == {"openai": 3, "query": 1}
    assert [old for old, _ in done.changed] == [holder.id]
    assert verify(path, REDACTOR) == []
    assert KEY not in path.read_text()
    assert {one.redacted for one in read(path)} == {0, 4}
    assert dump(interaction("clean")) in path.read_text()


def test_an_edited_text_is_not_lost_in_another_edit(path):
    written(path, interaction("one", "Hello there", stream=True), interaction("two"))
    edited(path, "says: Hello there", "says: Hello where")
    text = path.read_text()
    with pytest.raises(CassetteError, match="run promptdeck cassette fix first"):
        rename_model(path, "m", "n", REDACTOR)
    assert redact(path, REDACTOR).problems[0].startswith(f"{path}:5: `says`")
    assert path.read_text() == text
    assert dedupe_anywhere(path) == []
    prune(path, {interaction("two").id})
    assert "says: Hello where" in path.read_text()


# Mending


def test_an_edited_prompt_gets_its_key_and_its_place_and_keeps_its_comments(path):
    saved(path, *map(conversation, range(6)))
    edited(path, "Question 3\n", "Another question\n")
    edited(path, "    method: POST", "    # mind the verb\n    method: POST")
    lines = Counter(path.read_text().splitlines())
    assert len(fix(path, REDACTOR).changed) == 1
    assert verify(path, REDACTOR) == []
    ids = [one.id for one in read(path)]
    assert ids == sorted(ids, key=order)
    differing = lines - Counter(path.read_text().splitlines())
    assert sorted(line.split()[-2] for line in differing) == ["id:", "key:"]


def test_an_edited_text_is_what_the_stream_says_then(path):
    written(path, interaction("one", "Hello there", stream=True), interaction("two"))
    edited(path, "\n- id", "\n# keep me\n- id")
    edited(path, "says: Hello there", "says: Goodbye my friend")
    assert len(fix(path, REDACTOR, dry=True).changed) == 1
    assert says(read(path)[0].response) == "Hello there"
    assert len(fix(path, REDACTOR).changed) == 1
    [first, second] = read(path)
    assert says(first.response) == "Goodbye my friend"
    assert second == interaction("two")
    assert "# keep me" in path.read_text()
    assert "says: Goodbye my friend" in path.read_text()
    assert verify(path, REDACTOR) == []


def test_whether_text_or_frames_were_edited_is_told_by_the_file_before(path):
    written(path, interaction("one", "Hello there", stream=True))
    before = read_pieces(path)
    edited(path, '{content: "there"}', '{content: "where"}')
    assert fix(path, REDACTOR, before=lambda: before).problems == []
    assert "says: Hello where" in path.read_text()
    edited(path, "says: Hello where", "says: Hello you")
    [problem] = fix(path, REDACTOR, before=lambda: before).problems
    assert problem.startswith(f"{path}:5: both `says` and the frames were edited")
    assert "says: Hello you" in path.read_text()


@pytest.mark.parametrize(("keep", "text"), [("says", "Hello you"), ("frames", "Hello where")])
def test_a_person_can_decide_what_counts(path, keep, text):
    written(path, interaction("one", "Hello there", stream=True))
    before = read_pieces(path)
    edited(path, '{content: "there"}', '{content: "where"}')
    edited(path, "says: Hello there", "says: Hello you")
    assert fix(path, REDACTOR, before=lambda: before, keep=Keep(keep)).problems == []
    assert says(read(path)[0].response) == text
    assert verify(path, REDACTOR) == []


def test_a_text_that_no_stream_can_say_is_told_and_the_rest_is_mended(path):
    frames = tuple(Frame(9, data) for data in cut(WEATHER, include_usage=False))
    calls = of(chat_request("x"), Response(200, (("content-type", "text/event-stream"),), frames))
    written(path, calls, ODD["binary"]._replace(key="p1:old"))
    edited(path, 'weather({"city":"Paris"})', 'weather({"city":"Rome"})')
    done = fix(path, REDACTOR)
    [problem] = done.problems
    assert problem.startswith(f"{path}:5: `says` was edited")
    assert done.changed == [(ODD["binary"].id, ODD["binary"].id)]
    assert read(path) == [calls, ODD["binary"]]
    assert 'weather({"city":"Rome"})' in path.read_text()


def test_ids_that_clash_are_numbered_in_their_order_and_a_chosen_one_stays(path):
    first, second, third = (interaction("q", str(n)) for n in range(3))
    stem = first.id.removesuffix("1")
    mine = interaction("z")._replace(id="mine")
    written(path, first, second, third._replace(id=f"{stem}2"), mine, mine)
    fix(path, REDACTOR)
    assert [one.id for one in read(path)] == [f"{stem}1", f"{stem}2", f"{stem}3", "mine", "mine-1"]
    assert [says(one.response) for one in read(path)[:3]] == ["0", "1", "2"]


def test_a_time_too_exact_is_rounded(path):
    written(path, interaction("one"))
    edited(path, "20.123Z", "20.1234567Z")
    fix(path, REDACTOR)
    assert verify(path, REDACTOR) == []


def test_a_file_in_another_layout_is_edited_too(path):
    text = written(path, interaction("one"), interaction("two", "Hello", stream=True))
    items = text.removeprefix(HEADER).replace("\n", "\n  ").rstrip(" ")
    path.write_text(f"interactions:\n{items}promptdeck: 1\n")
    assert len(read(path)) == 2
    prune(path, {interaction("one").id})
    assert read(path) == [interaction("two", "Hello", stream=True)]


def test_a_link_stays_one_and_a_missing_folder_is_one_line(path, tmp_path):
    written(path, interaction("a"), interaction("a"))
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    dedupe_anywhere(link)
    assert link.is_symlink()
    assert len(read(path)) == 1
    with pytest.raises(CassetteError, match="cannot be written: No such file"):
        dedupe_anywhere(tmp_path / "none" / "x.yaml")


# Comparing


def test_a_cassette_is_the_same_as_its_rerecording_with_other_ids_and_times():
    ours = [interaction("a"), interaction("b", stream=True)]
    theirs = [one._replace(recorded_at=1.0, id=f"other-{one.variant}") for one in ours]
    found = compare(ours, theirs)
    assert not found.differs
    assert found.same == 2


def test_what_is_said_otherwise_and_what_is_missing_is_told():
    one, other = interaction("a", "Take the\nnight train."), interaction("a", "Take the\nbus.")
    lone, extra = interaction("b"), interaction("a", stream=True)
    found = compare([one, lone], [other, extra])
    assert (found.only_ours, found.only_theirs) == ([lone], [extra])
    [(ours, theirs, diff)] = found.differing
    assert (ours, theirs) == (one, other)
    assert "-night train.\n+bus." in diff
    assert extra.variant is Variant.SSE


@given(st.lists(FEW, max_size=6), st.lists(FEW, max_size=6))
def test_every_recording_is_told_of_once(ours, theirs):
    found = compare(ours, theirs)
    pairs = len(found.differing) + found.same
    assert (len(found.only_ours) + pairs, len(found.only_theirs) + pairs) == (
        len(ours),
        len(theirs),
    )


# What repeats an answer that was edited


def turns(path, answer, stream):
    """A conversation of two turns, the second of which has the first one's answer."""
    asked = [{"role": "user", "content": "hi"}]
    later = [*asked, {"role": "assistant", "content": answer}, {"role": "user", "content": "why?"}]
    return saved(
        path,
        interaction("hi", answer, stream=stream, messages=asked),
        interaction("why", "because", stream=stream, messages=later),
    )


def test_fixing_an_edited_text_names_the_later_request_that_repeats_the_old_one(path):
    first, second = turns(path, "Four", True)
    edited(path, "says: Four", "says: Five")
    done = fix(path, REDACTOR)
    line = next(piece.line for piece in read_pieces(path) if piece.interaction == second)
    [warning] = done.warnings
    assert warning.startswith(
        f"{path}:{line}: the request of {second.id} repeats the old answer of {first.id}: "
    )
    assert done.problems == []
    assert list(fix(path, REDACTOR).warnings) == []


def test_of_a_whole_answer_the_committed_file_tells_what_it_said(path):
    turns(path, "Four times nine is thirty-six.", False)
    before = read_pieces(path)
    edited(path, "content: Four times nine is thirty-six.", "content: Forty-two.")
    assert len(fix(path, REDACTOR, before=lambda: before).warnings) == 1
    assert list(fix(path, REDACTOR).warnings) == []


def test_a_text_that_is_still_said_or_that_nobody_repeats_is_no_warning(path):
    turns(path, "Four", True)
    edited(path, "says: because", "says: whatever")
    assert list(fix(path, REDACTOR).warnings) == []


# A model's name, in the way that a provider writes


def test_renaming_a_model_leaves_a_provider_s_own_layout(path):
    body = b'{\n  "id": "c",\n  "model": "m",\n  "choices": []\n}\n'
    response = Response(200, (("content-type", "application/json"),), (Frame(3, body),))
    saved(path, of(chat_request("a"), response))
    rename_model(path, "m", r"o\1/m\n", REDACTOR)
    [one] = read(path)
    assert one.response.body == body.replace(b'"m"', orjson.dumps(r"o\1/m\n"))


def test_a_secret_in_the_upstream_s_url_goes_too(path):
    one = interaction()._replace(upstream="https://api.example.com/v1?api_key=abcdefghijklmnop")
    saved(path, one)
    done = redact(path, REDACTOR)
    assert done.secrets == Counter(upstream=1)
    assert "abcdefghijklmnop" not in path.read_text()
    assert verify(path, REDACTOR) == []
