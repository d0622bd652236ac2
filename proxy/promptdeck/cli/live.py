"""`promptdeck cassette check` and `refresh`: recorded requests asked once more."""

import os
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from textwrap import wrap
from typing import Any

import click

from promptdeck.config import Config, in_ci
from promptdeck.core.dialects.interpreted import remembering
from promptdeck.core.dialects.mcp.dialect import TOOLS
from promptdeck.core.dialects.table import dialect_in, says
from promptdeck.core.drift import Tier
from promptdeck.core.headers import PLACEHOLDER_KEY
from promptdeck.core.interaction import Interaction
from promptdeck.core.text.wording import visible
from promptdeck.errors import CassetteError, UsageError
from promptdeck.library import redactor_of
from promptdeck.relive import Anew, Asker
from promptdeck.retool import ToolAsker
from promptdeck.routes import providers_of, secrets_of
from promptdeck.stores.cassettes.edit import Piece, edit
from promptdeck.stores.cassettes.file import names, read
from promptdeck.ways import Ways

from . import options
from .chosen import existing
from .loop import run
from .output import counted, print_json, print_rows


@click.command("check")
@options.settings("cassette.dir", "upstream.url")
@click.argument("chosen", nargs=-1, metavar="[NAME ...]")
@click.option("--live", is_flag=True, help="Ask the upstream again; costs what its answers cost.")
@options.as_json
def check(*, chosen: Sequence[str], live: bool, as_json: bool, **flags: Any) -> None:
    """Say whether the model's provider still answers as it was recorded.

    Asks each recorded request once more, one after the other, of the upstream that it
    was recorded from or of --upstream, and tells the tier of what changed: unreachable,
    error, shape (a field gone, a type changed, another stream protocol), content (other
    words), same. Nothing is rewritten. Exits with 1 if anything is worse than content.

    MCP servers are asked what they offer: each tool is named whose description or schema
    is another. Calls are made again only where their server says that they change nothing.

    upstream.api_key or OPENAI_API_KEY is sent, but to upstream.url only.

    \b
    Examples:
      promptdeck cassette check --live
      promptdeck cassette check checkout --live --json
      promptdeck cassette check --live --upstream http://localhost:8000/v1
    """
    if not live:
        raise click.UsageError("check asks the upstream again, which --live allows: add --live")
    redirected = flags.get("upstream") is not None
    config = options.loaded(flags).config
    folder = config.cassette.dir
    found = [
        (name, item) for name in chosen or names(folder) for item in read(existing(folder, name))
    ]
    rows = run(_checked(config, found, redirected=redirected))
    _print_checked(rows, as_json=as_json)
    sys.exit(int(not all(Tier(row["tier"]).harmless for row in rows)))


@asynccontextmanager
async def _asking(config: Config, *, redirected: bool) -> AsyncIterator[Asker]:
    """An `Asker` with the configuration's upstream and key, until the block ends."""
    settings = config.upstream
    key = settings.api_key or os.environ.get("OPENAI_API_KEY") or None
    # That of `promptdeck run`, which is none.
    if key == PLACEHOLDER_KEY:
        key = None
    config = config._replace(upstream=settings._replace(api_key=key))
    ways = Ways(config, os.environ, "", remembering())
    try:
        yield Asker(
            ways.routing,
            settings.url,
            redactor_of(config),
            secrets=secrets_of(config, os.environ),
            keep_bytes=config.record.max_bytes,
            providers=providers_of(config),
            redirected=redirected,
        )
    finally:
        await ways.close()


async def _checked(
    config: Config, found: Sequence[tuple[str, Interaction]], *, redirected: bool
) -> list[dict[str, Any]]:
    """Ask the recordings, each with its cassette's name, one after the other: a row for each."""
    rows = []
    hidden = not sys.stderr.isatty()
    left = 0
    async with _asking(config, redirected=redirected) as asker, _asking_tools(config) as tools:
        with click.progressbar(found, label="asking", file=sys.stderr, hidden=hidden) as progress:
            for name, item in progress:
                if dialect_in(item.request) is TOOLS:
                    drift = await tools.ask(item)
                else:
                    drift = (await asker.ask(item)).drift
                if drift is None:
                    left += 1
                    continue
                row = {"cassette": name, "recording": item.id, "tier": str(drift.tier)}
                rows.append({**row, "notes": list(drift.notes)})
    if left:
        told = counted(left, "request")
        click.echo(f"{told} to MCP servers not asked again: they may change something", err=True)
    return rows


@asynccontextmanager
async def _asking_tools(config: Config) -> AsyncIterator[ToolAsker]:
    """What asks the MCP servers of the configuration again, until the block ends."""
    from promptdeck.mcp.addresses import Allowance
    from promptdeck.mcp.house import ToolHouse

    settings = config.agent
    allowance = Allowance(loopback=True, hosts=settings.allow)
    house = ToolHouse(settings.servers, lambda: allowance, settings.tool_timeout)
    try:
        yield ToolAsker(house)
    finally:
        await house.close()


def _print_checked(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Print the rows, and how many recordings there are of each tier."""
    tiers = [row["tier"] for row in rows]
    if as_json:
        print_json({"tiers": {tier: tiers.count(tier) for tier in Tier}, "recordings": rows})
        return
    print_rows([{**row, "notes": "; ".join(row["notes"])} for row in rows], as_json=False)
    told = ", ".join(f"{tiers.count(tier)} {tier}" for tier in Tier if tier in tiers)
    click.echo(f"{counted(len(rows), 'recording')} asked again: {told or 'nothing'}", err=True)


@click.command("refresh")
@options.settings("cassette.dir", "upstream.url")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Take every new answer without being asked.")
def refresh(*, name: str, yes: bool, **flags: Any) -> None:
    """Record a cassette's answers again, each with a look at the old and the new.

    A new answer takes the old one's place: id, order and request stay. Errors and
    incomplete answers are never taken; if there are any, the exit code is 1. The upstream
    and the key are those of `cassette check`.

    \b
    Examples:
      promptdeck cassette refresh checkout
      promptdeck cassette refresh checkout --yes
      promptdeck cassette refresh checkout --upstream http://localhost:8000/v1
    """
    if in_ci(os.environ):
        raise UsageError(
            "CI=true: recordings are not rewritten there; refresh where you can review"
        )
    redirected = flags.get("upstream") is not None
    config = options.loaded(flags).config
    path = existing(config.cassette.dir, name)
    review = _Review(path, all_of_them=yes)
    run(review.go(config, redirected=redirected))
    click.echo(f"{counted(review.taken, 'answer')} of {review.seen} taken into {path}")
    sys.exit(int(bool(review.refused)))


@dataclass(slots=True)
class _Review:
    """Shows old and new answers of one cassette, and writes at once each that is taken."""

    path: Path
    all_of_them: bool
    """Whether every new answer is taken without a question."""
    seen: int = 0
    taken: int = 0
    refused: int = 0
    """Errors and incomplete answers, which nobody is asked about."""

    async def go(self, config: Config, *, redirected: bool) -> None:
        """Ask each recording again and review it, until the person quits."""
        found = read(self.path)
        async with _asking(config, redirected=redirected) as asker:
            for number, old in enumerate(found, 1):
                if dialect_in(old.request) is TOOLS:
                    click.echo(f"{visible(old.id)} is an MCP server's: record the run anew\n")
                    continue
                click.secho(f"{number} of {len(found)}: {visible(old.id)}", bold=True)
                anew = await asker.ask(old)
                self.seen += 1
                if not self._reviewed(old, anew):
                    return

    def _reviewed(self, old: Interaction, anew: Anew) -> bool:
        """Show one answer beside the old one and take it if the person says so.

        False if the person quits.
        """
        click.echo("; ".join([str(anew.drift.tier), *anew.drift.notes]))
        if anew.interaction is None:
            self.refused += 1
            click.echo(f"not taken: {visible(anew.problem)}\n")
            return True
        _show(_text(old), _text(anew.interaction))
        answer = "y" if self.all_of_them else _choice()
        if answer == "y":
            _put(self.path, old, anew.interaction)
            self.taken += 1
        return answer != "q"


def _choice() -> str:
    """Ask the person whether to take an answer: y, n, or q for quit."""
    choices = click.Choice(["y", "n", "q"])
    return str(click.prompt("take the new answer?", type=choices, default="n"))


def _put(path: Path, old: Interaction, new: Interaction) -> None:
    """Write `new` where `old` stands. CassetteError if somebody changed that meanwhile."""

    def change(found: list[Piece]) -> list[Piece]:
        if old not in (piece.interaction for piece in found):
            raise CassetteError(f"{old.id} was changed while it was asked again")
        return [piece.becoming(new) if piece.interaction == old else piece for piece in found]

    edit(path, change)


def _text(item: Interaction) -> list[str]:
    """The lines that an answer says, or of its body if nobody knows what it says."""
    text = says(item) or item.response.body.decode(errors="replace")
    return [visible(line) for line in text.splitlines()]


def _show(old: Sequence[str], new: Sequence[str]) -> None:
    """Print two texts: side by side on a terminal, one above the other in a pipe."""
    if not sys.stdout.isatty():
        for label, lines in (("old", old), ("new", new)):
            for line in lines:
                click.echo(f"{label}: {line}")
        return
    width = (shutil.get_terminal_size().columns - len(_BETWEEN)) // 2
    columns = [_wrapped(lines, width) for lines in (["OLD", *old], ["NEW", *new])]
    for left, right in zip_longest(*columns, fillvalue=""):
        click.echo(f"{left:{width}}{_BETWEEN}{right}".rstrip())


_BETWEEN = " | "
_NARROWEST = 20
"""Columns below which words would be cut up; a narrower terminal gets longer lines instead."""


def _wrapped(lines: Sequence[str], width: int) -> list[str]:
    """`lines` wrapped to `width` columns; an empty one stays."""
    return [piece for line in lines for piece in wrap(line, max(_NARROWEST, width)) or [""]]


COMMANDS = (check, refresh)
"""Both, as a group of commands takes them."""
