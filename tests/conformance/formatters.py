"""The tools that other people run over cassettes, from PyPI and npm, over a corpus of odd texts.

`make conformance` runs it; `make test` does not collect it, as it needs the network. It prints,
for each tool, of how many files it left the value as it was; all others must be refused.
"""

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from promptdeck.core.interaction import Frame, Interaction, Response
from promptdeck.errors import CassetteError
from promptdeck.stores.cassettes.dump import HEADER, dump
from promptdeck.stores.cassettes.file import read
from tests.installed import Environment
from tests.recordings import ODD, chat_request, interaction, of

TEXTS = (
    "First line, with a trailing blank \nsecond\n\n  indented \nlast ",
    *("a\nb", "a\nb\n", "a\nb\n\n\n", "\n\na\nb", "a\n\n\n\nb\n", "  \n \n", "end\n ", "\n", " "),
    *("tab\t\nx\ty\t", "\tlead\nb", "    code\n    more\n", "\n    You help.\n  Now.\n"),
    *("nel\x85x\ny", "ls\u2028x\ny", "nbsp\xa0\ny\xa0", "\ufeffbom\nx\ufeff", "vt\x0bff\x0c\n\n"),
    *("cr\r\nlf\r\n", "lone\rcr\nx", "\u3000wide\n\u3000", "x\n\u3000wide\ny", "x\u3000"),
    *(
        "# comment\n- list\nkey: value\n",
        "---\ndoc\n...\n",
        "a\n---\nb\n",
        "%TAG\n%x",
        "| x\n> y\n",
    ),
    *("word " * 40 + "\n" + "word " * 40 + "end", "x" * 300, "a line to be folded " * 8 + "end"),
    *("two  blanks   within a line that is long enough " * 3, "key: |\n  block\n", "a \\\n b"),
    *('it\'s "quoted" \\ back\nline \\\n', "'single' \"double\"", "emoji 🙂\n  🙂 \n", "ends:"),
    *("{a: b}\n[c]\n", "#hash", "@at\n`tick`\n", "null", "~", "0x1F", "1e3", "yes", "12:30:45"),
    *("2001-12-14", "=", "<<", "zero\u200b\nwidth\u200b\n", "<<<<<<< ours\nx\n=======\n"),
)


def corpus() -> dict[str, list[Interaction]]:
    """Files by name: each text in a chat, a stream, and a body that is no JSON."""
    plain = (("content-type", "text/plain"),)
    texts = {
        f"text-{n}": [
            interaction(text, text),
            interaction(f"{text}!", text, stream=True),
            of(chat_request(f"{text}?"), Response(200, plain, (Frame(1, text.encode()),))),
        ]
        for n, text in enumerate(TEXTS)
    }
    return texts | {name.replace(" ", "-"): [one] for name, one in ODD.items()}


def written(folder: Path) -> list[str]:
    """The corpus in a folder; the names of its files."""
    paths = []
    for name, many in corpus().items():
        paths.append(folder / f"{name}.yaml")
        paths[-1].write_text(HEADER + "".join("\n" + dump(one) for one in many))
    return [str(path) for path in paths]


def judged(folder: Path) -> Counter[str]:
    """How many files are still read as what was recorded, are refused, or are neither."""
    found: Counter[str] = Counter()
    for name, many in corpus().items():
        try:
            found["same" if read(folder / f"{name}.yaml") == many else "another answer"] += 1
        except CassetteError:
            found["refused"] += 1
    return found


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tools in `venv/bin` and `node_modules/.bin`."""
    folder = tmp_path_factory.mktemp("tools")
    venv = Environment.make(folder / "venv")
    # With ruamel.yaml, which both need: `install` brings no dependencies.
    ruamel = ("ruamel.yaml==0.17.40", "ruamel.yaml.clib==0.2.15")
    for package in ("pre-commit-hooks==6.0.0", "yamlfmt==1.1.1", *ruamel):
        venv.install(package)
    subprocess.run(["npm", "install", "--silent", "prettier@3"], cwd=folder, check=True)
    return folder


HOOKS = {
    "trailing-whitespace": ["venv/bin/trailing-whitespace-fixer"],
    "end-of-file-fixer": ["venv/bin/end-of-file-fixer"],
    "mixed-line-ending": ["venv/bin/mixed-line-ending"],
    "fix-byte-order-marker": ["venv/bin/fix-byte-order-marker"],
    "check-yaml": ["venv/bin/check-yaml"],
}
FORMATTERS = {
    "crlf": ["venv/bin/mixed-line-ending", "--fix=crlf"],
    "prettier": ["node_modules/.bin/prettier", "--log-level", "silent", "--write"],
    "prettier otherwise": [
        *("node_modules/.bin/prettier", "--log-level", "silent", "--write", "--single-quote"),
        *("--prose-wrap", "always", "--tab-width", "4", "--print-width", "60"),
    ],
    "yamlfmt": ["venv/bin/yamlfmt", "-w"],
}


def run(tools: Path, command: Sequence[str], paths: Sequence[str]) -> int:
    return subprocess.run([tools / command[0], *command[1:], *paths], check=False).returncode


@pytest.mark.timeout(300)  # a download
@pytest.mark.parametrize("name", HOOKS)
def test_the_hooks_of_pre_commit_change_nothing(name: str, tools: Path, tmp_path: Path) -> None:
    paths = written(tmp_path)
    before = [Path(path).read_bytes() for path in paths]
    assert run(tools, HOOKS[name], paths) == 0
    assert [Path(path).read_bytes() for path in paths] == before


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", FORMATTERS)
def test_what_formatters_alter_is_refused(
    name: str, tools: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = written(tmp_path)
    before = [Path(path).read_bytes() for path in paths]
    run(tools, FORMATTERS[name], paths)
    assert [Path(path).read_bytes() for path in paths] != before
    found = judged(tmp_path)
    with capsys.disabled():
        sys.stdout.write(f"{name}: {dict(found)}\n")
    assert not found["another answer"]
    assert found["same"] >= 0.9 * found.total()
