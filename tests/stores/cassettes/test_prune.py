"""Recordings taken out: those that were chosen, and nothing that replay needs."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.interaction import Frame, Response
from promptdeck.core.matching.rules import Rules
from promptdeck.stores.cassettes.dump import HEADER, dump
from promptdeck.stores.cassettes.edit import content
from promptdeck.stores.cassettes.file import in_recorded_order, read
from promptdeck.stores.cassettes.prune import dedupe, dedupe_anywhere, prune
from tests.recordings import (
    FEW,
    INTERACTIONS,
    canon,
    conversation,
    interaction,
)
from tests.stores.cassettes import edited, saved, written


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


def turns(path, answer, stream):
    """A conversation of two turns, the second of which has the first one's answer."""
    asked = [{"role": "user", "content": "hi"}]
    later = [*asked, {"role": "assistant", "content": answer}, {"role": "user", "content": "why?"}]
    return saved(
        path,
        interaction("hi", answer, stream=stream, messages=asked),
        interaction("why", "because", stream=stream, messages=later),
    )


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
    assert [CHAT.says(one.response) for one in read(path)] == ["A", "B", "A"]


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
