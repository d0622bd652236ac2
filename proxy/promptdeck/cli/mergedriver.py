"""`promptdeck cassette merge-driver`: git calls it where both sides changed a cassette."""

import subprocess
import sys
from pathlib import Path

import click

from promptdeck.errors import UsageError
from promptdeck.stores.cassettes.file import contents, overwrite
from promptdeck.stores.cassettes.merge import NotByRecording, ThreeWay, three_way

from .output import counted


@click.command("merge-driver")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("ours", type=click.Path(path_type=Path))
@click.argument("theirs", type=click.Path(path_type=Path))
@click.argument("name", default="", required=False)
def command(*, base: Path, ours: Path, theirs: Path, name: str) -> None:
    """Merge what both sides made of a cassette, recording by recording, for git.

    Git gives the three versions; the merged one goes into OURS. Exits with 1 where both
    sides changed the same recording and not alike: those stand between git's marks. A
    file that cannot be read so is merged as text, as git does it.

    \b
    Examples:
      git config merge.promptdeck.driver "promptdeck cassette merge-driver %O %A %B %P"
      echo "cassettes/**/*.yaml merge=promptdeck" >> .gitattributes
    """
    path = Path(name or ours)
    try:
        merged = three_way(contents(base), contents(ours), contents(theirs), path)
    except NotByRecording as reason:
        click.echo(f"promptdeck: merged as text: {reason}", err=True)
        sys.exit(_as_text(base, ours, theirs))
    try:
        overwrite(ours, merged.text.encode())
    except OSError as error:
        raise UsageError(f"{ours}: cannot be written: {error.strerror or error}") from None
    if merged.conflicts:
        click.echo(f"promptdeck: {_told(merged, path)}", err=True)
    sys.exit(int(bool(merged.conflicts)))


def _told(merged: ThreeWay, path: Path) -> str:
    """A line about the conflicts that are left for a person."""
    ids = ", ".join(merged.conflicts)
    both = counted(len(merged.conflicts), "recording")
    return f"{path}: both sides changed {both} ({ids}); keep one between each pair of marks"


def _as_text(base: Path, ours: Path, theirs: Path) -> int:
    """Merge three files as git merges texts, into `ours`; 0 if nothing is left for a person."""
    labels = ("-L", "ours", "-L", "base", "-L", "theirs")
    argv = ["git", "merge-file", *labels, *map(str, (ours, base, theirs))]
    ran = subprocess.run(argv, check=False)  # noqa: S603  files that git named
    return int(ran.returncode != 0)
