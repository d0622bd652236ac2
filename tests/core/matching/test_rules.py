"""The user's rules: paths that are left out, texts that are replaced, and their digest."""

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptdeck.core.matching.rules import (
    PRESETS,
    PathStep,
    Rules,
    parse_path,
    parse_replacement,
)
from promptdeck.core.text.jsontext import same
from promptdeck.core.text.paths import child_path

NAME = st.text("ab_-'\"\\]. \n\x00é", max_size=4) | st.text(max_size=6)
KEYS = st.lists(NAME | st.integers(0, 10**6), min_size=1, max_size=5)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab1-", max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAME, inner, max_size=4),
    max_leaves=15,
)


def path_to(keys):
    path = "$"
    for key in keys:
        path = child_path(path, key)
    return path


def places(value, keys=()):
    """The keys that lead to each place below the root."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in pairs:
        yield (*keys, key)
        if isinstance(item, dict | list):
            yield from places(item, (*keys, key))


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("$.user", [PathStep("user")]),
        ("$.messages[0].tool-id", [PathStep("messages"), PathStep(0), PathStep("tool-id")]),
        ("$.messages[*].*", [PathStep("messages"), PathStep(None), PathStep(None)]),
        ("$['a key'][10]", [PathStep("a key"), PathStep(10)]),
        ('$["a key"]', [PathStep("a key")]),
        ("$..name", [PathStep("name", deep=True)]),
        ("$..['a key']", [PathStep("a key", deep=True)]),
        ("$..*", [PathStep(None, deep=True)]),
        ("$..[*].a..[0]", [PathStep(None, deep=True), PathStep("a"), PathStep(0, deep=True)]),
        ("$.größe", [PathStep("größe")]),
        ("$['']", [PathStep("")]),
        (r"$['it\'s']", [PathStep("it's")]),
        (r"""$["it's"]""", [PathStep("it's")]),
        (r"""$['say "a"']""", [PathStep('say "a"')]),
        (r"""$["say \"a\""]""", [PathStep('say "a"')]),
        (r"$['\\']['\\\'']", [PathStep("\\"), PathStep("\\'")]),
        (r"$['\b\f\n\r\t\/\u000b']", [PathStep("\b\f\n\r\t/\x0b")]),
        (r"$['\u00e9\ud83d\ude00']", [PathStep("é😀")]),
        ("$['a.b']['c]']['*']", [PathStep("a.b"), PathStep("c]"), PathStep("*")]),
    ],
)
def test_a_path_is_read_step_by_step(text, steps):
    assert parse_path(text) == tuple(steps)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "a JSON path starts with $ and names something below it, not ''"),
        ("$", "a JSON path starts with $ and names something below it, not '$'"),
        ("messages", "a JSON path starts with $ and names something below it, not 'messages'"),
        ("$.a b", "cannot read ' b' in JSON path '$.a b'"),
        ("$.a.", "cannot read '.' in JSON path '$.a.'"),
        ("$.[0]", "cannot read '.[0]' in JSON path '$.[0]'"),
        ("$..", "cannot read '..' in JSON path '$..'"),
        ("$...a", "cannot read '...a' in JSON path '$...a'"),
        ("$a", "cannot read 'a' in JSON path '$a'"),
        ("$[-1]", "cannot read '[-1]' in JSON path '$[-1]'"),
        ("$[01]", "cannot read '[01]' in JSON path '$[01]'"),
        ("$[٣]", "cannot read '[٣]' in JSON path '$[٣]'"),
        ("$[1:2]", "cannot read '[1:2]' in JSON path '$[1:2]'"),
        ("$['a','b']", '''cannot read "['a','b']" in JSON path "$['a','b']"'''),
        ("$[?@.a]", "cannot read '[?@.a]' in JSON path '$[?@.a]'"),
        ("$['a]", '''cannot read "['a]" in JSON path "$['a]"'''),
        (r"$['\x41']", r"cannot read the name '\x41' in a JSON path"),
        (r"$['\ud83d']", r"cannot read the name '\ud83d' in a JSON path"),
        ("$['a\nb']", "cannot read the name 'a\nb' in a JSON path"),
        ("$.a\n", r"cannot read '\n' in JSON path '$.a\n'"),
    ],
)
def test_a_path_that_cannot_be_read_says_where(text, complaint):
    with pytest.raises(ValueError) as error:
        parse_path(text)
    assert str(error.value) == complaint


@given(KEYS)
@example(["']", "\\'", '"', "\n", "é", "a-b", "", "*", "\ue000", "\x7f"])
def test_a_place_is_read_back_from_its_path(keys):
    assert parse_path(path_to(keys)) == tuple(map(PathStep, keys))


@given(st.lists(NAME, min_size=1))
def test_normalized_paths_are_read(names):
    escapes = {code: f"\\u{code:04x}" for code in range(32)}
    short = {"\b": r"\b", "\t": r"\t", "\n": r"\n", "\f": r"\f", "\r": r"\r"}
    escapes |= str.maketrans(short | {"'": r"\'", "\\": r"\\"})
    normalized = "$" + "".join(f"['{name.translate(escapes)}']" for name in names)
    assert parse_path(normalized) == tuple(map(PathStep, names))


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("model", "$.model"),
        ("_a1", "$._a1"),
        (0, "$[0]"),
        ("0", "$['0']"),
        ("1st", "$['1st']"),
        ("a b", "$['a b']"),
        ("a-b", "$['a-b']"),
        ("", "$['']"),
        ("it's", r"$['it\'s']"),
        ('"', """$['"']"""),
        ("\\", r"$['\\']"),
        ("a\n", r"$['a\n']"),
        ("\x0b\x1f", r"$['\u000b\u001f']"),
        ("é", "$['é']"),
    ],
)
def test_names_are_quoted_only_where_they_must_be(key, path):
    assert child_path("$", key) == path


@given(st.text())
def test_any_text_is_a_path_or_a_value_error(text):
    with suppress(ValueError):
        assert all(isinstance(step, PathStep) for step in parse_path(f"$.a{text}"))


def applied(value, *ignore):
    return Rules.build(ignore=ignore).applied(value, "")[::2]


def test_a_member_is_left_out():
    assert applied({"user": 1, "n": 2}, "$.user") == ({"n": 2}, ["$.user"])


def test_an_item_leaves_a_null_in_its_place():
    assert applied([1, 2, 3], "$[1]") == ([1, None, 3], ["$[1]"])


def test_a_wildcard_reaches_every_child():
    value = {"messages": [{"id": 1, "a": 2}, "text", {"id": 3}], "id": 4}
    left, dropped = applied(value, "$.messages[*].id")
    assert left == {"messages": [{"a": 2}, "text", {}], "id": 4}
    assert dropped == ["$.messages[0].id", "$.messages[2].id"]


def test_two_dots_reach_any_depth():
    value = {"a": {"a": 1, "b": {"a": 2}}, "list": [{"a": 3}], "c": "a"}
    assert applied(value, "$.list..a") == ({**value, "list": [{}]}, ["$.list[0].a"])
    assert applied(value, "$..b.a") == (
        {**value, "a": {"a": 1, "b": {}}},
        ["$.a.b.a"],
    )
    assert applied(value, "$..a") == ({"list": [{}], "c": "a"}, ["$.a", "$.list[0].a"])


def test_a_key_and_an_index_are_never_the_same():
    value = {"0": ["a"], "1": {"0": "b"}}
    assert applied(value, "$.*[0]") == ({"0": [None], "1": {"0": "b"}}, ["$['0'][0]"])
    assert applied(value, "$.*['0']") == ({"0": ["a"], "1": {}}, ["$['1']['0']"])


def test_a_path_that_leads_nowhere_changes_nothing():
    value = {"a": [1, {"b": None}], "c": "text"}
    assert applied(value, "$.x.y", "$.a[9]", "$.c.d", "$.a[1].b.c", "$..z") == (value, [])
    assert applied("text", "$.a", "$..a", "$.*") == ("text", [])


@given(VALUE.filter(lambda value: isinstance(value, dict | list) and value), st.data())
def test_exactly_the_named_place_is_left_out(value, data):
    *above, last = keys = data.draw(st.sampled_from(list(places(value))))
    before = repr(value)
    left, dropped = applied(value, path_to(keys))
    assert dropped == [path_to(keys)]
    assert repr(value) == before
    parent = value
    for key in above:
        parent = parent[key]
    if isinstance(parent, list):
        parent[last] = None
    else:
        del parent[last]
    assert same(left, value)


@given(VALUE)
def test_without_rules_nothing_changes(value):
    left, dropped = Rules().applied(value, "")[::2]
    assert same(left, value)
    assert dropped == []


@given(VALUE, st.lists(st.sampled_from(["$.*", "$..*", "$[*].*", "$[0]", "$..a", "$.a..b"])))
def test_what_is_dropped_is_a_place_in_the_value_and_dropping_again_changes_nothing(value, ignore):
    rules = Rules.build(ignore=ignore)
    left, dropped = rules.applied(value, "")[::2]
    below = set(map(path_to, places(value))) if isinstance(value, dict | list) else set()
    assert set(dropped) <= below
    assert same(rules.applied(left, "")[0], left)


@pytest.mark.parametrize(
    ("preset", "text", "expected"),
    [
        ("uuid", "id 9F1C2B3A-0000-4000-8000-00000000abcd.", "id <uuid>."),
        ("uuid", "x9f1c2b3a-0000-4000-8000-00000000abcd", "x9f1c2b3a-0000-4000-8000-00000000abcd"),
        ("iso-time", "at 2026-01-31T23:59:59.123Z, then", "at <time>, then"),
        ("iso-time", "at 2026-01-31 23:59", "at <time>"),
        ("iso-time", "at 2026-01-31T23:59:59+02:00", "at <time>"),
        ("iso-time", "on 2026-01-31", "on 2026-01-31"),
        ("date", "Today is 2026-01-31.", "Today is <date>."),
        ("date", "part 12026-01-311", "part 12026-01-311"),
    ],
)
def test_presets_replace_what_changes_from_run_to_run(preset, text, expected):
    assert Rules.build(replace=[preset]).applied(None, text)[1] == expected


def test_text_is_replaced_in_every_string_and_in_no_key():
    rules = Rules.build(replace=[{"pattern": r"run-(\d+)", "with": r"run-N"}])
    value = {"run-1": ["run-2 and run-3", 4, None, True, {"a": "run-5"}]}
    replaced = {"run-1": ["run-N and run-N", 4, None, True, {"a": "run-N"}]}
    assert rules.applied(value, "run-7") == (replaced, "run-N", [])


def test_a_replacement_may_keep_a_group():
    rules = Rules.build(replace=[{"pattern": r"(\w+)-\d+", "with": r"\1-N"}])
    assert rules.applied(None, "job-17")[1] == "job-N"


def test_replacements_apply_in_their_order():
    rules = Rules.build(replace=[{"pattern": "a", "with": "b"}, {"pattern": "b", "with": "c"}])
    assert rules.applied(None, "ab")[1] == "cc"


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("uid", f"no preset 'uid'; there are {', '.join(PRESETS)}"),
        ({"pattern": "a"}, "wants a preset's name or the two texts `pattern` and `with`"),
        (
            {"pattern": "a", "with": "b", "flags": "i"},
            "wants a preset's name or the two texts `pattern` and `with`",
        ),
        (
            {"pattern": "a", "with": 5},
            "wants a preset's name or the two texts `pattern` and `with`",
        ),
        (
            {"pattern": "(", "with": ""},
            "'(' is not a regular expression: missing ), unterminated subpattern at position 0",
        ),
        (
            {"pattern": "a", "with": r"\2"},
            r"'\\2' cannot replace 'a': invalid group reference 2 at position 1",
        ),
        (
            {"pattern": "a", "with": r"\g<x>"},
            r"'\\g<x>' cannot replace 'a': unknown group name 'x'",
        ),
        (
            {"pattern": "a", "with": r"C:\q"},
            r"'C:\\q' cannot replace 'a': bad escape \q at position 2",
        ),
    ],
)
def test_a_replacement_that_cannot_be_read_says_why(entry, complaint):
    with pytest.raises(ValueError) as error:
        parse_replacement(entry)
    assert str(error.value) == complaint


@given(
    st.text(max_size=6)
    | st.sampled_from(sorted(PRESETS))
    | st.fixed_dictionaries(
        {"pattern": st.text(max_size=6), "with": st.text("a\\\\1g<>", max_size=6)}
    )
)
def test_any_entry_is_a_replacement_that_can_be_applied_or_a_value_error(entry):
    try:
        replacement = parse_replacement(entry)
    except ValueError:
        return
    assert isinstance(Rules(replace=(replacement,)).applied(None, "some text")[1], str)


def test_the_digest_names_the_rules_and_not_how_they_are_written():
    assert Rules().digest == ""
    assert Rules.build(["$.a"]).digest == Rules.build(["$['a']"]).digest
    assert Rules.build(replace=["date"]).digest == (
        Rules.build(replace=[{"pattern": PRESETS["date"][0], "with": "<date>"}]).digest
    )


def test_every_rule_changes_the_digest():
    digests = {
        Rules.build(ignore, replace).digest
        for ignore in ([], ["$.a"], ["$..a"], ["$['0']"], ["$[0]"], ["$.*"], ["$.a", "$.b"])
        for replace in ([], ["date"], ["uuid"], [{"pattern": "a", "with": "b"}])
    }
    assert len(digests) == 7 * 4
