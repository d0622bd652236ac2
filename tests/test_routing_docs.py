"""docs/routing.md: its tables and its numbers are the code's own."""

import os
import re

import orjson

from promptdeck.core.routing.choosing import Choosing
from promptdeck.core.routing.upstreams import named_upstreams, upstreams_table
from tests import ROOT

PAGE = ROOT / "docs" / "routing.md"


def example() -> str:
    """The order in which the page's example is tried, as a table."""
    found = re.search(r"<!-- fit -->\n```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    chooser = Choosing("https://api.openai.com/v1", named_upstreams((), {}, {}), {}, {})
    choices = chooser.choices(orjson.loads(found[1])) or ()
    rows = [f"| {n} | `{one.name}` | {one.score:g} |" for n, one in enumerate(choices, 1)]
    return "\n".join(["| | model | score |", "|---|---|---|", *rows]) + "\n"


def test_the_page_says_what_the_code_does() -> None:
    """`REGENERATE=1 pytest tests/test_routing_docs.py` writes it anew."""
    text = PAGE.read_text()
    made = text
    for name, table in (("upstreams", upstreams_table()), ("fitted", example())):
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, _, rest = made.partition(begin)
        made = before + begin + table + end + rest.partition(end)[2]
    if os.environ.get("REGENERATE"):
        PAGE.write_text(made)
    assert made == PAGE.read_text()


def test_the_examples_score_is_what_the_rule_makes_by_hand() -> None:
    # accuracy 0.9 x 0.8, complexity 0.6 x intelligence 0.9, efficiency 0.3 x (0.6 + 0.6) / 2
    by_hand = (0.9 * 0.8 + 0.6 * 0.9 + 0.3 * (0.6 + (1 - 0.4)) / 2) / (0.9 + 0.6 + 0.3)
    assert f"| `openai/gpt-5` | {by_hand:g} |" in PAGE.read_text()
