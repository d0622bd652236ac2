"""Cassettes that no test has any more: of tests that were renamed or deleted.

A claim that is wrong costs a recording, so that only this is judged: files that
are ours, that have a name which the plugin gives by itself (`test_module/test_name`;
what was named by hand may have other users), and whose module was collected to its
end, or is gone from a folder all of whose modules were. Tests that were collected
and deselected have their cassettes still; so have tests that this machine does not
collect, as long as their `def` stands in the module.
"""

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import pytest

from .naming import Folders

_OURS = b"\npromptdeck: "
"""How the line begins that says the format's version: the first but for comments."""
_HEAD = 300
"""Bytes of a file in which that line is looked for, longer than the comment we write above it."""
_SHORT = 80
"""Characters up to which the name of a test is not cut off in that of its file."""


@dataclass
class Collected:
    """The tests and files that this process saw collected."""

    items: list[pytest.Item] = field(default_factory=list)
    """All tests, also those that are deselected later."""
    whole: set[str] = field(default_factory=set)
    """Node ids of the files that were collected."""
    broken: set[str] = field(default_factory=set)
    """Of those, which failed or were skipped at that, wholly or in part."""

    def note(self, report: pytest.CollectReport) -> None:
        """Take in the report on the collection of a file, or of a class in it."""
        file, _, _ = report.nodeid.partition("::")
        self.whole.add(file)
        if report.outcome != "passed":
            self.broken.add(file)


def orphans(config: pytest.Config, collected: Collected, folders: Folders) -> list[Path]:
    """The cassettes that belong to no test, sorted; none where this run cannot tell."""
    if _is_partial(config):
        return []
    modules = _modules(config, collected)
    if not any(folders.of_module(module).parent.is_dir() for module in modules):
        return []
    claimed = {folders.place(item, _named(item)).path for item in collected.items}
    judging = _Judging(config, folders, modules, claimed)
    return sorted({path for path in judging.candidates() if path not in claimed and _is_ours(path)})


def _is_partial(config: pytest.Config) -> bool:
    """True if files are collected in part: by node ids, or only what failed last."""
    return any("::" in str(arg) for arg in config.args) or bool(config.getoption("lf", False))


def _modules(config: pytest.Config, collected: Collected) -> set[Path]:
    """The Python files that were collected to their end."""
    files = {config.rootpath / file for file in collected.whole - collected.broken}
    with_tests = {
        item.path
        for item in collected.items
        if item.nodeid.partition("::")[0] not in collected.broken
    }
    return {path for path in files | with_tests if path.suffix == ".py"}


def _named(item: pytest.Item) -> str:
    """The name that a test's marks give its cassette, however wrong they are otherwise, or none."""
    names = (mark.kwargs.get("name") for mark in item.iter_markers("cassette"))
    return next((name for name in names if isinstance(name, str) and name), "")


def _is_ours(path: Path) -> bool:
    """True if a file is a cassette of ours: pytest-recording's lie in the same places."""
    try:
        with path.open("rb") as file:
            return _OURS in b"\n" + file.read(_HEAD)
    except OSError:
        return False


class _Judging:
    """Finds the files that may be orphans.

    `modules` are the test files that were collected to their end, `claimed` the cassettes that
    tests have now.
    """

    def __init__(
        self, config: pytest.Config, folders: Folders, modules: set[Path], claimed: Iterable[Path]
    ) -> None:
        self._files: list[str] = config.getini("python_files")
        self._functions: list[str] = config.getini("python_functions")
        self._folders = folders
        self._modules = modules
        self._collected = {(path.parent, _function(path.stem)) for path in claimed}
        """Tests, with whatever parameters, by the folder of their cassettes."""

    def candidates(self) -> Iterator[Path]:
        """Files of tests that are in no module any more, or whose module is gone."""
        for module in self._modules:
            yield from self._unclaimed(self._folders.of_module(module), module)
        for folder in {module.parent for module in self._modules}:
            if self._is_whole(folder):
                for gone in self._gone(folder):
                    yield from self._unclaimed(gone, folder / "gone.py")

    def _unclaimed(self, cassettes: Path, module: Path) -> Iterator[Path]:
        """Files in the folder of a module's cassettes whose tests its source does not define."""
        found = [path for path in cassettes.glob("*.yaml") if self._is_test(path.stem)]
        if not found:
            return
        texts = {file: file.read_text("utf-8", "replace") for file in module.parent.glob("*.py")}
        for path in found:
            function = _function(path.stem)
            if self._is_written(cassettes, function, texts.get(module, "")):
                continue
            # A test that did not take part may play it by its name.
            named = f"{cassettes.name}/{path.stem}"
            if not any(named in text for text in texts.values()):
                yield path

    def _is_written(self, cassettes: Path, function: str, source: str) -> bool:
        """True if `source`, a module, defines a test that was not collected.

        It may be for other machines. `function` is the test as a file's name has it, with its
        classes: `TestX.test_y`; `cassettes` is the folder of the module's cassettes.
        """
        if (cassettes, function) in self._collected:
            return False
        owner, _, name = function.rpartition(".")
        # A class that was not collected either may inherit the method.
        known = not owner or any(
            folder == cassettes and other.startswith(f"{owner}.")
            for folder, other in self._collected
        )
        keyword, word = ("def", name) if known else ("class", owner.rpartition(".")[2])
        # What was cut or is not ASCII stands in a file's name in part only.
        end = r"\b" if source.isascii() and len(function) < _SHORT else ""
        defined = rf"^[ \t]*(async )?{keyword} {re.escape(word)}{end}"
        return re.search(defined, source, re.MULTILINE) is not None

    def _is_test(self, stem: str) -> bool:
        """True if a file of this name, without suffix, is the cassette of a test."""
        name = _function(stem).rpartition(".")[2]
        # The methods of a TestCase are called test... whatever python_functions says.
        return any(_fits(name, pattern) for pattern in (*self._functions, "test"))

    def _is_whole(self, folder: Path) -> bool:
        """True if every test file in a folder was collected to its end.

        Any of them could claim by name what lies there.
        """
        files = (path for path in folder.glob("*.py") if self._is_file(path.name))
        return all(path in self._modules for path in files)

    def _is_file(self, name: str) -> bool:
        """True if pytest would take a file of this name for tests, by `python_files`."""
        return any(fnmatch(name, pattern) for pattern in self._files)

    def _gone(self, folder: Path) -> Iterator[Path]:
        """The folders of cassettes whose test files are no longer in `folder`."""
        cassettes = self._folders.of_module(folder / "any.py").parent
        if not cassettes.is_dir():
            return  # another folder's tests have some, these have none
        here = {self._folders.of_module(path) for path in folder.glob("*.py")}
        for path in cassettes.iterdir():
            if path.is_dir() and path not in here and self._is_file(f"{path.name}.py"):
                yield path


def _function(stem: str) -> str:
    """The test in the name of a file: `TestX.test_y` of `TestX.test_y-parameters-digest`."""
    return stem.partition("-")[0]


def _fits(name: str, pattern: str) -> bool:
    """True if a name fits an entry of `python_functions`, which is a prefix or a pattern."""
    return name.startswith(pattern) or ("*" in pattern and fnmatch(name, pattern))


def told(paths: list[str]) -> list[str]:
    """The lines of the summary about orphans, with the command that removes them."""
    one = len(paths) == 1
    return [
        f"promptdeck: {len(paths)} {'cassette belongs' if one else 'cassettes belong'} to no test",
        *(f"  {path}" for path in paths),
        f"To remove {'it' if one else 'them'}: {shlex.join(['rm', *paths])}",
    ]
