"""What a start can tell of what will go wrong: said at once, not with the first request.

A server starts all the same: a cassette may still come, a folder be made.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from .config import Config
from .core.policy import Mode
from .routes import problems_of
from .stores.cassettes.called import likely
from .stores.cassettes.file import names, path_of


def outlook(config: Config) -> Iterator[str]:
    """One line for each thing that will go wrong under `config`, with what to do about it."""
    if config.mode is not Mode.REPLAY:
        for name, why in problems_of(config, os.environ).items():
            yield why if "." in name else f"upstreams.{name}: {why}"
    if config.mode.fills_cassettes:
        yield from _unwritable(config)
    elif config.mode is Mode.REPLAY or (config.mode is Mode.CACHE and config.cassette.name):
        yield from _missing(config)


def _unwritable(config: Config) -> Iterator[str]:
    """Why no recording could be kept where this configuration wants it."""
    folder, name = config.cassette.dir, config.cassette.name
    path = path_of(folder, name) if name else folder / "any.yaml"
    if path.is_dir():
        yield f"nothing can be recorded: {path} is a folder; name another cassette"
        return
    above = path.parent
    while not os.path.lexists(above) and above != above.parent:
        above = above.parent
    if not above.is_dir():
        why = "is no folder"
    elif not os.access(above, os.W_OK | os.X_OK):
        why = "may not be written to"
    else:
        return
    yield (
        f"nothing can be recorded in {folder}: {above} {why}; mend that, or name another folder"
        " with --cassettes"
    )


def _missing(config: Config) -> Iterator[str]:
    """What is to be played and is not there, with what is there and may be meant."""
    folder, name = config.cassette.dir, config.cassette.name
    if not folder.is_dir():
        what, like = f"no folder {folder}", _folder_like(folder)
        hint = f"did you mean --cassettes {like}?" if like else ""
    elif name and not path_of(folder, name).exists():
        what, hint = f"no cassette {name} in {folder}", _instead_of(folder, name)
    elif not name and not names(folder):
        what, hint = f"no cassette in {folder}", ""
    else:
        return
    follows = "every request will miss" if config.mode is Mode.REPLAY else "it answers nothing"
    hint = hint or "--mode record-missing records what is missing"
    yield f"there is {what}: {follows}; {hint}"


def _instead_of(folder: Path, name: str) -> str:
    """What of a folder may be meant by the name of a cassette that is not there, as a question."""
    if (folder / name).is_dir():
        return f"{name} is a folder: did you mean --cassettes {folder / name}?"
    like = likely(name, names(folder))
    return f"did you mean {like}?" if like else ""


def _folder_like(folder: Path) -> Path | None:
    """A folder that is there and may be meant by one that is not."""
    above = folder.parent
    if not above.is_dir():
        return None
    beside = sorted(one.name for one in above.iterdir() if one.is_dir())
    below = (above / one / folder.name for one in beside)
    if found := next((one for one in below if one.is_dir()), None):
        return found
    like = likely(folder.name, beside)
    return above / like if like else None
