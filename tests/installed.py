"""The wheel of this tree, and virtual environments that hold it: promptdeck as a user has it."""

import base64
import hashlib
import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from importlib.metadata import Distribution, distributions
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from promptdeck.stores.cassettes.file import locked
from tests import ROOT
from tests.command import environment


def pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def wheel(folder: Path) -> Path:
    """The wheel of this tree in `folder`, built by whichever process comes first.

    Where hatchling is not installed (`.[dev]` has it) pip fetches it from PyPI.
    """
    with locked(folder):
        if not list(folder.glob("promptdeck-*.whl")):
            alone = ["--no-build-isolation"] if find_spec("hatchling") else []
            pip("wheel", "--quiet", "--no-deps", *alone, "--wheel-dir", folder, ROOT)
    [built] = folder.glob("promptdeck-*.whl")
    return built


class Environment(NamedTuple):
    """A virtual environment, which finds what promptdeck needs where the tests run."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "Environment":
        command = [sys.executable, "-m", "venv", "--without-pip", folder]
        subprocess.run(command, check=True)
        made = cls(folder)
        # Python reads no .pth file of a folder that a .pth file names: an editable promptdeck
        # stays out of it.
        needs = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        (made.site / "needs.pth").write_text("\n".join(sorted(needs)))
        return made

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def site(self) -> Path:
        [site] = self.folder.glob("lib/python*/site-packages")
        return site

    def install(self, what: str | Path) -> None:
        """Install a wheel, or a project of PyPI, over whatever is there."""
        # Without --ignore-installed pip looks at what lies in the other environment, too.
        quiet = ("--quiet", "--no-deps", "--ignore-installed")
        pip("--python", self.python, "install", *quiet, what)

    def run(self, *command: str, cwd: Path) -> str:
        """What a command of the environment writes; it must succeed."""
        name, *arguments = command
        inner = {
            name: value
            for name, value in environment(cwd).items()
            if not name.startswith(("PYTHON", "PYTEST_"))
        }
        done = subprocess.run(
            [self.python.with_name(name), *arguments],
            cwd=cwd,
            env=inner,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def packages(self) -> Mapping[str, Distribution]:
        """What was installed here, by name."""
        return {found.name: found for found in distributions(path=[str(self.site)])}


def altered(package: Distribution) -> list[str]:
    """The files of an installed package that are not what its wheel brought, or that are gone."""
    return [str(file) for file in package.files or () if file.hash and not _is_whole(file)]


def _is_whole(file) -> bool:
    path = file.locate()
    if not path.exists():
        return False
    digest = hashlib.new(file.hash.mode, path.read_bytes()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == file.hash.value


def shared(basetemp: Path) -> Path:
    """A folder for all workers of one run; `basetemp` is that of one of them."""
    return basetemp.parent if "PYTEST_XDIST_WORKER" in os.environ else basetemp
