"""naming: each test has a name of its own that a cassette can have, and that people can read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.names import validate_cassette_name
from promptdeck.pytest_plugin.naming import name_of

FUNCTIONS = st.from_regex(r"[a-z_]\w{0,120}", fullmatch=True)
TESTS = st.one_of(FUNCTIONS, st.tuples(FUNCTIONS, st.text()).map(lambda it: f"{it[0]}[{it[1]}]"))


@given(st.lists(TESTS, min_size=2, unique_by=str.casefold), st.text(min_size=1))
def test_every_test_has_a_name_of_its_own_that_a_cassette_can_have(
    tests: list[str], module: str
) -> None:
    named = [validate_cassette_name(name_of(module.replace("/", "-"), test)) for test in tests]
    assert len({name.casefold() for name in named}) == len(tests)


@given(FUNCTIONS.filter(str.isascii), st.text(min_size=1).filter(lambda text: text != text.lower()))
def test_parameters_that_differ_in_case_have_files_that_differ_in_more(
    function: str, parameters: str
) -> None:
    pair: Any = [name_of("m", f"{function}[{it}]") for it in (parameters, parameters.lower())]
    assert pair[0].casefold() != pair[1].casefold()


@pytest.mark.parametrize(
    ("test", "name"),
    [
        ("test_x", "m/test_x"),
        ("TestX.test_y", "m/TestX.test_y"),
        ("test_x[gpt-4.1-mini]", "m/test_x-gpt-4.1-mini"),
        ("test_x[0-True]", "m/test_x-0-True-1426e9d9"),
    ],
)
def test_plain_names_stay_readable(test: str, name: str) -> None:
    assert name_of("m", test) == name
