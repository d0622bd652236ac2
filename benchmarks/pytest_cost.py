"""What the pytest plugin costs: the start of its server, and a test with one replayed call.

    python benchmarks/pytest_cost.py [--tests 100]

Runs pytest on a project made for it. Every other test makes the same call with an
openai client made alike to an asyncio protocol that writes the same bytes, in a thread of
the same process: what remains between the two is the plugin. CPU is that of the
process with all its threads; all figures are medians in milliseconds. `above` is the
median of the differences within each pair of neighbours, of which now the one and now
the other comes first: a machine that slows down for a while slows both.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
from asyncio import new_event_loop
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bodies import completion
from servers import Floor, answer_head

CONFTEST = f"""
import os, sys, time

import openai
import pytest

from promptdeck.pytest_plugin import _loopback

sys.path.insert(0, {str(Path(__file__).parent)!r})
from pytest_cost import fixed_server


@pytest.fixture(scope="session")
def fixed_url():
    return fixed_server()


@pytest.fixture
def fixed_client(fixed_url):
    quick = openai.DefaultHttpxClient(**_loopback())
    with openai.OpenAI(base_url=fixed_url, api_key="none", http_client=quick) as client:
        yield client


def pytest_collection_modifyitems(items):
    def place(item):
        n = item.callspec.params["n"]
        return n, (item.originalname == "test_fixed") == bool(n % 2)

    items.sort(key=place)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    took = [(time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000]
    with open(os.environ["COSTS"], "a") as file:
        print(item.originalname, item.callspec.params["n"], *took, file=file)
    return True
"""

TESTS = """
import pytest

def ask(client, n):
    messages = [{"role": "user", "content": f"What is the capital of country {n}?"}]
    answer = client.chat.completions.create(model="m", messages=messages)
    assert answer.choices[0].message.content

# The first of each pays for what is imported, or started, once.
N = int(__import__("os").environ["TESTS"]) + 1

@pytest.mark.parametrize("n", range(N))
def test_fixed(fixed_client, n):
    ask(fixed_client, n)

@pytest.mark.parametrize("n", range(N))
def test_promptdeck(openai_client, n):
    ask(openai_client, n)
"""


class Cost(NamedTuple):
    wall: float
    cpu: float

    def less(self, other: "Cost") -> "Cost":
        return Cost(self.wall - other.wall, self.cpu - other.cpu)


Run = dict[str, list[Cost]]
"""The costs of each test function's tests, in order."""


def fixed_server() -> str:
    """Serve the same bytes to whoever asks, in a thread; the base_url."""
    Floor.whole = answer_head(completion()) + completion()
    loop, started = new_event_loop(), threading.Event()
    ports: list[int] = []

    def run() -> None:
        server = loop.run_until_complete(loop.create_server(Floor, "127.0.0.1", 0))
        ports.append(server.sockets[0].getsockname()[1])
        started.set()
        loop.run_forever()

    threading.Thread(target=run, daemon=True).start()
    started.wait(10)
    return f"http://127.0.0.1:{ports[0]}/v1"


def run(folder: Path, tests: int, **environ: str) -> Run:
    """One run of pytest."""
    costs = folder / "costs"
    costs.write_text("")
    given = {"COSTS": str(costs), "TESTS": str(tests), "XDG_CACHE_HOME": str(folder / "cache")}
    plugins = ("-p", "promptdeck.pytest_plugin", "-p", "no:cacheprovider")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, *environ.pop("flags", "").split()],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **given, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise SystemExit(ran.stdout + ran.stderr)
    found: Run = {"test_fixed": [], "test_promptdeck": []}
    for line in costs.read_text().splitlines():
        name, _, wall, cpu = line.split()
        found[name].append(Cost(float(wall), float(cpu)))
    return found


def report(cold: list[Run], later: list[Run]) -> None:
    """The start is what a run's first test takes longer than its later ones."""
    runs = [*cold, *later]
    fixed = [cost for one in runs for cost in one["test_fixed"][1:]]
    deck = [cost for one in runs for cost in one["test_promptdeck"][1:]]
    usual = middle(deck)
    print(f"{'':32}{'wall ms':>9}{'CPU ms':>9}")
    for label, cost in (
        ("start, nothing in the cache", middle(firsts(cold)).less(usual)),
        ("start", middle(firsts(later)).less(usual)),
        ("test, fixed bytes", middle(fixed)),
        ("test, promptdeck", usual),
        ("  above", middle([one.less(other) for one, other in zip(deck, fixed, strict=True)])),
    ):
        print(f"{label:32}{cost.wall:9.2f}{cost.cpu:9.2f}")


def firsts(runs: list[Run]) -> list[Cost]:
    return [one["test_promptdeck"][0] for one in runs]


def middle(costs: list[Cost]) -> Cost:
    return Cost(*map(median, zip(*costs, strict=True)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--tests", type=int, default=100)
    tests: int = parser.parse_args().tests
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "conftest.py").write_text(CONFTEST)
        (folder / "test_cost.py").write_text(TESTS)
        run(folder, tests, flags="--record-mode=record", PROMPTDECK_UPSTREAM_URL=fixed_server())
        cold, later = [], []
        for _ in range(3):
            for file in folder.glob("cache/promptdeck/*"):
                file.unlink()
            cold.append(run(folder, tests))
            later.append(run(folder, tests))
        report(cold, later)


if __name__ == "__main__":
    main()
