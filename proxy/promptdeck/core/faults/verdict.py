"""How a client took the faulty answers that it was given, as far as a server can see it.

A server sees when a request came, what it was given, and whether the client
left before the end. Not what the client made of it: whether it took a broken
answer for whole, or gave up on purpose, looks the same from here, so that is
reported as information and never as a fault. Nor does a server see which
request is a retry of which, unless the client says so as the OpenAI SDKs do:
the same request after a failed answer counts as one, after a sound one as new.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

from promptdeck.core.interaction import Headers, header


class Attempt(NamedTuple):
    """One request and what it was given. Times are seconds of any one clock."""

    key: str
    """The same for requests that ask the same."""
    at: float
    """When it came."""
    ended: float | None = None
    """When the answer was written, the connection broken or the client gone; None: not yet."""
    fault: str = ""
    """The fault that befell it, as a plan's text; empty for a sound answer."""
    status: int | None = 200
    """The answer's; None where the connection was broken before the head."""
    asks_to_wait: float | None = None
    """Seconds that the answer asked to wait before the next request."""
    broken: bool = False
    """True if the answer was cut, reset or malformed."""
    stalled: float | None = None
    """When the server fell silent."""
    resumed: float | None = None
    """When it went on."""
    left: bool = False
    """True if the client closed the connection before the end."""
    retry: int | None = None
    """The number of retries that the client says there were before; None if it does not say."""

    @property
    def failed(self) -> bool:
        """True if a client may ask again: it got no whole answer, or an error that passes.

        Statuses are those that the SDKs of OpenAI and Dedalus ask again after.
        """
        status = self.status or 0
        return self.broken or self.left or status in (408, 409, 429) or status >= 500


def retry_after(headers: Headers) -> float | None:
    """The seconds that an answer asks to wait, by its headers; None if it does not ask.

    Where both headers are there the finer one counts, as in the SDKs; a date is not read.
    """
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,12})?", value := header(headers, name)):
            return float(value) / unit
    return None


class Limits(NamedTuple):
    """The bounds of what a client may do without a fault."""

    retries: int = 3
    """Times that it may ask again; the SDKs do so twice."""
    hung: float = 60.0
    """Seconds for which it may wait in silence, as long as dedalus_labs 0.3.0 does."""
    storm: int = 5
    """Retries that it may make within a second; the SDKs' first wait is half a second."""


FAIR = Limits()


class FindingName(StrEnum):
    """The kinds of findings, by the names that reports give them."""

    RETRIED_TOO_OFTEN = "retried_too_often"
    RETRIED_TOO_EARLY = "retried_too_early"
    RETRY_AFTER_IGNORED = "retry_after_ignored"
    RETRY_STORM = "retry_storm"
    HUNG = "hung"
    NOT_RETRIED = "not_retried"
    BROKEN_ANSWER_NOT_RETRIED = "broken_answer_not_retried"

    @property
    def is_fault(self) -> bool:
        """True if a finding of this name speaks against the client; others only inform."""
        return self not in (FindingName.NOT_RETRIED, FindingName.BROKEN_ANSWER_NOT_RETRIED)


class Finding(NamedTuple):
    """One thing that was found in how a client took the answers to one request."""

    name: FindingName
    key: str
    """The request's."""
    text: str
    """The event in words, with its figures."""

    def as_dict(self) -> dict[str, Any]:
        """The finding as a report's JSON has it, with its `level`: fault or info."""
        level = "fault" if self.name.is_fault else "info"
        return {"name": str(self.name), "level": level, "key": self.key, "text": self.text}


Round = list[Attempt]
"""A request and its retries."""


@dataclass(frozen=True)
class Verdict:
    """The findings on all the requests of a client and the answers that it was given."""

    attempts: Sequence[Attempt]
    now: float
    """When the verdict is passed, by the clock of the attempts."""
    limits: Limits = FAIR

    @property
    def ok(self) -> bool:
        """True if nothing speaks against the client."""
        return not any(finding.name.is_fault for finding in self.findings)

    @cached_property
    def rounds(self) -> list[Round]:
        """The attempts, each with those that it most probably retries."""
        return rounds_of(self.attempts)

    @cached_property
    def findings(self) -> list[Finding]:
        """All that is found, in the order in which the requests first came."""
        return [finding for each in self.rounds for finding in _judged(each, self.now, self.limits)]

    def text(self) -> str:
        """The verdict for people: its sum in a line, then the findings, faults first."""
        faulty = sum(bool(attempt.fault) for attempt in self.attempts)
        asked = f"{_count(len(self.attempts), 'request')}, {faulty} answered badly"
        findings = sorted(self.findings, key=lambda finding: not finding.name.is_fault)
        against = sum(finding.name.is_fault for finding in findings)
        judged = _count(against, "finding") if against else "nothing"
        lines = [f"  {finding.name} {finding.key}: {finding.text}" for finding in findings]
        return "\n".join([f"{asked}, {judged} against the client", *lines])

    def as_dict(self) -> dict[str, Any]:
        """The verdict for a report, as JSON; times count from the first request."""
        start = min((attempt.at for attempt in self.attempts), default=0.0)
        requests: dict[str, list[dict[str, Any]]] = {}
        for attempt in sorted(self.attempts, key=lambda attempt: attempt.at):
            requests.setdefault(attempt.key, []).append(_told(attempt, start))
        findings = [finding.as_dict() for finding in self.findings]
        return {"ok": self.ok, "findings": findings, "requests": requests}


def rounds_of(attempts: Iterable[Attempt]) -> list[Round]:
    """The attempts in rounds: each with the failed one of its key that it most probably retries.

    That is the one that has waited longest, of those that ended before it came.
    """
    rounds: list[Round] = []
    waiting: dict[str, list[Round]] = {}
    for attempt in sorted(attempts, key=lambda attempt: attempt.at):
        open_rounds = waiting.setdefault(attempt.key, [])
        found = next((each for each in open_rounds if _may_continue(each, attempt)), None)
        if found is None:
            found = []
            rounds.append(found)
        else:
            open_rounds.remove(found)
        found.append(attempt)
        if attempt.failed:
            open_rounds.append(found)
    return rounds


# Seconds: a client that has left may be back before the server knows that it left. A guess at a
# busy loop's delay, far below the half second that the SDKs wait first; nobody measured it.
_NOTICING = 0.05


def _may_continue(round_: Round, attempt: Attempt) -> bool:
    """True if the attempt may be the next of the round, in time and by the client's own count."""
    last = round_[-1]
    if last.ended is None or attempt.retry not in (None, len(round_)):
        return False
    return last.ended - (_NOTICING if last.left else 0) <= attempt.at


def _judged(round_: Round, now: float, limits: Limits) -> Iterable[Finding]:
    """All that is found in one round."""
    key = round_[0].key
    retries = len(round_) - 1
    if retries > limits.retries:
        text = f"asked again {_count(retries, 'time')}; at most {limits.retries} are fair"
        yield Finding(FindingName.RETRIED_TOO_OFTEN, key, text)
    for before, after in pairwise(round_):
        yield from _hurried(before, after)
    if (most := _busiest_second(round_[1:])) > limits.storm:
        text = f"{most} retries within a second; more than {limits.storm} are a storm"
        yield Finding(FindingName.RETRY_STORM, key, text)
    yield from _hung(round_, now, limits)
    yield from _given_up(round_[-1])


# Clocks and timers differ; a client may come a tenth too early.
_GRACE = 0.9


def _hurried(before: Attempt, after: Attempt) -> Iterable[Finding]:
    """The finding if `after` came sooner than the answer to `before` asked to wait.

    A wait of less than half of the time is no matter of clocks or rounding: it was ignored.
    """
    asked = before.asks_to_wait
    if not asked or before.ended is None:
        return
    waited = after.at - before.ended
    text = f"asked to wait {_seconds(asked)}, came back after {_seconds(waited)}"
    if waited < asked / 2:
        yield Finding(FindingName.RETRY_AFTER_IGNORED, after.key, text)
    elif waited < asked * _GRACE:
        yield Finding(FindingName.RETRIED_TOO_EARLY, after.key, text)


def _busiest_second(attempts: Sequence[Attempt]) -> int:
    """The most attempts, which are in order of time, that came within any one second."""
    most = start = 0
    for end, attempt in enumerate(attempts):
        while attempt.at - attempts[start].at >= 1:
            start += 1
        most = max(most, end - start + 1)
    return most


def _hung(round_: Round, now: float, limits: Limits) -> Iterable[Finding]:
    """The findings on attempts whose client waited too long in silence, or is still waiting."""
    for attempt in round_:
        if attempt.stalled is None:
            continue
        ends = (attempt.resumed, attempt.ended, now)
        silence = next(end for end in ends if end is not None) - attempt.stalled
        if silence > limits.hung:
            text = f"waited {_seconds(silence)} in silence; {_seconds(limits.hung)} are enough"
            yield Finding(FindingName.HUNG, attempt.key, text)


def _given_up(last: Attempt) -> Iterable[Finding]:
    """The finding, if a round's last attempt failed, that it was not retried."""
    if not last.failed or last.ended is None:
        return
    why = "it left" if last.left else f"status {last.status}"
    text = f"not asked again after {last.fault or why}"
    if last.broken and not last.left:
        text += "; whether it was taken for whole can't be seen from here"
        yield Finding(FindingName.BROKEN_ANSWER_NOT_RETRIED, last.key, text)
    else:
        yield Finding(FindingName.NOT_RETRIED, last.key, text)


def _told(attempt: Attempt, start: float) -> dict[str, Any]:
    """An attempt as a report's JSON has it, its times counted from `start`, to the millisecond."""
    told: Mapping[str, Any] = attempt._asdict()
    times = {
        name: round(told[name] - start, 3)
        for name in ("at", "ended", "stalled", "resumed")
        if told[name] is not None
    }
    return {name: value for name, value in told.items() if name != "key"} | times


def _seconds(seconds: float) -> str:
    """Seconds in words, with two digits, which are enough to judge by."""
    if seconds <= 0:
        return "0 s"
    digits = max(0, 1 - math.floor(math.log10(seconds)))
    return f"{seconds:.{min(digits, 3)}f} s"


def _count(number: int, thing: str) -> str:
    """So many of a thing, in words."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
