"""Which family a model is of, and that the table says what the documents say."""

import os

import pytest

from promptdeck.core.dialects.translate.messages.families import FAMILIES, Family, family_of
from tests import ROOT


@pytest.mark.parametrize(
    ("model", "prefix"),
    [
        ("claude-3-5-sonnet-20241022", "3-"),
        ("claude-3-7-sonnet-latest", "3-7"),
        ("claude-opus-4-20250514", "opus-4-0"),
        ("claude-sonnet-4", "sonnet-4-0"),
        ("claude-4-opus-20250514", "4-opus"),
        ("claude-opus-4-1@20250805", "opus-4-1"),
        ("us.anthropic.claude-opus-4-5-20251101-v1:0", "opus-4-5"),
        ("anthropic/claude-sonnet-4.6", "sonnet-4-6"),
        ("Claude-Opus-4-8-20260528", "opus-4-8"),
        ("claude-sonnet-5-fast", "sonnet-5"),
        ("claude-opus-5", "opus-5"),
        ("claude-opus-5-5", "opus-5-5"),
        ("claude-sonnet-5-5-20260928", "sonnet-5-5"),
        ("claude-haiku-5-5", "haiku-5-5"),
        ("claude-fable-5-2", "fable-"),
    ],
)
def test_a_model_is_of_the_family_with_the_longest_prefix(model: str, prefix: str) -> None:
    assert family_of(model).prefix == prefix


@pytest.mark.parametrize(
    "model", ["claude-opus-4-10", "claude-opus-4-9", "claude-opus-5-6", "claude-opus-50",
              "claude-nova-7", "claude-haiku-6", "gpt-6.2-sol", "3-of-a-kind", ""],
)  # fmt: skip
def test_what_nobody_has_heard_of_is_of_the_newest(model: str) -> None:
    assert family_of(model) is FAMILIES[-1]
    assert family_of(model)._replace(prefix="") == family_of("claude-opus-5-5")._replace(prefix="")


def test_each_row_can_be_reached() -> None:
    assert len({family.prefix for family in FAMILIES}) == len(FAMILIES)
    for family in FAMILIES:
        assert family_of(f"claude-{family.prefix}") in (family, FAMILIES[-1])


def _row(family: Family) -> str:
    yes = {True: "yes", False: "no"}
    modes = [
        one
        for one in ("adaptive", "enabled", "between_tools", "disabled")
        if one in family.thinking
    ]
    efforts = "-" if not family.efforts else ", ".join(family.efforts)
    cells = [
        f"`{family.prefix}*`" if family.prefix else "all others",
        ", ".join(modes) + (f"; off up to {family.quiet}" if family.quiet else ""),
        efforts,
        {"all": "yes", "one": "not both temperature and top_p", "none": "no"}[family.sampling],
        {"unless enabled": "not with a budget"}.get(family.forced, family.forced),
        yes[family.prefill], yes[family.system_turns], yes[family.schemas], f"{family.output:,}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |\n"


def test_the_page_has_the_table() -> None:
    """`REGENERATE=1 pytest tests/core/dialects/translate/messages/test_families.py` writes it."""
    page = ROOT / "docs" / "translation.md"
    head = ("| claude- | thinking | effort | sampling | forced tool | prefill | system amid turns"
            " | schema | max_tokens |\n|--|--|--|--|--|--|--|--|--|\n")  # fmt: skip
    begin, end = "<!-- claude -->\n", "<!-- /claude -->"
    before, _, rest = page.read_text().partition(begin)
    made = before + begin + head + "".join(map(_row, FAMILIES)) + end + rest.partition(end)[2]
    if os.environ.get("REGENERATE"):
        page.write_text(made)
    assert made == page.read_text()
