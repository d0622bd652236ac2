"""Sessions: a cassette, a mode and rules of one's own behind a base_url of one's own.

Many run side by side on one server, each with its own counters; one that is
idle too long is dropped when the next one is opened. A server in replay mode has
no way upstream, and so neither has a session on it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from .config import SETTINGS, Config
from .core.policy import Mode
from .engine.decks.deck import Deck
from .engine.exchange import Exchange
from .engine.stats import Stats
from .errors import ClientError
from .library import DEFAULT_CASSETTE, Library
from .server.answers.faulty import Faults
from .stores.cassettes.called import called
from .stores.cassettes.file import SUFFIX, path_of

if TYPE_CHECKING:
    from .core.faults.plan import Plan

_FIELDS = {
    "mode": "mode",
    "cassette": "cassette.name",
    "after_last": "replay.after_last",
    "draws": "record.draws",
    "ignore": "match.ignore",
    "replace": "match.replace",
    "preset": "match.preset",
}
"""What a session may say, and the setting whose place it takes, or which it adds to."""

_RULES = ("ignore", "replace", "preset")
"""What `match` may hold."""

# `expires` is a duration or none, which is how this setting reads.
_LIFETIME = SETTINGS["store.ttl"]

_DEFAULT_LIFETIME = "1h"
"""Longer than any test waits between two requests; who sits in a debugger says none."""

_ID_DIGITS = 12
"""48 bits: short enough to be read in a log, and not to be guessed by another test."""


@dataclass(slots=True, eq=False, repr=False)
class Session:
    """An open session: what `POST /_deck/sessions` made, and what its requests go through."""

    id: str
    mode: Mode
    path: Path
    """The cassette's file, whether it is there yet or not."""
    deck: Deck
    exchange: Exchange
    library: Library
    plan: "Plan | None"
    """How its answers are to go wrong."""
    faults: Faults
    """What has come of that plan so far."""
    lifetime: float | None
    """Seconds without a request after which it is dropped."""
    used_at: float
    """By the monotonic clock."""

    def report(self) -> dict[str, Any]:
        """The JSON object that `GET /_deck/sessions/ID` gives: counts, recordings, verdict."""
        told = self.deck.report()
        # The deck's `recorded` is a list of ids, that of the counts below a number.
        told["recorded_ids"] = told.pop("recorded")
        return {
            "session": self.id,
            "mode": str(self.mode),
            **asdict(self.exchange.stats),
            "under_way": self.exchange.under_way,
            **told,
            "client": self._verdict(),
        }

    def _verdict(self) -> dict[str, Any]:
        """How the client took the faults that it was dealt."""
        verdict = self.faults.verdict()
        return {"ok": verdict.ok, "text": verdict.text(), **verdict.as_dict()}


MakeExchange = Callable[[Config], Exchange]
MakeLibrary = Callable[[Config, bool], Awaitable[Library]]


class Sessions:
    """The sessions of one server: `open`, `get` and `close` them.

    `exchange` and `library` make those of a session from its configuration. `gone` is told
    the id of each session that is closed or dropped: what is remembered for it is let go.
    """

    def __init__(
        self,
        config: Config,
        exchange: MakeExchange,
        library: MakeLibrary,
        gone: Callable[[str], None],
    ) -> None:
        self._config = config
        self._make_exchange = exchange
        self._make_library = library
        self._gone = gone
        self._open: dict[str, Session] = {}
        self._closed = Stats()
        """The counts of sessions that are gone."""

    async def open(self, wants: Mapping[str, Any]) -> Session:
        """A new session, as the JSON object `wants` describes it.

        `wants` may have the keys of `_FIELDS`, and `match` with those of `_RULES`; `hold`:
        true keeps recordings back until the session is closed; `expires`: how long it may be
        idle; `faults`. ClientError names what is wrong with it.
        """
        wants = dict(wants)
        hold = _taken(wants, "hold", bool, default=False)
        lifetime = _lifetime(wants.pop("expires", _DEFAULT_LIFETIME))
        plan = _plan(wants.pop("faults", None))
        config = self._configured(wants)
        await self._drop_idle()
        library = await self._make_library(config, hold)
        session = Session(
            id=uuid4().hex[:_ID_DIGITS],
            mode=config.mode,
            path=path_of(config.cassette.dir, config.cassette.name or DEFAULT_CASSETTE),
            deck=await library.deck(""),
            exchange=self._make_exchange(config),
            library=library,
            plan=plan if plan is not None else config.replay.faults,
            faults=Faults(),
            lifetime=lifetime,
            used_at=time.monotonic(),
        )
        self._open[session.id] = session
        return session

    def _configured(self, wants: dict[str, Any]) -> Config:
        """The server's configuration with a session's changes.

        Rules of matching are added to the server's, all else takes its place. ClientError.
        """
        match = _taken(wants, "match", dict, default={})
        _refuse_unknown(wants, [*_FIELDS, "match", "hold", "expires", "faults"], "a session")
        _refuse_unknown(match, _RULES, "match")
        config = self._config
        if isinstance(cassette := wants.get("cassette"), str) and cassette.endswith(SUFFIX):
            with suppress(ValueError):
                wants["cassette"] = called(cassette, config.cassette.dir)
        read = {name: _read(name, value) for name, value in {**wants, **match}.items()}
        mode = read.get("mode", config.mode)
        if config.mode is Mode.REPLAY and mode is not Mode.REPLAY:
            raise ClientError(
                "this server replays and has no way upstream; start it in another mode to record",
                param="mode",
            )
        return config._replace(
            mode=mode,
            cassette=config.cassette._replace(name=read.get("cassette") or DEFAULT_CASSETTE),
            replay=config.replay._replace(
                after_last=read.get("after_last", config.replay.after_last)
            ),
            record=config.record._replace(draws=read.get("draws", config.record.draws)),
            match=config.match._replace(
                ignore=(*config.match.ignore, *read.get("ignore", ())),
                replace=(*config.match.replace, *read.get("replace", ())),
                preset=(*config.match.preset, *read.get("preset", ())),
            ),
        )

    def get(self, name: str) -> Session:
        """The open session of this id, from now on in use. ClientError 404 if there is none."""
        if not self.is_open(name):
            raise _no_session(name)
        return self._open[name]

    def is_open(self, name: str) -> bool:
        """True if there is an open session of this id; if so, it is in use from now on."""
        session = self._open.get(name)
        if session is None or _is_idle(session):
            return False
        session.used_at = time.monotonic()
        return True

    async def close(self, name: str, *, keep: bool) -> dict[str, Any]:
        """End a session when its answers have come, and give its last report.

        What it held back is saved with `keep`, else dropped. ClientError 404 if there is no such
        session; if saving fails, that error, and the session stays open.
        """
        session = self.get(name)
        await session.exchange.finish(self._config.server.shutdown_timeout)
        # Somebody else may have closed it while this one waited.
        if self._open.pop(name, None) is None:
            raise _no_session(name)
        self._gone(name)
        report = session.report()
        if keep:
            try:
                kept = [one for held in session.library.held for one in await held.release()]
            except BaseException:
                # Who closes it again gets the rest kept.
                self._open[name] = session
                raise
            report["recorded_ids"] = kept or report["recorded_ids"]
        _add(self._closed, session.exchange.stats)
        return report

    async def _drop_idle(self) -> None:
        """Forget sessions that nobody uses any more; what they held back is not saved."""
        for session in [one for one in self._open.values() if _is_idle(one)]:
            self._open.pop(session.id, None)
            self._gone(session.id)
            _add(self._closed, session.exchange.stats)

    def stats(self) -> Stats:
        """The counts of all sessions together, open and closed."""
        total = replace(self._closed)
        for session in self._open.values():
            _add(total, session.exchange.stats)
        return total

    @property
    def under_way(self) -> int:
        """How many answers are still coming, or being recorded, in all sessions."""
        return sum(session.exchange.under_way for session in self._open.values())

    async def finish(self, timeout: float) -> None:
        """Wait for what is under way in all of them, `timeout` seconds at most."""
        finishing = (session.exchange.finish(timeout) for session in self._open.values())
        await asyncio.gather(*finishing)


def _no_session(name: str) -> ClientError:
    why = f"no session {name}: it never was, was closed, or was idle too long"
    return ClientError(why, code="no_session", status=404)


def _is_idle(session: Session) -> bool:
    """True if a session was unused for longer than it may be; an answer under way is use."""
    if session.lifetime is None or session.exchange.under_way:
        return False
    return time.monotonic() - session.used_at > session.lifetime


def _taken(wants: dict[str, Any], name: str, kind: type, default: Any) -> Any:
    """Remove `name` from `wants` and return its value, a `kind`. ClientError if it is another."""
    value = wants.pop(name, default)
    if not isinstance(value, kind):
        expected = {bool: "true or false", dict: "an object"}[kind]
        raise ClientError(f"{name} must be {expected}, not {value!r}", param=name)
    return value


def _refuse_unknown(given: Mapping[str, Any], known: Sequence[str], holder: str) -> None:
    """ClientError that names the first member of `given` that its `holder` does not have."""
    for name in given:
        if name not in known:
            param = f"match.{name}" if holder == "match" else name
            told = f"{holder} has no {name!r}; it has {', '.join(known)}"
            raise ClientError(told, param=param)


def _lifetime(value: Any) -> float | None:
    """How long a session may be idle, in seconds; None for ever. ClientError."""
    try:
        lifetime: float | None = _LIFETIME.read(str(value), "expires")
    except ValueError as error:
        raise ClientError(str(error), param="expires") from None
    return lifetime


def _plan(value: Any) -> "Plan | None":
    """How answers are to go wrong, read from JSON. ClientError names what is wrong with it."""
    if value is None:
        return None
    from .core.faults.plan import read_plan

    try:
        return read_plan(value, "faults")
    except ValueError as error:
        raise ClientError(str(error), code="bad_fault", param="faults") from None


def _read(name: str, value: Any) -> Any:
    """The typed value of a key of `_FIELDS`, read like its setting. ClientError."""
    try:
        # A setting reads text, as a file has it; JSON has `draws` as a number.
        return SETTINGS[_FIELDS[name]].read(str(value) if type(value) is int else value, name)
    except ValueError as error:
        raise ClientError(str(error), param=name) from None


def _add(total: Stats, more: Stats) -> None:
    """Add each count of `more` to that of `total`."""
    for name, value in asdict(more).items():
        setattr(total, name, getattr(total, name) + value)
