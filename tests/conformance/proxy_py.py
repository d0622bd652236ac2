"""The wheel beside proxy-py, from PyPI: neither overwrites a file of the other, and both run.

`make conformance` runs it; `make test` does not collect it, as it needs the network.
"""

from pathlib import Path

import pytest

from promptdeck import __version__
from tests.installed import Environment, altered, shared, wheel


@pytest.mark.timeout(300)  # a download
@pytest.mark.parametrize("first", ["promptdeck", "proxy-py"])
def test_both_stay_whole_in_either_order(
    first: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    both = Environment.make(tmp_path / "venv")
    sources = {
        "promptdeck": wheel(shared(tmp_path_factory.getbasetemp())),
        "proxy-py": "proxy-py",
    }
    for name in sorted(sources, key=lambda name: name != first):
        both.install(sources[name])
    packages = {name.replace(".", "-"): found for name, found in both.packages().items()}
    ours, theirs = packages["promptdeck"], packages["proxy-py"]
    assert not {*map(str, ours.files or ())} & {*map(str, theirs.files or ())}
    assert altered(ours) == altered(theirs) == []
    assert both.run("promptdeck", "--version", cwd=tmp_path).split()[-1] == __version__
    assert both.run("proxy", "--version", cwd=tmp_path).strip() == theirs.version
    both.run("python", "-c", "import promptdeck.app, proxy.plugin", cwd=tmp_path)
