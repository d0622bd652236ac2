"""`promptdeck cassette import` and `export`: recordings from other tools, and for them."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import orjson

from promptdeck.core.names import LONGEST
from promptdeck.errors import UsageError
from promptdeck.imports import FORMATS, SUFFIXES
from promptdeck.imports.export_har import archive
from promptdeck.stores.cassettes.file import digest, read

from . import options
from .chosen import existing, path_in, watching
from .importing import Importing
from .output import counted


@click.command("import")
@options.settings("cassette.dir")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@click.option("--to", "name", metavar="NAME", help="Cassette for all; by default one for each.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["auto", *FORMATS]),
    default="auto",
    help="Whose files these are; by default seen from each file.",
)
@click.option("--errors", is_flag=True, help="Carry error answers too, as record.errors says.")
@click.option(
    "--keep-unfinished",
    "unfinished",
    is_flag=True,
    help="Carry answers too that are not whole, such as one without a finish_reason.",
)
@click.option(
    "--url",
    default="",
    metavar="URL",
    help="What was asked, where a file has a placeholder for it.",
)
@options.as_json
def import_command(
    *,
    files: Sequence[Path],
    name: str | None,
    form: str,
    errors: bool,
    unfinished: bool,
    url: str,
    as_json: bool,
    **flags: Any,
) -> None:
    """Import recordings of other tools.

    They are those of vcrpy, pytest-recording, Ruby's VCR, betamax, go-vcr, PHP-VCR, ExVCR,
    ReqCassette, ddapm-test-agent, nock, Polly.JS and others that write HAR, aimock and reel.

    A folder stands for its files. Each file makes a cassette named by its path below
    the folder that all arguments share. Older recordings of the same requests are
    replaced, so importing again leaves nothing double. What cannot be carried is
    listed, a line for each file and reason. The exit code is 0 if all was carried, 1 if an
    entry was not, 2 if the command itself is wrong, and 4 if a file cannot be read.

    \b
    Examples:
      promptdeck cassette import tests/old_cassettes
      promptdeck cassette import --to checkout session.har
      promptdeck cassette import --format reel tape.jsonl --json
    """
    from promptdeck.library import redactor_of

    config = options.loaded(flags).config
    folder = config.cassette.dir
    sources = [(path, path_in(folder, name or own)) for path, own in _named(files)]
    if not name:
        _warn_of_shared(sources)
    importing = Importing(
        form, redactor_of(config), errors or config.record.errors, unfinished, _checked(url)
    )
    with watching("importing", [path for path, _ in sources]) as step_of:
        into: dict[Path, list[Path]] = {}
        for path, cassette in sources:
            into.setdefault(cassette, []).append(path)
        for cassette, paths in into.items():
            importing.files(paths, cassette, step_of)
    importing.print_verdict(len(sources), as_json=as_json)
    sys.exit(importing.exit_code)


def _checked(url: str) -> str:
    """The URL of `--url`, or the empty string. UsageError for what is none."""
    if url and not re.match(r"(?i)https?://[^/?#\s]+/\S", url):
        raise UsageError(
            f"--url: {url} is no URL with a path, such as https://api.openai.com/v1/responses"
        )
    return url


def _named(arguments: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Every file with its cassette's name: its path below the folder that all share."""
    shared = Path(os.path.commonpath([_folder(path) for path in arguments]))
    for argument in arguments:
        for path in _files(argument):
            yield path, _name(_bare(path.absolute().relative_to(shared)))


def _warn_of_shared(sources: Sequence[tuple[Path, Path]]) -> None:
    """Say on stderr which files go into one cassette, without --to having asked for it.

    Their names differ in characters that a cassette's cannot have.
    """
    first: dict[Path, Path] = {}
    for path, cassette in sources:
        if first.setdefault(cassette, path) is not path:
            said = f"{path} goes into {cassette}, as {first[cassette]} does; --to keeps them apart"
            click.echo(said, err=True)


def _folder(path: Path) -> Path:
    """An argument that is a folder, or the folder that it is in."""
    return path.absolute() if path.is_dir() else path.absolute().parent


def _files(path: Path) -> list[Path]:
    """A file itself, or the files of a folder, at any depth, with a suffix of the tools'."""
    if not path.is_dir():
        return [path]
    return sorted(
        item for item in path.rglob("*") if item.name.endswith(SUFFIXES) and item.is_file()
    )


def _bare(path: Path) -> Path:
    """A path without its suffix, `.yaml` or `.yaml.gz`."""
    return (path.with_suffix("") if path.suffix == ".gz" else path).with_suffix("")


def _name(path: Path) -> str:
    """A path spelled with the letters of a cassette's name; `test_x[a b]` becomes `test_x-a-b`.

    One that is too long is cut, and ends in a digest of all of it, so that no two meet.
    """
    parts = (re.sub("[^A-Za-z0-9._-]+", "-", part).strip("-.") for part in path.parts)
    name = "/".join(part or "-" for part in parts)
    if len(name) <= LONGEST:
        return name
    mark = "-" + digest(str(path).encode("utf-8", "surrogateescape"))[:8]
    return name[: LONGEST - len(mark)].rstrip("/") + mark


@click.command("export")
@options.settings("cassette.dir")
@click.argument("name")
@click.option("--format", "form", type=click.Choice(["har"]), default="har", help="Default: har.")
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write; by default it is printed.",
)
def export_command(*, name: str, form: str, output: Path | None, **flags: Any) -> None:
    """Export a cassette as an HTTP archive (HAR 1.2).

    \b
    Examples:
      promptdeck cassette export checkout --format har --output checkout.har
    """
    del form  # there is only one
    folder = options.loaded(flags).config.cassette.dir
    found = read(existing(folder, name))
    data = orjson.dumps(archive(found), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if output is None:
        click.echo(data, nl=False)
        return
    try:
        output.write_bytes(data)
    except OSError as error:
        raise UsageError(f"{output}: cannot be written: {error.strerror or error}") from None
    click.echo(f"{counted(len(found), 'recording')} written to {output}", err=True)
