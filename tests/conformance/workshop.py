"""What the conformance runs need: packages of PyPI and npm in .conformance/, and servers.

All is installed in one go, once, and anew when what is wanted has changed.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import click

HERE = Path(__file__).parent
WORKSHOP = HERE.parents[1] / ".conformance"
REQUIREMENTS = HERE / "requirements.txt"
FRAMEWORKS = HERE / "frameworks.txt"
TOOLS = HERE / "tools.txt"
PYTHON = WORKSHOP / "venv" / "bin" / "python"
"""Has what REQUIREMENTS names."""
FRAMEWORKS_PYTHON = WORKSHOP / "frameworks" / "bin" / "python"
"""Has what FRAMEWORKS names, which wants other versions of the SDKs below."""
TOOLS_PYTHON = WORKSHOP / "tools" / "bin" / "python"
"""Has what TOOLS names: servers of MCP, and the official SDK."""
SDISTS = {
    name.replace("-", "_"): version
    for name, version in re.findall(
        r"(?m)^(dedalus_labs|openai|anthropic|langchain-openai)(?:\[.*\])?==(.+)$",
        REQUIREMENTS.read_text() + FRAMEWORKS.read_text(),
    )
}
"""The packages whose source distributions are unpacked as well, for the tests in them."""
NODE = WORKSHOP / "node"
NODE_PACKAGES = (
    "openai@7.57.0",
    "@anthropic-ai/sdk@1.14.0",
    "@google/genai@2.32.0",
    "ai@6.0.326",
    "@ai-sdk/openai@3.0.141",
    "@ai-sdk/anthropic@3.0.140",
    "@ai-sdk/google@3.0.141",
    "zod@4.6.7",
    "@modelcontextprotocol/server-everything@2026.8.31",
    "@modelcontextprotocol/server-filesystem@2026.8.31",
    "@modelcontextprotocol/server-memory@2026.8.31",
)


def prepare() -> None:
    """Install what the requirements and NODE_PACKAGES name, and unpack source distributions."""
    ready = WORKSHOP / "ready"
    texts = REQUIREMENTS.read_text() + FRAMEWORKS.read_text() + TOOLS.read_text()
    wanted = f"{sys.version} {texts} {NODE_PACKAGES} {SDISTS}"
    if ready.exists() and ready.read_text() == wanted:
        return
    click.echo("setting up .conformance (two minutes, once)")
    shutil.rmtree(WORKSHOP, ignore_errors=True)
    WORKSHOP.mkdir()
    (WORKSHOP / ".gitignore").write_text("*\n")
    with ThreadPoolExecutor() as pool:
        for done in [
            pool.submit(_install, PYTHON, REQUIREMENTS),
            pool.submit(_install, FRAMEWORKS_PYTHON, FRAMEWORKS),
            pool.submit(_install, TOOLS_PYTHON, TOOLS),
            pool.submit(install_node, NODE, NODE_PACKAGES),
            *(pool.submit(_unpack, *item) for item in SDISTS.items()),
        ]:
            done.result()
    ready.write_text(wanted)


def _install(python: Path, requirements: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
    _pip(python, "install", "--requirement", str(requirements))


def install_node(folder: Path, packages: tuple[str, ...]) -> None:
    """Install packages of npm into a folder. CalledProcessError if npm fails."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}')
    npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", *packages]
    subprocess.run(npm, cwd=folder, check=True)


def _unpack(name: str, version: str) -> None:
    folder = WORKSHOP / "sdist"
    only_source = ["--no-deps", "--no-binary", name, "--dest", str(folder)]
    _pip(Path(sys.executable), "download", *only_source, f"{name}=={version}")
    shutil.unpack_archive(folder / f"{name}-{version}.tar.gz", folder)


def _pip(python: Path, *arguments: str) -> None:
    quiet = ["--quiet", "--quiet", "--disable-pip-version-check"]
    subprocess.run([python, "-m", "pip", *arguments, *quiet], check=True)


@contextmanager
def started(log: Path, *command: str, **variables: str) -> Iterator[str]:
    """A server until the block ends, and the URL that it tells in its first line.

    SystemExit, with the command, if it does not start.
    """
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=log.parent,
            env=environment(**variables),
        )
        assert process.stdout
        with process.stdout:
            words = process.stdout.readline().split()
            try:
                if not words:
                    raise SystemExit(f"{' '.join(command)}\ndid not start; see {log}")
                yield words[-1].decode()
            finally:
                process.send_signal(signal.SIGINT)
                _wait(process)


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(30)
    finally:
        process.kill()


_UNWANTED = re.compile(
    r"(?:PROMPTDECK|OPENAI|DEDALUS|PYTEST|ANTHROPIC|CLAUDE|GEMINI|GOOGLE|AZURE|CO|OLLAMA|MISTRAL"
    r"|GROQ|LANGCHAIN|LANGSMITH)_"
)


def environment(**variables: str) -> dict[str, str]:
    """The outer environment, less what would change a result, and more `variables`."""
    outer = {name: value for name, value in os.environ.items() if not _UNWANTED.match(name)}
    loopback = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "PYTHONUTF8": "1"}
    return {**outer, **loopback, **variables}
