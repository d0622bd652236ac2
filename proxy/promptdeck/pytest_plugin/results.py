"""What all tests did, added up: the summary, the report file, annotations for GitHub."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_COUNTS = ("hits", "misses", "recorded", "upstream_calls")
"""What of a test's counts the summary adds up."""


@dataclass
class Results:
    """The tests of this process, and of its workers, as `Play` notes what each did."""

    tests: list[dict[str, Any]] = field(default_factory=list)
    """A JSON object for each test that had a session."""

    def lines(self) -> bytes:
        """All tests as JSON lines: what a worker hands over, and what the report file holds."""
        import orjson

        return b"".join(orjson.dumps(test) + b"\n" for test in self.tests)

    def reckon(self) -> None:
        """Add to each test what it saved, if that is not there yet.

        At the end of all, when no test waits for its cassette to be read.
        """
        from .savings import saved

        for test in self.tests:
            if "tokens_saved" not in test:
                test |= saved(test)

    def add(self, lines: bytes) -> None:
        """Take in the `lines` of another process."""
        import orjson

        self.tests += map(orjson.loads, lines.splitlines())

    def write(self, path: Path) -> None:
        """Write the report file, and the folders that it lies in. OSError."""
        self.reckon()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.lines())

    def summary(self) -> str:
        """One line: counts of all tests and, where anything was replayed, what that saved."""
        self.reckon()
        total: Counter[str] = Counter()
        for test in self.tests:
            total.update({name: test[name] for name in (*_COUNTS, "tokens_saved", "unpriced")})
        seconds = sum(test["seconds_saved"] for test in self.tests)
        saved = (
            f"; {_counted(total['tokens_saved'], 'token')}{self._dollars(total['unpriced'])} "
            f"not spent, {seconds:.1f} s not waited"
        )
        return (
            f"promptdeck: {_counted(total['hits'], 'hit')}, "
            f"{_counted(total['misses'], 'miss', 'misses')}, {total['recorded']} recorded, "
            f"{_counted(total['upstream_calls'], 'upstream call')}{saved if total['hits'] else ''}"
        )

    def idle(self) -> str:
        """A line about a run that was asked nothing though it has tests; empty if it was."""
        if not self.tests or any(test[name] for test in self.tests for name in _COUNTS):
            return ""
        tests = "test joins" if len(self.tests) == 1 else "tests join"
        return (
            f"promptdeck: {len(self.tests)} {tests} promptdeck, by the mark or a fixture, and"
            " nothing was asked: their client does not use the base_url, as it names one of its"
            " own, or was made before the test began (use openai_client, or promptdeck.base_url)"
        )

    def _dollars(self, unpriced: int) -> str:
        """The part of the summary about money; empty where no price is known."""
        known = [dollars for test in self.tests if (dollars := test["dollars_saved"]) is not None]
        if not known:
            return ""
        without = f" ({_counted(unpriced, 'answer')} without a known price)" if unpriced else ""
        from promptdeck.prices import money

        return f" and {money(sum(known))}{without}"

    def annotations(self) -> Iterator[str]:
        """A workflow command for each miss, which GitHub shows beside the test's first line."""
        for test in self.tests:
            for miss in test["missed"]:
                place = f"file={_property(test['file'])},line={test['line']}"
                title = _property(f"promptdeck: no recording for {test['test']}")
                yield f"::error {place},title={title}::{_data(miss['message'])}"


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


# The escapes of GitHub's workflow commands, as actions/toolkit has them in core/src/command.ts.
def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
