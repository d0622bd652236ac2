"""What runs in the other process: it answers, or says why it cannot, and ends with who asked."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

import promptdeck
from promptdeck.apart.child import answer, read, write

ROOT = str(Path(promptdeck.__file__).parent.parent)


@pytest.mark.parametrize("value", [0, [], ["a\ud83d\x00", 1.5, (1, 2)], "x" * 70_000])
def test_a_message_is_read_as_it_was_written(value):
    stream = io.BytesIO()
    write(stream, value)
    write(stream, "next")
    stream.seek(0)
    assert (read(stream), read(stream)) == (value, "next")
    with pytest.raises(EOFError):
        read(stream)


@pytest.mark.parametrize("pattern", ["(", "a{99999999999}", "(" * 3000 + ")" * 3000])
def test_an_expression_that_cannot_be_run_says_why(pattern, capfdbinary):
    assert str(answer("replaced", [(pattern, "")], ["a"])).startswith("it cannot be run: ")
    assert capfdbinary.readouterr().out


def test_it_imports_nothing_but_the_standard_library_and_what_it_runs():
    code = (
        "import sys; sys.path.append(sys.argv[1]); import promptdeck.apart.child;"
        "ours = ('promptdeck', 'orjson', 'aiohttp');"
        "print(*sorted(name for name in sys.modules if name.startswith(ours)))"
    )
    made = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, ROOT], capture_output=True, text=True, check=True
    )
    packages = ["promptdeck", "promptdeck.apart", "promptdeck.core", "promptdeck.core.text"]
    modules = ["promptdeck.apart.child", "promptdeck.core.text.expressions"]
    assert made.stdout.split() == sorted([*packages, *modules])


def test_it_ends_with_who_asked():
    code = (
        "import sys; sys.path.append(sys.argv[1]);"
        "from promptdeck.apart.process import Apart, PROCESS;"
        "print(Apart(1).replaced([('a', 'b')], ['a']), PROCESS._child.pid, flush=True);"
        "import os; os._exit(9)"
    )
    asker = subprocess.run(
        [sys.executable, "-c", code, ROOT], capture_output=True, text=True, check=False, timeout=20
    )
    # All that had the pipe of its output have ended: `run` reads to the end of it.
    assert asker.returncode == 9
    assert asker.stdout.startswith("['b']")
