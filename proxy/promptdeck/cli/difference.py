"""`promptdeck cassette diff`: what another recording of the same calls says."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from promptdeck.config import Config
from promptdeck.core.dialects.table import dialect_in
from promptdeck.core.interaction import Interaction
from promptdeck.core.matching.normalize import normalize
from promptdeck.core.matching.rules import NO_RULES, Rules
from promptdeck.core.text.jsontext import Unfaithful, parse
from promptdeck.core.text.wording import visible
from promptdeck.library import redactor_of, rules_of
from promptdeck.stores.cassettes.diff import Comparison, compare
from promptdeck.stores.cassettes.file import read_as_is
from promptdeck.stores.cassettes.section import own_rules_of

from . import options
from .chosen import existing
from .output import print_json


@click.command("diff")
@options.settings("cassette.dir")
@click.argument("ours", metavar="A")
@click.argument("theirs", metavar="B")
@click.option("--raw", is_flag=True, help="Apply no rules: what varies by machine and day differs.")
@options.as_json
def command(*, ours: str, theirs: str, raw: bool, as_json: bool, **flags: Any) -> None:
    """Say how cassettes A and B differ: in recordings, and in what the answers say.

    Requests are one or two as they would be when played: by the rules of the configuration
    and of both cassettes. Ids, times and frame borders are no difference, nor is what a
    preset has names for. Exits with 1 if they differ.

    \b
    Examples:
      promptdeck cassette diff checkout checkout-new
      promptdeck cassette diff fix-bug fix-bug-elsewhere --raw
      promptdeck cassette diff gpt-4o/checkout gpt-5/checkout --json
    """
    config = options.loaded(flags).config
    one, other = (existing(config.cassette.dir, name) for name in (ours, theirs))
    rules = NO_RULES if raw else _rules(config, one, other)
    form = partial(normalize, rules=rules, redactor=redactor_of(config))
    found = compare(read_as_is(one), read_as_is(other), form)
    if as_json:
        print_json(_compared(found))
    else:
        _print_comparison(found, ours, theirs)
    sys.exit(int(found.differs))


def _rules(config: Config, *paths: Path) -> Rules:
    """The rules of the configuration and of all these cassettes together."""
    rules = rules_of(config)
    for path in paths:
        if own := own_rules_of(path):
            rules = rules.joined(own)
    return rules


def _compared(found: Comparison) -> dict[str, Any]:
    """A comparison as `cassette diff --json` prints it."""
    return {
        "only_a": [_named(item) for item in found.only_ours],
        "only_b": [_named(item) for item in found.only_theirs],
        "differing": [
            {"a": _named(item.ours), "b": _named(item.theirs), "diff": item.diff}
            for item in found.differing
        ],
        "same": found.same,
    }


def _named(item: Interaction) -> dict[str, Any]:
    """By what a recording is known in JSON."""
    return {"id": item.id, "key": item.key, "variant": str(item.variant), "asked": _asked(item)}


_WIDE = 60
"""Characters of a prompt on a line that begins with an id of about 30, to fit 100 columns."""


def _asked(item: Interaction) -> str:
    """The last message of a request, cut short, or its method and target."""
    try:
        turns = dialect_in(item.request).turns(parse(item.request.body))
    except Unfaithful:
        turns = []
    text = " ".join(turns[-1][1].split()) if turns else ""
    if not text:
        return f"{item.request.method} {item.request.target}"
    return text if len(text) <= _WIDE else text[: _WIDE - 1] + "…"


_DIFF_HEAD = 2
"""Lines with which a unified diff begins, to name two files."""

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def _print_comparison(found: Comparison, ours: str, theirs: str) -> None:
    """Print a comparison of two cassettes of these names, for people."""
    for name, items, colour in (
        (ours, found.only_ours, "red"),
        (theirs, found.only_theirs, "green"),
    ):
        for item in items:
            what = visible(f"{item.id}  {item.variant}  {_asked(item)}")
            click.secho(f"only in {name}: {what}", fg=colour)
    for one in found.differing:
        ids = visible(f"{ours}: {one.ours.id}, {theirs}: {one.theirs.id}")
        click.secho(ids, bold=True, nl=False)
        click.echo(f"  {visible(_asked(one.ours))}")
        for line in one.diff.split("\n")[_DIFF_HEAD:]:
            click.secho(f"  {visible(line)}", fg=_COLOURS.get(line[:1]))
    parts = [
        f"{found.same} the same",
        f"{len(found.differing)} differing",
        f"{len(found.only_ours)} only in {ours}",
        f"{len(found.only_theirs)} only in {theirs}",
    ]
    click.echo(", ".join(parts), err=found.differs)
