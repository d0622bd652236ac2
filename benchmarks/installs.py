"""Puts what promptdeck is measured against into folders of its own, below `.bench/`.

    python benchmarks/installs.py [NAME ...]

Nothing is installed on the machine: Debian packages are unpacked, npm's and
PyPI's go into folders and virtual environments. What can't be had is reported
and left out of the run; `.bench/missing.json` remembers why.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".bench"
_MISSING = HOME / "missing.json"


class Unavailable(Exception):
    """Why something can't be had here."""


def main(names: list[str]) -> None:
    HOME.mkdir(exist_ok=True)
    missing = why_missing()
    for name in names or list(INSTALLS):
        missing.pop(name, None)
        if (HOME / name / ".ready").exists():
            continue
        print(f"installing {name} into .bench/{name} (once)", flush=True)
        shutil.rmtree(HOME / name, ignore_errors=True)
        (HOME / name).mkdir()
        try:
            INSTALLS[name](HOME / name)
        except Unavailable as error:
            missing[name] = str(error)
            print(f"  left out: {error}", flush=True)
        else:
            (HOME / name / ".ready").touch()
    _MISSING.write_bytes(orjson.dumps(missing))


def why_missing() -> dict[str, str]:
    """The reason for each that could not be installed."""
    return dict(orjson.loads(_MISSING.read_bytes())) if _MISSING.exists() else {}


def is_ready(name: str) -> bool:
    return (HOME / name / ".ready").exists()


def _run(argv: list[str], folder: Path) -> None:
    program = shutil.which(argv[0])
    if not program:
        raise Unavailable(f"there is no {argv[0]} on this machine")
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise Unavailable(f"{Path(argv[0]).name} {argv[1]}: {lines[-1]}")


def _venv(*packages: str) -> Callable[[Path], None]:
    def install(folder: Path) -> None:
        _run([sys.executable, "-m", "venv", str(folder)], folder)
        pip = str(folder / "bin" / "pip")
        _run([pip, "install", "--quiet", "--disable-pip-version-check", *packages], folder)

    return install


def _folder(*packages: str) -> Callable[[Path], None]:
    """Packages that a promptdeck finds if it is given that folder."""

    def install(folder: Path) -> None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--target", str(folder), *packages], folder)

    return install


def _npm(package: str, needs: str = "node") -> Callable[[Path], None]:
    def install(folder: Path) -> None:
        if not shutil.which(needs):
            raise Unavailable(f"there is no {needs} on this machine")
        (folder / "package.json").write_text("{}")
        _run(["npm", "install", "--no-audit", "--no-fund", package], folder)

    return install


def _nginx(folder: Path) -> None:
    """The machine's own, or Debian's package, unpacked and not installed."""
    (folder / "bin").mkdir()
    if found := shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin"):
        (folder / "bin" / "nginx").symlink_to(found)
        return
    if os.geteuid() == 0:
        _run(["apt-get", "update"], folder)
    _run(["apt-get", "download", "nginx"], folder)
    [package] = folder.glob("*.deb")
    _run(["dpkg-deb", "-x", str(package), str(folder)], folder)
    (folder / "bin" / "nginx").symlink_to(folder / "usr" / "sbin" / "nginx")
    _run([str(folder / "bin" / "nginx"), "-v"], folder)


INSTALLS: dict[str, Callable[[Path], None]] = {
    "uvloop": _folder("uvloop"),
    "nginx": _nginx,
    "aimock": _npm("@copilotkit/aimock"),
    "wiremock": _npm("wiremock", needs="java"),
    "reel": _venv("reel-vcr"),
    "llm-cache-proxy": _venv("llm-cache-proxy"),
    "litellm": _venv("litellm[proxy]", "litellm[caching]"),
    "vcrpy": _venv("vcrpy", "httpx", "orjson"),
}


if __name__ == "__main__":
    main(sys.argv[1:])
