"""`promptdeck cassette`: its group, and the commands that look at cassettes and change nothing."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from promptdeck.config import Config
from promptdeck.core.dialects.table import dialect_in, says, with_model
from promptdeck.core.headers import served_in
from promptdeck.core.interaction import Interaction
from promptdeck.core.text.jsontext import Unfaithful, compact, parse
from promptdeck.core.text.wording import visible
from promptdeck.errors import CassetteError, UsageError
from promptdeck.stores.cassettes.file import read_as_is
from promptdeck.stores.cassettes.section import section_in
from promptdeck.stores.cassettes.verify import Flaw, verify

from . import options, reports
from .chosen import all_or, each, existing, exit_after, watching
from .lazy import LazyGroup
from .output import counted, print_json, print_rows, size


@click.group(
    "cassette",
    cls=LazyGroup,
    lazy={
        "list": ("cassette:list_", "List the cassettes of the folder."),
        "show": ("cassette:show", "Show recordings as conversations."),
        "verify": ("cassette:verify_", "Say whether cassettes are whole and safe to commit."),
        "fix": ("hygiene:fix_", "Make keys, ids and frames anew after edits by hand."),
        "diff": ("difference:command", "Compare two cassettes."),
        "merge": ("hygiene:merge_", "Put cassettes together."),
        "merge-driver": ("mergedriver:command", "Merge a cassette's versions for git."),
        "split": ("hygiene:split", "Take a cassette apart."),
        "prune": ("hygiene:prune_", "Remove recordings that a report calls unused."),
        "stabilise": ("stabilise:command", "Learn what varies between recordings of one run."),
        "dedupe": ("hygiene:dedupe_", "Remove recordings that say the same."),
        "rename-model": ("hygiene:rename_model_", "Give a model another name."),
        "redact": ("hygiene:redact_", "Take secrets out of existing cassettes."),
        "import": ("transfer:import_command", "Read other tools' recordings."),
        "export": ("transfer:export_command", "Write a cassette as HAR."),
        "check": ("live:check", "Ask upstream again and report what has drifted."),
        "refresh": ("live:refresh", "Ask upstream again and replace answers, with a review."),
    },
)
def command() -> None:
    """Look at cassettes, verify them, keep them clean.

    \b
    Examples:
      promptdeck cassette list
      promptdeck cassette show checkout
      promptdeck cassette verify
      promptdeck cassette import tests/cassettes/*.yaml
    """


@click.command("list")
@options.settings("cassette.dir")
@options.as_json
def list_(*, as_json: bool, **flags: Any) -> None:
    """List the cassettes of the folder.

    \b
    Examples:
      promptdeck cassette list
      promptdeck cassette list --cassettes tests/cassettes --json
    """
    folder = options.loaded(flags).config.cassette.dir
    worked = each(folder, (), "reading", lambda path, _: _summary(path))
    rows = [{"cassette": name, **summary} for name, summary in worked.done.items()]
    if not (rows or worked.failed or as_json):
        click.echo(f"no cassettes in {folder}", err=True)
    print_rows(rows, as_json=as_json)
    exit_after(worked, found=False)


def _summary(path: Path) -> dict[str, Any]:
    """A row of `cassette list` but for the name. CassetteError."""
    found = read_as_is(path)
    times = [item.recorded_at for item in found]
    return {
        "recordings": len(found),
        "size": size(path.stat().st_size),
        "models": sorted({model for item in found if (model := _model(item))}),
        "oldest": _date(min(times)) if times else None,
        "newest": _date(max(times)) if times else None,
    }


def _date(seconds: float) -> str:
    """The day of a time (seconds since the epoch), in UTC: 2026-11-23."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


@click.command("show")
@options.settings("cassette.dir")
@click.argument("name")
@click.argument("recording", required=False)
@options.as_json
def show(*, name: str, recording: str | None, as_json: bool, **flags: Any) -> None:
    """Show a cassette's recordings, or one of them, as a conversation.

    \b
    Examples:
      promptdeck cassette show checkout
      promptdeck cassette show checkout 3f9c21-003-77ab01cd-1
      promptdeck cassette show checkout --json
    """
    config = options.loaded(flags).config
    found = _read(config, name)
    if recording is not None:
        found = [item for item in found if item.id == recording]
        if not found:
            raise UsageError(f"cassette {name} has no recording {recording}")
    told = [_told(item) for item in found]
    if as_json:
        print_json(told)
        return
    if section := section_in(existing(config.cassette.dir, name)):
        click.echo(f"match      {compact(section).decode()}\n")
    for item in told:
        _print_conversation(item)


def _read(config: Config, name: str) -> list[Interaction]:
    """The recordings of a cassette that is there. UsageError if it is not, CassetteError."""
    return read_as_is(existing(config.cassette.dir, name))


def _told(item: Interaction) -> dict[str, Any]:
    """A recording as `cassette show --json` prints it."""
    body = _value(item)
    return {
        "id": item.id,
        "request": f"{item.request.method} {item.request.target}",
        "recorded": datetime.fromtimestamp(item.recorded_at, UTC).isoformat(timespec="seconds"),
        "upstream": item.upstream,
        "variant": str(item.variant),
        "model": _model(item),
        "served": _served(item),
        "status": item.response.status,
        "frames": len(item.response.frames),
        "took_ms": item.response.took_ms,
        "messages": body.get("messages") if isinstance(body, dict) else None,
        "turns": dialect_in(item.request).turns(body),
        "says": says(item),
        "redacted": item.redacted,
    }


def _value(item: Interaction) -> Any:
    """A request's body as JSON; None if it is none."""
    try:
        return parse(item.request.body)
    except Unfaithful:
        return None


def _model(item: Interaction) -> str:
    """The model that a request names, alone or in a list of one; else empty."""
    body = with_model(_value(item), item.request.target)
    model = body.get("model") if isinstance(body, dict) else None
    if isinstance(model, list) and len(model) == 1:
        [model] = model
    return model if isinstance(model, str) else ""


def _served(item: Interaction) -> str:
    """Who answered, where one of several upstreams was chosen: `anthropic/claude-opus-5, messages`.

    Empty where it was not.
    """
    served = served_in(item.response.headers)
    return f"{served.upstream}/{served.model}, {served.dialect}" if served else ""


def _print_conversation(told: Mapping[str, Any]) -> None:
    """Print a recording as people read it: a head line, and a line or more for each turn."""
    click.secho(visible(told["id"]), bold=True, nl=False)
    secrets = f", {counted(told['redacted'], 'secret')} redacted" if told["redacted"] else ""
    click.echo(
        f"  {visible(told['request'])}  {visible(told['model'])}"
        f"{' by ' + visible(told['served']) if told['served'] else ''}  {told['variant']},"
        f" {counted(told['frames'], 'frame')} in {told['took_ms']} ms,"
        f" recorded {told['recorded']}{secrets}"
    )
    for role, text in _turns(told):
        click.secho(f"  {visible(role)}: ", fg="cyan", nl=False)
        click.echo("\n    ".join(visible(line) for line in text.split("\n")))
    click.echo()


def _turns(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Who says what: the request's turns, and the answer."""
    yield from told["turns"]
    yield f"answer ({told['status']})", told["says"] or "(nothing that could be shown as text)"


@click.command("verify")
@options.settings("cassette.dir")
@click.argument("chosen", nargs=-1, metavar="[NAME ...]")
@click.option(
    "--unused",
    "report",
    metavar="REPORT.json",
    type=reports.path_type,
    help="Recordings that this report calls unused are a problem, too; see `cassette prune`.",
)
@click.option(
    "--stable-prefix",
    "least",
    type=options.Share(),
    metavar="SHARE",
    help="A turn that kept less than this of the prompt before it is a problem; see `doctor`.",
)
@options.as_json
def verify_(
    *,
    chosen: Sequence[str],
    report: Path | None,
    least: float | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Say whether cassettes are whole and safe to commit.

    Format, round trip, fingerprints, ids, readable texts, secrets and size. NAME may
    be a file's path, too. Exits with 1 if there is a problem or nothing to verify, with
    4 if a file cannot be read.

    \b
    Examples:
      promptdeck cassette verify
      promptdeck cassette verify checkout
      promptdeck cassette verify tests/cassettes/test_app/test_login.yaml
      promptdeck cassette verify --cassettes tests/cassettes --json
      promptdeck cassette verify --stable-prefix 90%
    """
    from promptdeck.library import redactor_of

    config = options.loaded(flags).config
    folder = config.cassette.dir
    redactor = redactor_of(config)
    paths = all_or(folder, chosen)
    if not paths:
        raise UsageError(f"there are no cassettes in {folder}: nothing was verified")
    unused = _unused(reports.load(report), paths) if report else {}
    problems: list[Flaw] = []
    unreadable = False
    with watching("verifying", paths.values()) as step_of:
        for name, path in paths.items():
            try:
                problems += verify(path, redactor, name, unused.get(name, ()), step_of(path))
                problems += _shortened(name, path, least)
            except CassetteError as error:
                unreadable = True
                problems.append(Flaw("", str(error)))
    _print_verdict(problems, len(paths), as_json=as_json)
    sys.exit(CassetteError.exit_code if unreadable else int(bool(problems)))


def _shortened(name: str, path: Path, least: float | None) -> Iterator[Flaw]:
    """The turns of a cassette that kept too little of the prompt before them. CassetteError."""
    if least is not None:
        from promptdeck.core.doctor.examining import examine

        from .doctor import failure_of

        for turn in examine(read_as_is(path)).below(least):
            mend = turn.problem.cause.mend if turn.problem else ""
            yield Flaw(name, failure_of(turn, least), mend)


def _unused(report: Any, paths: Mapping[str, Path]) -> dict[str, set[str]]:
    """The ids that a report calls unused, by cassette. UsageError if it is of none of them."""
    found = {
        name: reports.unused(report, name, path)
        for name, path in paths.items()
        if reports.mentions(report, name, path)
    }
    if not found:
        raise UsageError(f"the report is of none of these cassettes: {', '.join(paths)}")
    return found


def _print_verdict(problems: Sequence[Flaw], count: int, *, as_json: bool) -> None:
    """Print every problem that `count` cassettes have, and how many there are."""
    if as_json:
        print_json({"cassettes": count, "problems": [problem._asdict() for problem in problems]})
        return
    for problem in problems:
        click.echo(str(problem))
    verdict = counted(len(problems), "problem") if problems else "all sound"
    click.echo(f"{counted(count, 'cassette')}: {verdict}", err=bool(problems))
