"""The table of rows: each field of the contract is in it, or is nobody's but Dedalus's."""

import pytest

from promptdeck.core.contract.request import FIELDS
from promptdeck.core.dialects.translate.fields import PLACES, ROWS, STRIPPED, reaches

DEDALUS = {"guardrails", "mcp_servers"}
"""Of these, what another provider has of the same name is there in the table."""


def test_each_field_of_the_contract_has_a_row_or_is_dedalus_s() -> None:
    assert ROWS.keys() | STRIPPED.keys() | DEDALUS == FIELDS.keys()
    assert not ROWS.keys() & STRIPPED.keys()
    assert all(row.keys() == {*PLACES} for row in ROWS.values())


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("temperature", "all"),
        ("top_k", "Anthropic, Google, Mistral"),
        ("stop", "all but OpenAI's Responses"),
        ("max_turns", "Dedalus; promptdeck's own"),
        ("mcp_servers", "Dedalus"),
    ],
)
def test_whom_a_field_reaches_in_words(field: str, said: str) -> None:
    assert reaches(field) == said
