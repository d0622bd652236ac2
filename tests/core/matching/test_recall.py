"""Recall: a value is found by all of its names, and memory stays within its bounds."""

from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.matching.recall import Recall

NAMES = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=4, unique=True)


def recall(most_bytes: int = 10**6, most_names: int = 10**6) -> Recall[str]:
    return Recall(len, most_bytes=most_bytes, most_names=most_names)


@given(st.lists(NAMES, max_size=12))
def test_a_value_is_found_by_the_names_it_was_put_under_last(puts: list[list[str]]) -> None:
    known = recall()
    first: dict[str, str] = {}
    values: dict[str, str] = {}
    for number, names in enumerate(puts):
        known.put(f"{number}", names)
        values[names[0]] = f"{number}"
        first.pop(names[0], None)
        first |= dict.fromkeys(names[1:], names[0])
        for name in "abcdefgh":
            assert known.find([name]) == values.get(first.get(name, name))
            assert known.get(name) == values.get(name)


@given(NAMES, NAMES)
def test_names_that_were_tried_in_vain_find_it_from_then_on(
    names: list[str], tried: list[str]
) -> None:
    known = recall()
    known.put("value", [*names, "other"])
    assert known.find([*(f"{name}2" for name in tried), names[-1]]) == "value"
    assert {known.find([f"{name}2"]) for name in tried} == {"value"}


def test_no_name_is_asked_for_that_is_not_needed() -> None:
    known = recall()
    asked = []

    def names(*some: str) -> object:
        for name in some:
            asked.append(name)
            yield name

    assert known.find(names("a", "b", "c")) is None
    assert asked == ["a"]  # there are no other names yet
    known.put("value", ["x", "b"])
    assert known.find(names("a", "b", "c")) == "value"
    assert asked == ["a", "a", "b"]


@given(st.lists(st.text(max_size=9), min_size=1, max_size=30), st.integers(1, 40))
def test_what_is_kept_weighs_no_more_than_it_may(values: list[str], most: int) -> None:
    known = recall(most_bytes=most)
    for number, value in enumerate(values):
        known.put(value, [number])
        left = [kept for n in range(number + 1) if (kept := known.get(n)) is not None]
        # The last one stays even where it alone is too heavy.
        assert known.get(number) == value
        assert sum(map(len, left)) <= most or left == [value]


def test_what_was_used_last_stays() -> None:
    known = recall(most_bytes=2)
    known.put("a", [1])
    known.put("b", [2])
    assert known.find([1]) == "a"
    known.put("c", [3])
    assert [known.get(n) for n in (1, 2, 3)] == ["a", None, "c"]


def test_the_oldest_names_go_and_what_is_dropped_is_found_by_none() -> None:
    known = recall(most_names=2)
    known.put("value", ["first", "a", "b", "c"])
    assert [known.find([name]) for name in ("first", "a", "b", "c")] == [
        "value", None, "value", "value",
    ]  # fmt: skip
    known.name(["d"], "c")
    assert known.find(["d"]) == "value"
    known.drop("d")
    assert [known.find([name]) for name in ("first", "c", "d")] == [None] * 3
