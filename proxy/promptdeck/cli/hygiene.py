"""`promptdeck cassette`, the commands that keep cassettes clean.

Each reads its arguments, has the work done by `stores.cassettes`, and prints what came of it.
"""

import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import click

from promptdeck.config import Config
from promptdeck.core.dialects.table import with_model
from promptdeck.core.interaction import Interaction
from promptdeck.core.matching.fingerprint import recording_id
from promptdeck.core.matching.normalize import normalize
from promptdeck.core.matching.rules import NO_RULES
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.text.jsontext import Unfaithful, parse
from promptdeck.core.text.wording import visible
from promptdeck.errors import CassetteError
from promptdeck.stores.cassettes.divide import divide
from promptdeck.stores.cassettes.edit import Piece, pieces
from promptdeck.stores.cassettes.fix import Keep, fix
from promptdeck.stores.cassettes.merge import merge
from promptdeck.stores.cassettes.progress import Progress
from promptdeck.stores.cassettes.prune import dedupe, dedupe_anywhere, prune
from promptdeck.stores.cassettes.redact import redact
from promptdeck.stores.cassettes.rename import rename_model
from promptdeck.stores.cassettes.revise import Revised
from promptdeck.stores.cassettes.section import own_rules_of

from . import difference, options, reports
from .chosen import Worked, check_only, each, existing, exit_after, path_in, several, watching
from .output import counted, print_json


def _redactor(config: Config) -> Redactor:
    """`library.redactor_of`, imported when it is called."""
    from promptdeck.library import redactor_of  # the engine, which half of the commands do without

    return redactor_of(config)


@click.command("merge")
@options.settings("cassette.dir")
@click.argument("chosen", nargs=-1, required=True, metavar="A B ...")
@click.option("--to", "target", required=True, metavar="NAME", help="The cassette to put them in.")
@options.as_json
def merge_(*, chosen: Sequence[str], target: str, as_json: bool, **flags: Any) -> None:
    """Put the recordings of several cassettes into one.

    What is in NAME already stays there. A recording that several of them have, the same
    request with the same bytes in response, is kept once; ids that clash get another
    number. The cassettes merged stay where they are.

    \b
    Examples:
      promptdeck cassette merge login checkout --to shop
      promptdeck cassette merge ann bob --to ann --json
    """
    folder = options.loaded(flags).config.cassette.dir
    paths = [existing(folder, name) for name in chosen]
    merged = merge(path_in(folder, target), paths)
    if as_json:
        print_json({"cassette": target, **merged._asdict()})
        return
    for old, new in merged.renumbered:
        click.echo(f"{visible(old)} is {visible(new)} in {target}")
    click.echo(
        f"{target}: {counted(merged.recordings, 'recording')},"
        f" {counted(len(merged.duplicates), 'duplicate')} left out"
    )


@click.command("split")
@options.settings("cassette.dir")
@click.argument("name")
@click.option(
    "--by",
    type=click.Choice(["conversation", "model"]),
    required=True,
    help="What the recordings of one part share.",
)
@options.as_json
def split(*, name: str, by: str, as_json: bool, **flags: Any) -> None:
    """Write the parts of a cassette to cassettes NAME/PART; NAME itself stays.

    A part is called by its model, or by the start that the ids of a conversation share.

    \b
    Examples:
      promptdeck cassette split checkout --by conversation
      promptdeck cassette split checkout --by model --json
    """
    config = options.loaded(flags).config
    existing(config.cassette.dir, name)
    part_of = _model if by == "model" else _conversation(_redactor(config))
    parts = divide(config.cassette.dir, name, part_of)
    if as_json:
        print_json({"cassette": name, "parts": parts})
        return
    for part, ids in parts.items():
        click.echo(f"{part}: {counted(len(ids), 'recording')}")
    click.echo(f"{name} is still there; remove it when its parts serve you", err=True)


def _conversation(redactor: Redactor) -> Callable[[Interaction], str]:
    """A function from a recording to the start of its id, which a conversation shares."""

    def part(item: Interaction) -> str:
        canonical = normalize(item.request, NO_RULES, redactor).canonical
        return recording_id(canonical, item.key, 0).partition("-")[0]

    return part


def _model(item: Interaction) -> str:
    """The model that a request names, several joined by hyphens; empty if it names none."""
    try:
        model = with_model(parse(item.request.body), item.request.target)["model"]
    except (Unfaithful, LookupError, TypeError):
        return ""
    return "-".join(map(str, model)) if isinstance(model, list) else str(model)


@click.command("prune")
@options.settings("cassette.dir")
@click.argument("name")
@click.option(
    "--unused",
    "report",
    required=True,
    metavar="REPORT.json",
    type=reports.path_type,
    help="Which: a report, several of them in a list, or a list of ids; - reads stdin.",
)
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would go.")
@check_only
@options.as_json
def prune_(
    *, name: str, report: Path, dry_run: bool, check: bool, as_json: bool, **flags: Any
) -> None:
    """Take recordings out that a run had no use for.

    A report is what /_deck/cassettes/NAME/report gives after the run, or what pytest
    writes with --cassette-report. Of several, all must agree that a recording was
    neither played nor made; a test that failed has no say.

    \b
    Examples:
      curl -s localhost:4141/_deck/cassettes/checkout/report > report.json
      promptdeck cassette prune checkout --unused report.json --dry-run
      promptdeck cassette prune checkout --unused report.json
    """
    path = existing(options.loaded(flags).config.cassette.dir, name)
    unused = reports.unused(reports.load(report), name, path)
    with watching("pruning", [path]) as step_of:
        gone = prune(path, unused, dry=dry_run or check, step=step_of(path))
    absent = sorted(unused.difference(gone))
    if as_json:
        print_json({"cassette": name, "removed": gone, "not_there": absent})
    else:
        _print_gone({name: gone}, "unused recording", dry=dry_run or check)
        if absent:
            click.echo(f"{len(absent)} of the report are not in {name}", err=True)
    sys.exit(int(check and bool(gone)))


def _print_gone(gone: Mapping[str, Sequence[str]], what: str, *, dry: bool) -> None:
    """Print the ids that are gone from each cassette, and their number; `what` names one."""
    for name, ids in gone.items():
        for recording in ids:
            click.echo(f"{name}: {visible(recording)}")
    total = sum(map(len, gone.values()))
    click.echo(f"{counted(total, what)} {'would go' if dry else 'removed'}")


@click.command("dedupe")
@options.settings("cassette.dir")
@several
@click.option(
    "--anywhere",
    is_flag=True,
    help="Take out repeats wherever they stand: of A, B, A only A and B stay.",
)
@check_only
@options.as_json
def dedupe_(
    *, chosen: Sequence[str], anywhere: bool, check: bool, as_json: bool, **flags: Any
) -> None:
    """Take out recordings that replay does without.

    Answers to one request are replayed in turn, and the last one repeats: equal answers
    at the end are one too many, and all but the first of them go. Of A, B, B stay A and B;
    A, B, A stays as it is. So the same answers come in the same order as before. Where
    replay.after_last is refuse, every recording counts, and none goes.

    \b
    Examples:
      promptdeck cassette dedupe
      promptdeck cassette dedupe checkout --check
      promptdeck cassette dedupe checkout --anywhere
    """
    from promptdeck.library import canon_of

    config = options.loaded(flags).config
    canon = canon_of(config)

    def work(path: Path, step: Progress) -> list[str]:
        if anywhere:
            return dedupe_anywhere(path, dry=check, step=step)
        if config.replay.after_last == "refuse":
            return []
        least = config.record.draws
        law = canon.under(own_rules_of(path))

        def canonical(item: Interaction) -> bytes:
            return law.canonical(item.request)

        return dedupe(path, canonical, least=least, dry=check, step=step)

    worked = each(config.cassette.dir, chosen, "comparing", work)
    if as_json:
        print_json([{"cassette": name, "removed": ids} for name, ids in worked.done.items()])
    else:
        _print_gone(worked.done, "duplicate", dry=check)
    exit_after(worked, found=check and any(worked.done.values()))


@click.command("rename-model")
@options.settings("cassette.dir")
@click.argument("old")
@click.argument("new")
@several
@check_only
@options.as_json
def rename_model_(
    *, old: str, new: str, chosen: Sequence[str], check: bool, as_json: bool, **flags: Any
) -> None:
    """Call model OLD NEW, in requests and in answers; keys and ids follow.

    Answers that name another model, such as a dated one, stay as they are.

    \b
    Examples:
      promptdeck cassette rename-model gpt-4o openai/gpt-4o
      promptdeck cassette rename-model gpt-4o gpt-5 checkout --check
    """
    config = options.loaded(flags).config
    redactor = _redactor(config)
    done = each(
        config.cassette.dir,
        chosen,
        "renaming",
        lambda path, step: rename_model(path, old, new, redactor, dry=check, step=step),
    )
    _print_and_exit(done, check=check, as_json=as_json)


@click.command("redact")
@options.settings("cassette.dir")
@several
@check_only
@options.as_json
def redact_(*, chosen: Sequence[str], check: bool, as_json: bool, **flags: Any) -> None:
    """Take secrets out of cassettes, by all patterns known today and your own.

    \b
    Examples:
      promptdeck cassette redact
      promptdeck cassette redact checkout --config promptdeck.yaml
      promptdeck cassette redact --check --json
    """
    config = options.loaded(flags).config
    redactor = _redactor(config)
    done = each(
        config.cassette.dir,
        chosen,
        "redacting",
        lambda path, step: redact(path, redactor, dry=check, step=step),
    )
    _print_and_exit(done, check=check, as_json=as_json)


@click.command("fix")
@options.settings("cassette.dir")
@several
@click.option(
    "--keep",
    type=click.Choice(list(Keep), case_sensitive=False),
    help="Of `says` and frames that differ, what counts; else whichever was edited.",
)
@check_only
@options.as_json
def fix_(
    *, chosen: Sequence[str], keep: Keep | None, check: bool, as_json: bool, **flags: Any
) -> None:
    """Accept cassettes as they are after an edit by hand, and make them sound.

    What was edited is not replayed before. Keys and ids follow an edited request; ids that
    stand twice are numbered. Where the text under `says` was edited, the frames are cut anew to
    say it; tool calls and whatever else a stream holds stay. Exits with 1 if something is
    left for a person.

    \b
    Examples:
      promptdeck cassette fix
      promptdeck cassette fix checkout --check
      promptdeck cassette fix checkout --keep frames
    """
    config = options.loaded(flags).config
    folder, redactor = config.cassette.dir, _redactor(config)
    changed = _changed(folder)

    def work(path: Path, step: Progress) -> Revised:
        # Of files elsewhere, `_changed` was not asked.
        elsewhere = folder not in path.parents
        before = partial(_committed, path) if elsewhere or path in changed else tuple
        return fix(path, redactor, before=before, keep=keep, dry=check, step=step)

    _print_and_exit(each(folder, chosen, "fixing", work), check=check, as_json=as_json)


def _changed(folder: Path) -> set[Path]:
    """The cassettes that are not as git's last commit has them."""
    told = _git(folder, "diff", "--name-only", "--relative", "-z", "HEAD", "--", ".")
    return {folder / name for name in told.decode(errors="surrogateescape").split("\0")}


def _committed(path: Path) -> Iterable[Piece]:
    """The file as git's last commit has it; nothing where there is no such thing."""
    data = _git(path.parent, "show", f"HEAD:./{path.name}")
    with suppress(CassetteError):
        return pieces(data, path, as_is=True)[1] if data else ()
    return ()


def _git(folder: Path, *argv: str) -> bytes:
    """The stdout of a git command in `folder`; empty if it fails, or git is not there."""
    command = ["git", "-C", str(folder), *argv]
    try:
        return subprocess.run(command, capture_output=True, check=True).stdout  # noqa: S603  our own words
    except (OSError, subprocess.CalledProcessError):
        return b""


def _print_and_exit(worked: Worked[Revised], *, check: bool, as_json: bool) -> NoReturn:
    """Print what was revised, and end the process: with 1 for problems, or changes to `check`."""
    if as_json:
        print_json([_revised(name, result) for name, result in worked.done.items()])
    else:
        _print_revised(worked.done, check=check)
    problems = any(result.problems for result in worked.done.values())
    changed = any(result.changed for result in worked.done.values())
    exit_after(worked, found=problems or (check and changed))


def _revised(name: str, result: Revised) -> dict[str, Any]:
    """The changes and problems of one cassette, as JSON."""
    return {
        "cassette": name,
        "changed": [{"from": old, "to": new} for old, new in result.changed],
        "secrets": dict(result.secrets),
        "problems": result.problems,
        "warnings": list(result.warnings),
    }


def _print_revised(done: Mapping[str, Revised], *, check: bool) -> None:
    """Print what was revised in each cassette, in lines for people."""
    for name, result in done.items():
        for old, new in result.changed:
            click.echo(f"{name}: {visible(old)}" + (f" -> {visible(new)}" if new != old else ""))
        for secret, count in sorted(result.secrets.items()):
            click.echo(f"{name}: {counted(count, 'secret')} of kind {secret}")
        for problem in (*result.problems, *result.warnings):
            click.echo(problem, err=True)
    total = sum(len(result.changed) for result in done.values())
    verb = "would change" if check else "changed"
    click.echo(f"{counted(len(done), 'cassette')}: {counted(total, 'recording')} {verb}")


COMMANDS = (difference.command, merge_, split, prune_, dedupe_, rename_model_, redact_, fix_)
"""All of these, and `diff`, as a group of commands takes them."""
