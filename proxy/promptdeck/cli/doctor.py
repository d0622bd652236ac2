"""`promptdeck doctor`: why the provider's prompt cache missed, turn by turn, from cassettes."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import click

from promptdeck.core.doctor.examining import Break, Diagnosis, Examination, examine
from promptdeck.core.text.wording import visible
from promptdeck.prices import money, saved_by_cache
from promptdeck.stores.cassettes.file import read_as_is

from . import options
from .chosen import each, exit_after
from .output import counted, print_json, print_rows


@click.command("doctor")
@options.settings("cassette.dir")
@click.argument("chosen", nargs=-1, metavar="[CASSETTE ...]")
@click.option(
    "--fail-below",
    "least",
    type=options.Share(),
    metavar="SHARE",
    help="Exit with 1 if a turn kept less than this of the prompt before it: 90% or 0.9.",
)
@options.as_json
def command(*, chosen: Sequence[str], least: float | None, as_json: bool, **flags: Any) -> None:
    """Say why the provider's prompt cache missed: where a prompt broke, and the mend.

    Each recorded turn is held against the one that it goes on from: how much of that prompt
    it kept, how many tokens the provider could have reused by its own rules, how many it says
    it did, and what ended it. Tokens are estimated by the usage of the answer. Nothing is
    asked of anybody. CASSETTE may be a file's path, too; without one all of the folder are read.

    \b
    Examples:
      promptdeck doctor
      promptdeck doctor checkout
      promptdeck doctor tests/cassettes/test_app/test_login.yaml --json
      promptdeck doctor --fail-below 90%
    """
    folder = options.loaded(flags).config.cassette.dir
    worked = each(folder, chosen, "examining", lambda path, _: _examined(path))
    failing = [(name, turn) for name, one in worked.done.items() for turn in one.found.below(least)]
    if as_json:
        print_json([_told(name, one) for name, one in worked.done.items()])
    else:
        print_rows([*_rows(worked.done)], as_json=False)
        for name, one in worked.done.items():
            _print_stories(name, one)
        if not (worked.done or worked.failed):
            click.echo(f"no cassettes in {folder}", err=True)
        for name, turn in failing:
            click.echo(f"{name}: {visible(failure_of(turn, least))}", err=True)
    exit_after(worked, found=bool(failing))


class ExaminedCassette(NamedTuple):
    """A cassette, the findings of each of its turns, and what they cost."""

    found: Examination
    dollars: Mapping[str, Decimal]
    """By the ids of turns what their lost tokens cost, where prices are known."""


def _examined(path: Path) -> ExaminedCassette:
    """Examine a cassette. CassetteError."""
    items = read_as_is(path)
    found = examine(items)
    by_id = {item.id: item for item in items}
    priced = {
        turn.id: saved_by_cache(by_id[turn.id], turn.model, turn.lost)
        for turn in found.turns
        if turn.lost
    }
    return ExaminedCassette(found, {name: one for name, one in priced.items() if one is not None})


def failure_of(turn: Diagnosis, least: float | None) -> str:
    """Why a turn fails a gate, in one line: `ID kept 12.0% of the prompt before it, less than 90%:
    the tools came in another order`."""
    why = f": {turn.problem.cause.words}" if turn.problem else ""
    kept, wanted = _percent(turn.kept), _percent(least)
    return f"{turn.id} kept {kept} of the prompt before it, less than {wanted}{why}"


def _percent(share: float | None) -> str:
    """A share for people, rounded down: what is not all does not look like it."""
    return "" if share is None else f"{int(share * 1000) / 10:g}%"


def _rows(done: Mapping[str, ExaminedCassette]) -> Iterator[dict[str, Any]]:
    """A row for each turn, all sizes in tokens."""
    for name, one in done.items():
        for turn in one.found.turns:
            yield {
                "cassette": name,
                "turn": turn.id,
                "model": turn.model,
                "prompt": f"{'' if turn.measured else '~'}{turn.prompt}",
                "kept": _percent(turn.kept),
                "reusable": turn.could,
                "reused": turn.reused,
                "written": turn.written,
                "lost": turn.lost,
                "why": turn.problem.cause.words if turn.problem else "",
            }


def _print_stories(name: str, examined: ExaminedCassette) -> None:
    """Print what went wrong in each turn of a cassette, and what was not examined."""
    for turn in examined.found.turns:
        if turn.problem is not None:
            click.echo()
            _print_story(name, turn, turn.problem, examined.dollars.get(turn.id))
    for one in examined.found.unread:
        click.echo(f"{name}: {visible(one.id)} was not examined: {visible(one.why)}", err=True)


def _print_story(name: str, turn: Diagnosis, problem: Break, dollars: Decimal | None) -> None:
    click.secho(f"{name}  {visible(turn.id)}", bold=True, nl=False)
    click.echo(f"  after {visible(turn.after)}")
    lost = f", {counted(turn.lost, 'token')} lost" if turn.lost else ""
    lost += f", {money(float(dollars))} more" if dollars else ""
    click.echo(f"  {visible(problem.cause.words)}{lost}")
    if problem.path:
        part = f", part {problem.part}" if problem.part else ""
        click.echo(f"  at    {visible(problem.path)}{part}, character {problem.offset}")
        click.secho(f"  old   {visible(problem.old)}", fg="red")
        click.secho(f"  new   {visible(problem.new)}", fg="green")
    click.echo(f"  mend  {visible(problem.cause.mend)}")


def _told(name: str, examined: ExaminedCassette) -> dict[str, Any]:
    """An examined cassette as the object that --json prints."""
    return {
        "cassette": name,
        "turns": [_told_turn(turn, examined.dollars.get(turn.id)) for turn in examined.found.turns],
        "unread": [one._asdict() for one in examined.found.unread],
    }


def _told_turn(turn: Diagnosis, dollars: Decimal | None) -> dict[str, Any]:
    told = {**turn._asdict(), "dollars_lost": None if dollars is None else float(dollars)}
    if (problem := turn.problem) is not None:
        words = {"cause": problem.cause.words, "mend": problem.cause.mend}
        told["problem"] = {**problem._asdict(), **words}
    return told
