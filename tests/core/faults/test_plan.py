"""Fault plans: what may be written, what it means, and what an error says."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.faults.plan import Fault, Plan, format_fault, parse_plan, read_plan

durations = st.integers(0, 10**9).map(lambda milliseconds: milliseconds / 1000)
some = st.integers(0, 1000)
# Any fault: what goes with all, then an error, a reset, or what befalls a body.
common = st.fixed_dictionaries(
    {},
    optional={
        "latency": durations,
        "jitter": durations,
        "first_byte": durations,
        "probability": st.floats(0, 1),
        "times": st.integers(1, 1000),
    },
)
errors = st.fixed_dictionaries(
    {"status": st.integers(400, 599)}, optional={"retry_after": some, "retry_after_ms": some}
)
stalls = st.fixed_dictionaries(
    {"stall_after": some}, optional={"stall_for": durations | st.just(math.inf)}
)
bodies = st.builds(
    lambda *parts: {name: value for part in parts for name, value in part.items()},
    st.fixed_dictionaries({}, optional={"split": durations, "malformed": st.integers(1, 1000)}),
    st.just({}) | stalls,
    st.just({}) | st.fixed_dictionaries({"cut_after": some}) | st.builds(dict, reset_after=some),
)
ALONE_NO_FAULT = ("probability", "times")


def is_fault(fault: Fault) -> bool:
    plain = fault._replace(**{name: fault._field_defaults[name] for name in ALONE_NO_FAULT})
    return plain != Fault()


faults = st.builds(
    lambda a, b: Fault(**a, **b), common, errors | st.just({"reset": True}) | bodies
).filter(is_fault)


@given(faults)
def test_a_formatted_fault_reads_back_to_the_same(fault: Fault) -> None:
    assert parse_plan(format_fault(fault)) == Plan((fault,))


@given(st.lists(faults, max_size=3), st.integers(0, 2**53))
def test_objects_of_the_same_names_are_the_same_plan(each: list[Fault], seed: int) -> None:
    objects: list[dict[str, object]] = [{"seed": seed}]
    for fault in each:
        pairs = (pair.partition("=") for pair in format_fault(fault).split("; "))
        objects.append({name.replace("-", "_"): text or True for name, _, text in pairs})
    assert read_plan(objects) == Plan(tuple(each), seed)


@given(st.lists(faults, min_size=1, max_size=4), st.integers(0, 2**53))
def test_commas_part_faults_and_one_seed_serves_them_all(each: list[Fault], seed: int) -> None:
    text = ", ".join(map(format_fault, each)) + f"; seed={seed}"
    assert parse_plan(text) == Plan(tuple(each), seed)


def problem(value: object) -> str:
    """What is wrong with a plan, or nothing."""
    try:
        assert isinstance(read_plan(value, "place"), Plan)
    except ValueError as error:
        return str(error)
    return ""


@given(st.text())
def test_any_text_is_a_plan_or_an_error_that_names_the_place(text: str) -> None:
    assert problem(text)[:7] in ("", "place: ")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
names = st.sampled_from(
    ["latency", "cut_after", "status", "seed", "reset", "probability", "latncy"]
)


@given(json_values | st.dictionaries(names, json_values))
def test_any_value_is_a_plan_or_an_error_that_names_the_place(value: object) -> None:
    assert problem(value)[:5] in ("", "place")


def test_objects_and_texts_say_the_same() -> None:
    text = "latency=200ms; cut-after=5; probability=0.5; seed=1"
    plan = Plan((Fault(latency=0.2, cut_after=5, probability=0.5),), 1)
    assert parse_plan(text) == plan
    assert read_plan(text) == plan
    value = {"latency": "200ms", "cut_after": 5, "probability": 0.5, "seed": 1, "reset": False}
    assert read_plan(value) == plan
    assert (
        read_plan([{"latency": 0.2, "cut-after": "5", "probability": "50%"}, {"seed": 1}]) == plan
    )


def test_a_plan_may_be_there_only_to_watch() -> None:
    assert parse_plan("none") == parse_plan("seed=0") == read_plan([]) == Plan(())


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("latncy=1s", "faults: no fault 'latncy'; did you mean latency?"),
        ({"retry_aftr": 1}, "faults: no fault 'retry_aftr'; did you mean retry-after?"),
        ("latency=soon", "faults: latency: expected a duration such as 200ms or 1.5s, not 'soon'"),
        ("latency", "faults: latency: expected a duration such as 200ms or 1.5s, not nothing"),
        ("cut-after=-1", "faults: cut-after: expected a number of frames, not '-1'"),
        ("malformed=0", "faults: malformed: expected the number of a frame, from 1, not '0'"),
        ("status=200", "faults: status: expected an error status, 400 to 599, not '200'"),
        ("status=429; retry-after=0.5", "retry-after-ms takes milliseconds, not '0.5'"),
        ("reset; probability=2", "expected a number from 0 to 1 or a percentage, not '2'"),
        ("reset; probability=nan", "expected a number from 0 to 1 or a percentage, not 'nan'"),
        ("retry-after=1", "faults: retry-after goes with status"),
        ("cut-after=1; stall-for=1s", "faults: stall-for goes with stall-after"),
        ("times=1; probability=1", "faults: times, probability alone is no fault"),
        ("cut-after=1; reset", "an answer ends in one way, not by cut-after and reset"),
        ("status=500; split=1ms", "faults: status leaves no recorded body to split"),
        ("latency=1s; latency=2s", "faults: latency is there twice"),
        ("reset; seed=1, reset; seed=2", "faults: one seed serves the whole plan, not [1, 2]"),
        ("", "faults: names no fault; there are latency, jitter"),
        ([{"latency": "1s"}, {"x" * 30: 1}], "faults[1]: no fault"),
        ([{"latency": "1s"}, "reset"], "faults[1]: expected an object"),
        (5, "faults: expected a text, an object or a list of objects"),
    ],
)
def test_errors_name_place_and_mend(value: object, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_plan(value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "harms", "breaks"),
    [
        ("latency=1s; jitter=1s; first-byte=1s; split=1ms", False, False),
        ("stall-after=1; stall-for=1s", False, False),
        ("stall-after=1", True, False),
        ("status=429", True, False),
        ("cut-after=0", True, True),
        ("reset", True, True),
        ("reset-after=0", True, True),
        ("malformed=1", True, True),
    ],
)
def test_a_fault_knows_whether_it_harms(text: str, harms: bool, breaks: bool) -> None:
    (fault,) = parse_plan(text).faults
    assert (fault.harms, fault.breaks) == (harms, breaks)
