"""What all tests did, added up: the summary, the report file, annotations for GitHub."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proxy.core.interaction import Response

_COUNTS = ("hits", "misses", "recorded", "upstream_calls")


@dataclass
class Results:
    """A JSON object for each test that had a session, of this process or of its workers."""

    tests: list[dict[str, Any]] = field(default_factory=list)

    def lines(self) -> bytes:
        """All as JSON lines."""
        import orjson

        self._reckon()
        return b"".join(orjson.dumps(test) + b"\n" for test in self.tests)

    def _reckon(self) -> None:
        """Add what each test saved: at the end, when no test waits for the reading."""
        for test in self.tests:
            if "tokens_saved" not in test:
                test |= _saved(test)

    def add(self, lines: bytes) -> None:
        """Take in what another process did."""
        import orjson

        self.tests += map(orjson.loads, lines.splitlines())

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.lines())

    def summary(self) -> str:
        self._reckon()
        total: Counter[str] = Counter()
        for test in self.tests:
            total.update({name: test[name] for name in (*_COUNTS, "tokens_saved")})
        seconds = sum(test["seconds_saved"] for test in self.tests)
        return (
            f"promptdeck: {_counted(total['hits'], 'hit')}, "
            f"{_counted(total['misses'], 'miss', 'misses')}, {total['recorded']} recorded, "
            f"{_counted(total['upstream_calls'], 'upstream call')}; "
            f"{_counted(total['tokens_saved'], 'token')} not spent, {seconds:.1f} s not waited"
        )

    def annotations(self) -> Iterator[str]:
        """One workflow command for each miss, which GitHub shows beside the test."""
        for test in self.tests:
            for miss in test["missed"]:
                place = f"file={_property(test['file'])},line={test['line']}"
                title = _property(f"promptdeck: no recording for {test['test']}")
                yield f"::error {place},title={title}::{_data(miss['message'])}"


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


# The escapes of GitHub's workflow commands, as its toolkit has them (core/src/command.ts).
def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _saved(test: dict[str, Any]) -> dict[str, float]:
    """What the answers that a test replayed had cost when they were recorded."""
    worth = _worth(test["cassette"]) if test["played"] else {}
    played = [(worth.get(name, (0, 0)), times) for name, times in test["played"].items()]
    return {
        "tokens_saved": sum(tokens * times for (tokens, _), times in played),
        "seconds_saved": sum(took_ms * times for (_, took_ms), times in played) / 1000,
    }


@cache
def _worth(cassette: str) -> dict[str, tuple[int, int]]:
    """Tokens and milliseconds of each recording; nothing for a file that is gone or broken."""
    from proxy.errors import CassetteError
    from proxy.stores.cassette_file import read

    try:
        found = read(Path(cassette))
    except CassetteError:
        return {}
    return {item.id: (_tokens(item.response), item.response.took_ms) for item in found}


def _tokens(response: "Response") -> int:
    """`usage.total_tokens`, or 0 where the answer does not tell."""
    import orjson

    from proxy.core import accumulate

    if b'"total_tokens"' not in response.body:
        return 0
    try:
        whole = accumulate.to_json(response) if response.is_stream else response
        return int(orjson.loads(whole.body)["usage"]["total_tokens"])
    except (ValueError, KeyError, TypeError):
        return 0
