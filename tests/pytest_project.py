"""A project with tests of its own, and what pytest makes of it: each run a process of its own."""

import asyncio
import re
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.scripted_upstream import Upstream

if TYPE_CHECKING:
    from tests.conftest import Start

ASKING = """
import json, os, urllib.error, urllib.request

def ask(prompt, base_url=None):
    "The answer, or nothing: like much real code this swallows what went wrong."
    body = {"model": "m", "messages": [{"role": "user", "content": prompt}]}
    request = urllib.request.Request(
        (base_url or os.environ["OPENAI_BASE_URL"]) + "/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request) as response:
            return json.load(response)["choices"][0]["message"]["content"]
    except urllib.error.HTTPError as error:
        with error:
            return ""
"""


class Project:
    """A folder with tests of its own, and what pytest makes of them."""

    def __init__(self, pytester: pytest.Pytester, start: "Start") -> None:
        self.pytester = pytester
        self.path = pytester.path
        self._start = start
        pytester.makepyfile(asking=ASKING)

    def ini(self, line: str) -> None:
        self.pytester.makeini(f"[pytest]\n{line}")

    def tests(self, source: str, file: str = "test_it") -> None:
        header = "import pytest\nfrom asking import ask\n"
        self.pytester.makepyfile(**{file: header + source})

    async def recorded(self, cassette: str, *prompts: str) -> Path:
        deck = await self._start(
            mode="record-missing", cassette=cassette, cassettes=self.path / "cassettes"
        )
        for prompt in prompts:
            await deck.chat(prompt)
        return self.path / "cassettes" / f"{cassette}.yaml"

    async def run(self, *flags: str, plugins: Sequence[str] = ()) -> pytest.RunResult:
        """Without other plugins than those named, whose start would take longer than the tests."""
        chosen = [flag for name in (*plugins, "promptdeck.pytest_plugin") for flag in ("-p", name)]
        return await self._pytest(*chosen, *flags, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")

    async def run_as_installed(self, *flags: str) -> pytest.RunResult:
        known = any(point.name == "promptdeck" for point in entry_points(group="pytest11"))
        plugin = () if known else ("-p", "promptdeck.pytest_plugin")
        return await self._pytest(*plugin, *flags)

    async def _pytest(self, *flags: str, **environ: str) -> pytest.RunResult:
        common = ("-p", "no:cacheprovider", "-W", "error")
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environ.items():
                patch.setenv(name, value)
            return await asyncio.to_thread(self.pytester.runpytest_subprocess, *common, *flags)


@pytest.fixture
def project(
    pytester: pytest.Pytester, start: "Start", provider: Upstream, monkeypatch: pytest.MonkeyPatch
) -> Project:
    # Under CI pytest does not shorten its summary, and each message would stand twice.
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
    for name in ("GITHUB_ACTIONS", "GITHUB_WORKSPACE", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path / ".cache"))
    monkeypatch.setenv("PROMPTDECK_UPSTREAM_URL", provider.url)
    return Project(pytester, start)


def told(result: pytest.RunResult) -> str:
    """The summary, without how long was not waited."""
    lines = [line for line in result.outlines if line.startswith("promptdeck: ")]
    return re.sub(r", [0-9.]+ s not waited$", "", lines[-1].removeprefix("promptdeck: "))
