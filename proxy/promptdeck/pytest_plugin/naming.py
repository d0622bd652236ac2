"""Which cassette a test plays: the folder, the name, and what the test's marks say."""

import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import pytest

_LONGEST = 80
"""Characters of one part of a name. File systems take 255 bytes, and Windows 260 characters for
a whole path, of which a name has two parts or more."""

_DIGEST = 4
"""Bytes of a digest: of a thousand in one place, two are the same in 1 of 8,600 cases."""

_OTHER = re.compile(r"[^A-Za-z0-9._-]+")
# Upper case is told from lower by its digest: some file systems take them for one.
_PLAIN = re.compile(r"[a-z0-9_][a-z0-9._-]*(?<!\.)")

_KINDS = {"name": str, "match": dict, "repeat": bool, "draws": int, "allow_unused": bool}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The keywords of `@pytest.mark.cassette` on a test."""

    name: str = ""
    """Below the folder of cassettes, without suffix, such as `shared/weather`."""
    match: dict[str, list[Any]] = field(default_factory=dict)
    """Rules of matching, added to those of the configuration: `ignore`, `replace`, `preset`."""
    repeat: bool | None = None
    """Whether the last of several answers repeats or is refused; None leaves it to the
    configuration."""
    draws: int | None = None
    """How many answers of each request are recorded."""
    allow_unused: bool = False
    """Whether the test may leave recordings unplayed."""

    @classmethod
    def of(cls, item: pytest.Item | pytest.Collector) -> "Mark":
        """All of a test's marks in one; what stands closer to the test counts.

        Fails the test for keywords that are unknown or of a wrong type.
        """
        given: dict[str, Any] = {}
        for mark in reversed(list(item.iter_markers("cassette"))):
            if mark.args:
                pytest.fail("@pytest.mark.cassette takes keywords: name=...", pytrace=False)
            given |= mark.kwargs
        known = [item.name for item in fields(cls)]
        if unknown := [name for name in given if name not in known]:
            told = f"@pytest.mark.cassette knows {', '.join(known)}, not {', '.join(unknown)}"
            pytest.fail(told, pytrace=False)
        for name, kind in _KINDS.items():
            # To Python a bool is an int.
            if name in given and type(given[name]) is not kind:
                told = f"@pytest.mark.cassette({name}={given[name]!r}): must be a {kind.__name__}"
                pytest.fail(told, pytrace=False)
        return cls(**given)


class CassettePlace(NamedTuple):
    """The place of a test's cassette: a folder, `cassette.dir` of its server, and a name in it."""

    folder: Path
    name: str

    @property
    def path(self) -> Path:
        """The cassette's file."""
        return self.folder / f"{self.name}.yaml"


class Folders:
    """The folders of cassettes: one beside each test file, or a single one that was asked for."""

    def __init__(self, config: pytest.Config) -> None:
        option, ini = config.getoption("cassette_dir"), config.getini("cassette_dir")
        self._root = config.rootpath
        self._folder: Path | None = None
        if option:
            self._folder = config.invocation_params.dir / option
        elif ini:
            self._folder = config.rootpath / ini

    def place(self, item: pytest.Item, name: str) -> CassettePlace:
        """The place of a test's cassette: of the name that its mark gives, or else of its own."""
        name = name.removesuffix(".yaml")
        if self._folder is None:
            return CassettePlace(
                item.path.parent / "cassettes", name or name_of(item.path.stem, _id(item))
            )
        return CassettePlace(self._folder, name or name_of(self._module(item.path), _id(item)))

    def shared(self, node: pytest.Collector, scope: str) -> CassettePlace:
        """The place of the cassette that the tests below `node`, of this scope, have in common.

        Its name begins with _, as no test's does: `test_app/_module`, `test_app/TestX._class`.
        """
        folder = Path(node.path) if node.path.is_dir() else node.path.parent
        if scope in ("package", "session"):
            if self._folder is None:
                return CassettePlace(folder / "cassettes", f"_{scope}")
            inside = folder.relative_to(self._root) if folder.is_relative_to(self._root) else Path()
            if scope == "session" or inside == Path():
                return CassettePlace(self._folder, f"_{scope}")
            return CassettePlace(self._folder, f"{_folder_name(inside.as_posix())}/_{scope}")
        home = self.of_module(node.path)
        classes = [one.name for one in node.listchain() if isinstance(one, pytest.Class)]
        own = ".".join([*classes, f"_{scope}"])
        root = folder / "cassettes" if self._folder is None else self._folder
        return CassettePlace(root, f"{home.relative_to(root).as_posix()}/{_safe(own, own)}")

    def of_module(self, path: Path) -> Path:
        """The folder with the cassettes that the tests of a file have by themselves."""
        if self._folder is None:
            return path.parent / "cassettes" / _folder_name(path.stem)
        return self._folder / _folder_name(self._module(path))

    def _module(self, path: Path) -> str:
        """A test file's name within the one folder of all: its path below rootdir, if it is."""
        inside = path.is_relative_to(self._root)
        return (
            (path.relative_to(self._root) if inside else Path(path.name)).with_suffix("").as_posix()
        )


def _id(item: pytest.Item) -> str:
    """`TestClass.test_name[parameters]`; not the node id, to which pytest-xdist adds its groups."""
    classes = (node.name for node in item.listchain() if isinstance(node, pytest.Class))
    return ".".join([*classes, item.name])


def name_of(module: str, test: str) -> str:
    """The name of the cassette of `test`, such as `TestX.test_y[parameters]`, in `module`.

    Readable, fit for every file system, and no two tests' the same: what cannot be spelled in
    it, and what only case tells apart, stands in a digest at its end.
    """
    function, _, parameters = test.partition("[")
    shown = f"{function}-{parameters[:-1]}" if parameters else function
    plain = not parameters or _PLAIN.fullmatch(parameters[:-1]) is not None
    return f"{_folder_name(module)}/{_safe(shown, test, plain=plain)}"


def _folder_name(module: str) -> str:
    """A module, with slashes where it has folders, in the alphabet of names."""
    return "/".join(_safe(part, part) for part in module.split("/"))


def _safe(shown: str, whole: str, *, plain: bool = True) -> str:
    """`shown` in the alphabet of names, with a digest of `whole` where that lost something.

    Where it is not `plain`, the digest is there in any case.
    """
    text = _OTHER.sub("-", shown).strip(".-")[:_LONGEST].rstrip(".-")
    if plain and text == shown:
        return text
    from hashlib import blake2s

    digest = blake2s(whole.encode(errors="surrogatepass"), digest_size=_DIGEST).hexdigest()
    return f"{text}-{digest}" if text else digest
