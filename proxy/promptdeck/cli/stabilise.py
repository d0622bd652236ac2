"""`promptdeck cassette stabilise`: the rules under which recordings of one run are the same."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import yaml

from promptdeck.config import Config
from promptdeck.core.misses.given import ids_given
from promptdeck.core.misses.stabilising import Stabilised, Taken, stabilise, united
from promptdeck.errors import CassetteError, UsageError
from promptdeck.library import canon_of
from promptdeck.stores.cassettes.file import names, path_of, read_as_is
from promptdeck.stores.cassettes.merge import merge
from promptdeck.stores.cassettes.section import own_rules_of, write_section

from . import options
from .chosen import existing, path_in
from .output import counted, print_json

_SHOWN = 6
"""Texts that are shown of each rule."""


@click.command("stabilise", context_settings={"ignore_unknown_options": False})
@click.argument("chosen", nargs=-1, metavar="NAME [OTHER ...] [-- COMMAND]")
@click.option(
    "--runs", type=click.IntRange(2, 20), metavar="N", help="Record COMMAND so often, and compare."
)
@click.option("--save", is_flag=True, help="Write the rules into promptdeck.yaml.")
@click.option("--write", is_flag=True, help="Write the rules into the cassettes themselves.")
@click.option("--to", "kept", metavar="NAME", help="With --runs: keep the first as this cassette.")
@options.settings("cassette.dir", "upstream.url")
@options.as_json
def command(
    *,
    chosen: tuple[str, ...],
    runs: int | None,
    save: bool,
    write: bool,
    kept: str | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Learn what varies between recordings of one run, and propose the rules for it.

    NAME and OTHER are cassettes of the same run, recorded in other folders, on other days;
    with --runs COMMAND is recorded so often instead. Each rule is shown with the texts that
    it unites, and what else it would unite in the folder. --write puts the rules into each
    of the cassettes, with which they travel; --save into promptdeck.yaml, for all of them.
    Exits with 1, and writes nothing, if the runs cannot be made equal, or only by a rule that
    would make two different recordings of one run equal.

    \b
    Examples:
      promptdeck cassette stabilise fix-bug fix-bug-elsewhere
      promptdeck cassette stabilise fix-bug fix-bug-elsewhere --write
      promptdeck cassette stabilise --runs 2 -- claude -p "read notes.txt"
      promptdeck cassette stabilise --runs 2 --to notes --write -- claude -p "read notes.txt"
    """
    config = options.loaded({**flags}).config
    if runs:
        target = _free(config, kept, needed=write)
        with _recorded(chosen, runs, flags) as recorded:
            found = stabilise([_run(path, config) for path in recorded])
            if target:
                merge(target, recorded[:1])
        paths = [target] if target else []
    else:
        paths = _named(config, chosen)
        found = stabilise([_run(path, config) for path in paths])
    others = dict(_others(config, found, paths))
    if as_json:
        print_json(_as_dict(found, others))
    else:
        _show(found, others)
    if found.apart or found.clashes:
        sys.exit(1)
    for path in _written_to(found, paths if write else [], save=save):
        click.echo(f"written into {path}", err=as_json)


def _named(config: Config, chosen: Sequence[str]) -> list[Path]:
    """The files of the cassettes that are named, two or more. UsageError."""
    if len(chosen) < 2:
        raise UsageError("name two cassettes of the same run, or record it: --runs 2 -- COMMAND")
    return [existing(config.cassette.dir, name) for name in chosen]


def _written_to(found: Stabilised, paths: Sequence[Path], *, save: bool) -> Iterator[str]:
    """Write the rules, if there are any, into these cassettes and the configuration: into which."""
    settings = found.proposal.settings
    if settings and save:
        yield _save(found)
    for path in paths if settings else ():
        write_section(path, settings)
        yield str(path)


def _free(config: Config, name: str | None, *, needed: bool) -> Path | None:
    """The file that the first run is to be kept in, which must not be there. UsageError."""
    if name is None:
        if needed:
            raise UsageError("say which cassette the first run is to be: --to NAME")
        return None
    path = path_in(config.cassette.dir, name)
    if path.exists():
        raise UsageError(f"there is a cassette {name} already; name another one, or remove it")
    return path


@contextmanager
def _recorded(command: Sequence[str], runs: int, flags: dict[str, Any]) -> Iterator[list[Path]]:
    """Record a command several times, each into a cassette of its own in a folder for now."""
    if not command:
        raise UsageError("name the command to record: --runs 2 -- COMMAND")
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number in range(1, runs + 1):
            name = f"run-{number}"
            ran = subprocess.run(  # noqa: S603  the user's own command
                [
                    *(sys.executable, "-m", "promptdeck", "run", "--mode", "record"),
                    *("--cassettes", folder, "--cassette", name),
                    *(("--upstream", flags["upstream"]) if flags.get("upstream") else ()),
                    *("--", *command),
                ],
                check=False,
                stdout=sys.stderr,
            )
            path = path_of(Path(folder), name)
            if ran.returncode or not path.exists():
                told = f"exit code {ran.returncode}" if ran.returncode else "no request"
                raise UsageError(f"run {number} of the command: {told}; mend that first")
            paths.append(path)
        yield paths


def _run(path: Path, config: Config) -> list[Taken]:
    """A cassette's recordings in the order in which they were made. CassetteError."""
    canon = canon_of(config).under(own_rules_of(path))
    found = sorted(read_as_is(path), key=lambda item: item.recorded_at)
    return [Taken(item.id, canon.canonical(item.request), ids_given(item)) for item in found]


def _others(
    config: Config, found: Stabilised, paths: Sequence[Path]
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """By the other cassettes of the folder: their different recordings that the rules unite."""
    rules = found.proposal.rules
    for name in names(config.cassette.dir) if rules.digest else ():
        path = path_of(config.cassette.dir, name)
        if path in paths:
            continue
        try:
            pairs = list(united(_run(path, config), rules))
        except CassetteError:
            continue  # `cassette verify` tells of it
        if pairs:
            yield name, pairs


def _as_dict(found: Stabilised, others: dict[str, list[tuple[str, str]]]) -> dict[str, Any]:
    """What was learnt, as --json prints it."""
    return {
        "match": found.proposal.settings,
        "pairs": found.pairs,
        "rules": [rule._asdict() for rule in found.varying],
        "apart": found.apart,
        "clashes": found.clashes,
        "also_unites": others,
    }


def _show(found: Stabilised, others: dict[str, list[tuple[str, str]]]) -> None:
    """Print what was learnt, for people."""
    click.echo(f"{counted(found.pairs, 'pair')} of the same step")
    for rule in found.varying:
        click.echo(rule.rule)
        for text in rule.texts[:_SHOWN]:
            click.echo(f"  unites  {text[:160]!r}"[:180])
        if len(rule.texts) > _SHOWN:
            click.echo(f"  and {len(rule.texts) - _SHOWN} more")
    for name, pairs in others.items():
        click.echo(f"would also unite in {name}: {', '.join(' and '.join(p) for p in pairs[:3])}")
    for words in found.apart:
        click.echo(f"not united: {words}")
    for one, other in found.clashes:
        click.echo(f"refused: {one} and {other} of one run would be equal")
    if found.proposal.settings and not (found.apart or found.clashes):
        click.echo("\n" + _written(found), nl=False)
    elif not (found.apart or found.clashes):
        click.echo("nothing varies: no rule is needed")


def _written(found: Stabilised) -> str:
    """The rules as a section of promptdeck.yaml."""
    return yaml.safe_dump({"match": found.proposal.settings}, allow_unicode=True, sort_keys=False)


def _save(found: Stabilised) -> str:
    """Put the rules into promptdeck.yaml, which must not have a section `match` yet."""
    path = Path("promptdeck.yaml")
    text = path.read_text() if path.exists() else ""
    if any(line.startswith("match:") for line in text.splitlines()):
        raise UsageError(f"{path} has a section `match` already: put the rules above into it")
    end = "\n" if text and not text.endswith("\n") else ""
    path.write_text(f"{text}{end}{_written(found)}")
    return str(path)
