"""`promptdeck cassette diff`: what another recording of the same calls says."""

import sys
from typing import Any

import click

from promptdeck.core.dialects.table import dialect_in
from promptdeck.core.interaction import Interaction
from promptdeck.core.text.jsontext import Unfaithful, parse
from promptdeck.core.text.wording import visible
from promptdeck.stores.cassettes.diff import Comparison, compare
from promptdeck.stores.cassettes.file import read_as_is

from . import options
from .chosen import existing
from .output import print_json


@click.command("diff")
@options.settings("cassette.dir")
@click.argument("ours", metavar="A")
@click.argument("theirs", metavar="B")
@options.as_json
def command(*, ours: str, theirs: str, as_json: bool, **flags: Any) -> None:
    """Say how cassettes A and B differ: in recordings, and in what the answers say.

    Exits with 1 if they differ. Ids, times and frame borders are no difference.

    \b
    Examples:
      promptdeck cassette diff checkout checkout-new
      promptdeck cassette diff gpt-4o/checkout gpt-5/checkout --json
    """
    folder = options.loaded(flags).config.cassette.dir
    found = compare(*(read_as_is(existing(folder, name)) for name in (ours, theirs)))
    if as_json:
        print_json(_compared(found))
    else:
        _print_comparison(found, ours, theirs)
    sys.exit(int(found.differs))


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
