"""The wheel, installed: its files keep to its own package, and a project's own `proxy` is its own.

That another project's files stay whole beside ours is shown with the real proxy-py by
`make conformance` (tests/conformance/proxy_py.py).
"""

from pathlib import Path
from zipfile import ZipFile

import pytest

from promptdeck import __version__
from tests.installed import Environment, altered, shared, wheel

# Building it may take a download.
pytestmark = [pytest.mark.timeout(300), pytest.mark.long]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheel(shared(tmp_path_factory.getbasetemp()))


@pytest.fixture(scope="session")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    made = Environment.make(tmp_path_factory.mktemp("installed"))
    made.install(built)
    return made


def test_all_of_it_lies_in_a_package_of_its_own_name(built: Path) -> None:
    names = {name.partition("/")[0] for name in ZipFile(built).namelist()}
    assert names == {"promptdeck", f"promptdeck-{__version__}.dist-info"}


def test_the_command_runs(installed: Environment, tmp_path: Path) -> None:
    assert installed.run("promptdeck", "--version", cwd=tmp_path).split()[-1] == __version__
    where = installed.run("python", "-c", "print(__import__('promptdeck').__file__)", cwd=tmp_path)
    assert Path(where.strip()) == installed.site / "promptdeck" / "__init__.py"
    assert altered(installed.packages()["promptdeck"]) == []


@pytest.mark.parametrize("file", ["proxy.py", "proxy/__init__.py"])
def test_a_project_may_have_a_proxy_of_its_own(
    installed: Environment, tmp_path: Path, file: str
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("OURS = 'a proxy of this project'\n")
    (tmp_path / "test_it.py").write_text(
        "import proxy\n\n"
        "def test_ours(promptdeck):\n"
        "    assert proxy.OURS == 'a proxy of this project'\n"
        "    assert promptdeck.base_url.startswith('http://127.0.0.1:')\n"
    )
    flags = ("-p", "no:cacheprovider", "--cassette-unused=ignore")
    told = installed.run("python", "-m", "pytest", *flags, cwd=tmp_path)
    assert f"promptdeck-{__version__}" in told
    assert "1 passed" in told
