"""The SDKs' own tests, DedalusRunner and schemathesis, against a real `promptdeck serve`.

    python tests/conformance/run.py [SUITE ...]

Each suite has a promptdeck and an upstream of its own and runs twice: first
recording what is missing, then replaying with the upstream stopped. What it
needs is installed in .conformance/ when requirements.txt has changed; what went
on is to be read in .conformance/log/. Exit code 1 if a test failed or is missing.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen
from xml.etree import ElementTree as ET

import click
import orjson
from workshop import HERE, NODE, PYTHON, SDISTS, WORKSHOP, environment, prepare, started

PLUGIN = "sdk_plugin"
LONGEST = 600
"""Seconds that one round may take."""
SHOWN = 5
"""How many complaints of a round are printed."""


class Round(NamedTuple):
    """A suite's one run."""

    mode: str
    root: str
    """Where promptdeck is, without /v1."""
    folder: Path
    """The suite's own: cassettes, logs, reports."""

    @property
    def report(self) -> Path:
        return self.folder / f"{self.mode}.xml"


class Run(NamedTuple):
    """What to start for one round of a suite; it writes a JUnit report."""

    command: list[str]
    environment: dict[str, str]
    cwd: Path


class Suite(NamedTuple):
    name: str
    expected: int
    """Tests that must pass; one that is missing has failed."""
    run: Callable[[Round], Run]
    settings: Mapping[str, str] = {}
    """promptdeck's, as environment variables."""


class Result(NamedTuple):
    suite: Suite
    mode: str
    passed: int
    failed: int
    seconds: float
    complaints: list[str]


def sdk_tests(sdk: str, base: str, selection: list[str], at: Round) -> Run:
    """Tests that an SDK ships in its source distribution; `base` is what its base URL ends in."""
    return Run(
        [*_pytest(at), "-p", PLUGIN, "-n", "0", *selection],
        {"TEST_API_BASE_URL": at.root + base, "PYTHONPATH": str(HERE)},
        WORKSHOP / "sdist" / f"{sdk}-{SDISTS[sdk]}",
    )


def sessions(at: Round) -> Run:
    folder = at.folder / "sessions"
    folder.mkdir(exist_ok=True)
    # The house's own pytest settings and fixtures need more than is installed there.
    alone = ["-c", os.devnull, "--rootdir", str(HERE), "--noconftest"]
    environment = {"DEDALUS_BASE_URL": at.root, "SESSIONS": str(folder), "MODE": at.mode}
    return Run([*_pytest(at), *alone, "runner_sessions.py"], environment, HERE)


def _pytest(at: Round) -> list[str]:
    options = ["-q", "--tb=short", "-p", "no:cacheprovider", f"--junitxml={at.report}"]
    return [str(PYTHON), "-m", "pytest", *options]


def schemathesis(at: Round) -> Run:
    command = f"""st run {at.root}/openapi.json
        --checks not_a_server_error,response_schema_conformance
        --phases examples,coverage,fuzzing --max-examples 50 --continue-on-failure
        --seed 1 --generation-database none
        --no-color --report junit --report-junit-path {at.report}"""
    name, *options = command.split()
    return Run([str(PYTHON.with_name(name)), *options], {}, at.folder)


def node(at: Round) -> Run:
    """The recipe for Node; modules are found from where the test lies, so it is copied there."""
    shutil.copy(HERE / "recipe.test.mjs", NODE)
    reporter = ["--test-reporter=junit", f"--test-reporter-destination={at.report}"]
    environment = {"PROMPTDECK_ROOT": at.root, "PROMPTDECK_ROUND": at.mode}
    return Run(["node", "--test", *reporter, "recipe.test.mjs"], environment, NODE)


_API = "tests/api_resources"
_dedalus = partial(sdk_tests, "dedalus_labs", "")
_openai = partial(sdk_tests, "openai", "/v1")
SUITES = (
    # First, for it takes longest.
    Suite("schemathesis", 13, schemathesis),
    Suite("dedalus-chat", 40, partial(_dedalus, [f"{_API}/chat"])),
    # Left out: audio/test_speech.py, whose tests answer themselves (respx) and ask no server.
    Suite(
        "dedalus-other",
        195,
        partial(
            _dedalus,
            [_API, f"--ignore={_API}/chat", f"--ignore={_API}/audio/test_speech.py"],
        ),
    ),
    Suite("openai-create", 40, partial(_openai, [f"{_API}/chat", "-k", "create"])),
    Suite("openai-stored", 105, partial(_openai, [f"{_API}/chat", "-k", "not create"])),
    # Its upstream runs tools itself, as Dedalus does.
    Suite("dedalus-runner", 12, sessions, {"PROMPTDECK_AGENT_RUN": "upstream"}),
    Suite("node", 4, node),
)


def play(suite: Suite) -> list[Result]:
    """Both rounds of a suite."""
    folder = WORKSHOP / "log" / suite.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with started(folder / "upstream.txt", sys.executable, str(HERE / "upstream.py")) as upstream:
        recorded = _round(suite, "record-missing", folder, upstream)
    # Nothing listens there any more.
    return [recorded, _round(suite, "replay", folder, upstream)]


def _round(suite: Suite, mode: str, folder: Path, upstream: str) -> Result:
    start = time.monotonic()
    log, out = folder / f"{mode}-promptdeck.txt", folder / f"{mode}.txt"
    serve = [str(Path(sys.executable).with_name("promptdeck")), "serve", "--port", "0"]
    # From one round to the next nothing is handed on but the cassette.
    places = ["--cassettes", str(folder / "cassettes"), "--store", str(folder / f"{mode}.db")]
    with started(
        log, *serve, "--mode", mode, "--upstream", upstream, *places, **suite.settings
    ) as base_url:
        at = Round(mode, base_url.removesuffix("/v1"), folder)
        code = _finished(suite.run(at), out)
        with urlopen(f"{at.root}/_deck/health") as answer:
            calls = orjson.loads(answer.read())["upstream_calls"]
    passed, complaints = _counted(at.report)
    if code and not complaints:
        complaints.append(f"exit code {code}: {' '.join(out.read_text()[-300:].split())}")
    if mode == "replay" and calls:
        complaints.append(f"{calls} upstream calls in replay")
    # The SDKs would try again, and a test would pass.
    if errors := re.findall(r".+ 5\d\d [\d.]+ ms.*", log.read_text()):
        complaints.append(f"{len(errors)} server errors, the first {errors[0]}")
    failed = max(len(complaints), suite.expected - passed)
    return Result(suite, mode, passed, failed, time.monotonic() - start, complaints)


def _finished(run: Run, log: Path) -> int:
    with log.open("wb") as out:
        process = subprocess.Popen(
            run.command,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=run.cwd,
            env=environment(**run.environment),
        )
        try:
            return process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def _counted(report: Path) -> tuple[int, list[str]]:
    """How many tests passed, and of each that failed its name and what was wrong."""
    if not report.exists():
        return 0, []
    passed, complaints = 0, []
    for case in ET.parse(report).iter("testcase"):
        trouble = [part for part in case if part.tag in ("failure", "error")]
        if trouble:
            place = case.get("classname", "").rpartition(".")[2]
            what = f"{place} {case.get('name')}: {trouble[0].get('message')} {trouble[0].text}"
            complaints.append(" ".join(what.split())[:200])
        elif case.find("skipped") is None:
            passed += 1
    return passed, complaints


def _table(results: list[Result]) -> Iterator[str]:
    yield f"{'suite':16}{'mode':16}{'passed':>8}{'failed':>8}{'of':>6}{'seconds':>9}"
    for suite, mode, passed, failed, seconds, _ in results:
        yield f"{suite.name:16}{mode:16}{passed:8}{failed:8}{suite.expected:6}{seconds:9.1f}"


def main(names: list[str]) -> int:
    if unknown := set(names) - {suite.name for suite in SUITES}:
        raise SystemExit(f"no suite {', '.join(unknown)}; {__doc__}")
    prepare()
    chosen = [suite for suite in SUITES if not names or suite.name in names]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = [result for rounds in pool.map(play, chosen) for result in rounds]
    for suite, mode, *_, complaints in results:
        for complaint in complaints[:SHOWN]:
            click.echo(f"{suite.name} {mode}: {complaint}")
        if len(complaints) > SHOWN:
            log = (WORKSHOP / "log" / suite.name / f"{mode}.txt").relative_to(WORKSHOP.parent)
            click.echo(f"{suite.name} {mode}: {len(complaints) - SHOWN} more in {log}")
    click.echo("\n".join(["", *_table(results), ""]))
    failed = sum(result.failed for result in results)
    click.echo(f"{sum(result.passed for result in results)} passed, {failed} failed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
