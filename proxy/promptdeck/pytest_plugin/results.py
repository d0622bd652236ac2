"""What all tests did, added up: the summary, the report file, annotations for GitHub."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_COUNTS = ("hits", "misses", "recorded", "upstream_calls")


@dataclass
class Results:
    """A JSON object for each test that had a session, of this process or of its workers."""

    tests: list[dict[str, Any]] = field(default_factory=list)

    def lines(self) -> bytes:
        """All as JSON lines."""
        import orjson

        return b"".join(orjson.dumps(test) + b"\n" for test in self.tests)

    def reckon(self) -> None:
        """Add what each test saved: at the end of all, when no test waits for the reading."""
        from .savings import saved

        for test in self.tests:
            if "tokens_saved" not in test:
                test |= saved(test)

    def add(self, lines: bytes) -> None:
        """Take in what another process did."""
        import orjson

        self.tests += map(orjson.loads, lines.splitlines())

    def write(self, path: Path) -> None:
        self.reckon()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.lines())

    def summary(self) -> str:
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

    def _dollars(self, unpriced: int) -> str:
        """Nothing where no price is known."""
        known = [dollars for test in self.tests if (dollars := test["dollars_saved"]) is not None]
        if not known:
            return ""
        without = f" ({_counted(unpriced, 'answer')} without a known price)" if unpriced else ""
        return f" and {_money(sum(known))}{without}"

    def annotations(self) -> Iterator[str]:
        """One workflow command for each miss, which GitHub shows beside the test."""
        for test in self.tests:
            for miss in test["missed"]:
                place = f"file={_property(test['file'])},line={test['line']}"
                title = _property(f"promptdeck: no recording for {test['test']}")
                yield f"::error {place},title={title}::{_data(miss['message'])}"


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _money(dollars: float) -> str:
    """Cents where there are some; else as many digits as it takes to see something."""
    if dollars >= 1 or not dollars:
        return f"${dollars:,.2f}"
    return "$" + f"{dollars:.6f}".rstrip("0") if dollars >= 1e-6 else "less than $0.000001"


# The escapes of GitHub's workflow commands, as its toolkit has them (core/src/command.ts).
def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
