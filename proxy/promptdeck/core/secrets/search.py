"""How a text is searched for all shapes of secrets at once.

Every request and answer is searched, and hardly any holds a secret: what counts is
how soon a text is known to have none. One expression of all 97 heads (a head and the
tail behind it are a *lead*) tries each of them at each character: 300 ms for 60 KB of
an agent's JSON. The way here takes 0.1 to 0.25 ms, the more of it the more addresses
are in the text, and 4 us for 2 KB:

1. The leads are sorted by the last character of their heads, the *anchor*: nine
   characters. `in` and `find` look for one at memory speed (2 us for all nine, where the
   heads themselves take 2.6 ms), and the last ones are rarer than the first: 3,000
   places in those 60 KB, where the 24 first characters stand at 33,000.
2. Nearly every place is then ruled out by a *glance* at what is just before the anchor:
   the two characters by sets, then the last five of each head; or the letters just behind
   it where a head is one character long. That makes 640 us of expressions 225.
3. Where an anchor is rare in a text each of its places is found and looked at by itself:
   8 us instead of 17 for 34 places.
4. The expression with the tails is compiled when a text first passes its glance. All of
   them take 13 ms at a start, the glances 2; they are made so that the test for a word's
   edge stands once for all heads of a length, which saves a third of that.

(CPU of CPython 3.11 on an EPYC, 37 kinds of tokens and 11 of places.)
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import groupby, starmap
from math import inf
from typing import NamedTuple

from .shapes import IS, PLACES, TOKENS

_A = "[A-Za-z0-9]"

# A token begins where a word does: after no letter or digit, but for one that ends an
# escape (\n, \u0022), a percent-encoded byte or a terminal's colour. Its own first
# letter must not be the end of an escape: \npm_ is a line end and `pm_`.
_EDGE = (
    rf"(?:(?<!{_A})(?<!\\(?=[nrtbf]))|(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{{4}})"
    r"|(?<=%[0-9A-Fa-f]{2})|(?<=[0-9;\[]m))"
)

_RARE = 700
"""Characters between two anchors from which on each is looked at by itself.

`find` and a look take about as long as the expression takes for so many; from 500 to 1000
the texts measured differ by 5 %, at 100 the search takes twice as long."""


class Span(NamedTuple):
    """A secret in a text: its place, `text[start:end]`, and the name of its kind."""

    start: int
    end: int
    name: str


def hit(text: str) -> bool:
    """True if `find` would find anything in the whole text."""
    # Most texts lack most anchors, and `in` tells without a call of Python's.
    return any(search.hit(text) for search in _searches() if search.anchor in text)


def may_hit(text: str) -> bool:
    """True if a text has the head of any secret; without one `find` finds nothing in it."""
    return any(search.may_hit(text) for search in _searches() if search.anchor in text)


def find(text: str, begin: int, end: int) -> list[Span]:
    """All secrets in `text[begin:end]`: what is before `begin` is seen, what follows `end` is not.

    Tokens come before places, each sorted by where they start. Spans may overlap, as a
    token does that stands in a place for secrets.
    """
    found = []
    for search in _searches():
        pattern = search.pattern(text, begin, end)
        for match in pattern.finditer(text, begin, end) if pattern else ():
            group = match.lastindex or 0
            name, _, _, before = search.leads[group - 1]
            span = Span(match.start(group) - before, match.end(group), name)
            found.append((not before, span))
    return [span for _, span in sorted(found)]


def announced(text: str) -> bool:
    """True if `text` ends in what says that a secret follows: `"API_KEY":"`.

    Only behind such a name may a secret stand in quotes of its own; no other reaches over
    a quote, so that what is between two quotes can be searched by itself.
    """
    return _announcements().search(text) is not None


class _Lead(NamedTuple):
    """A kind of secret by one of its heads."""

    name: str
    head: str
    tail: str
    """What follows the head's last character, as an expression with one group."""
    before: int
    """How many characters of the secret stand before the group: a token's head, or none."""


def _leads() -> Iterator[_Lead]:
    """Every head of every kind in the table, tokens first."""
    for name, heads, tail in TOKENS:
        for head in heads:
            yield _Lead(name, head, f"({tail})", before=len(head))
    for name, heads, tail in PLACES:
        for head in heads:
            yield _Lead(name, head, tail, before=0)


class _LeadSearch:
    """The search for all leads whose heads end in the same character, the anchor.

    The number of the group that matched names the lead. The expression of their tails is
    compiled when a text first passes the glance.
    """

    def __init__(self, anchor: str, leads: Iterable[_Lead]) -> None:
        self.anchor = anchor
        # By length, as the edge stands once for each. Where two of them could match, as in
        # `gsk_`, the edge of the other fails.
        self.leads = sorted(leads, key=_tokens_by_length)
        self._glance = _glance(anchor, self.leads)
        self._may_be = re.compile(self._glance)
        self._pattern: re.Pattern[str] | None = None

    def pattern(self, text: str, begin: int, end: int) -> re.Pattern[str] | None:
        """The expression that finds secrets; None if `text[begin:end]` has none of the heads."""
        # Within the part alone: a text of 87,000 secrets has as many parts between placeholders,
        # and to look through all of it for each took 22 s of CPU for 960 KB.
        if text.find(self.anchor, begin, end) < 0:
            return None
        if self._pattern is None and self._may_be.search(text, begin, end):
            self._pattern = self._compiled()
        return self._pattern

    def hit(self, text: str) -> bool:
        """True if one of these leads finds a secret in a text that has the anchor."""
        if self._pattern is None:
            if not self.may_hit(text):
                return False
            self._pattern = self._compiled()
        return self._is_in(text, self._pattern)

    def may_hit(self, text: str) -> bool:
        """True if one of the heads is in a text, or what looks like one at a glance."""
        return self._is_in(text, self._may_be)

    def _is_in(self, text: str, pattern: re.Pattern[str]) -> bool:
        """True if an expression that begins with the anchor matches anywhere in a text."""
        # The expression takes 17 us to go through 60 KB, and 0.2 us where it is held to one place.
        # It takes over where more places were tried than the way so far, and an eighth of the
        # text in advance, would hold if anchors were rare.
        anchor, slack = self.anchor, len(text) // 8
        at = text.find(anchor)
        tried = 0
        while at >= 0:
            tried += _RARE
            if tried > at + slack:
                return pattern.search(text, at) is not None
            if pattern.match(text, at):
                return True
            at = text.find(anchor, at + 1)
        return False

    def _compiled(self) -> re.Pattern[str]:
        """Glance, edge, head and tail of all leads, one group for each in their order."""
        patterns = [
            _edged(length, "|".join(_after(lead.head) + lead.tail for lead in leads))
            for length, leads in groupby(self.leads, lambda lead: lead.before)
        ]
        glance = self._glance if len(self.leads) > 1 else re.escape(self.anchor)
        return re.compile(f"{glance}(?:{'|'.join(patterns)})", re.ASCII)


@cache
def _searches() -> tuple[_LeadSearch, ...]:
    """One search for each anchor; their glances are compiled by the first call, in 2 ms."""
    anchors: dict[str, list[_Lead]] = defaultdict(list)
    for lead in _leads():
        anchors[lead.head[-1]].append(lead)
    return tuple(starmap(_LeadSearch, anchors.items()))


@cache
def _announcements() -> re.Pattern[str]:
    """The names before `IS` in the table, and `IS` itself at the end of a text."""
    leads = [lead for lead in _leads() if IS in lead.tail]
    before = [re.escape(lead.head) + lead.tail.partition(IS)[0] for lead in leads]
    return re.compile(rf"(?:{'|'.join(before)}){IS}\Z")


def _glance(anchor: str, leads: Sequence[_Lead]) -> str:
    """An expression for the anchor where it may be the end of one of the heads.

    The cheapest test comes first, as it rules out most places: a set for each of the one or
    two characters before the anchor, and only then the last five of each head. Measured with
    1 to 4 columns (the anchor's own is one) and 3, 5 and 8 characters: one column takes 25 %
    longer, 3 or 8 characters take 3 %, four columns gain nothing.
    """
    heads = [lead.head for lead in leads]
    columns = [{head[at] for head in heads} for at in range(-min(3, *map(len, heads)), -1)]
    characters = "".join(f"[{re.escape(''.join(sorted(column)))}]" for column in columns)
    ends = sorted({head[-5:] for head in heads if len(head) > 1}, key=len)
    beside = [_behind(*same_width) for _, same_width in groupby(ends, len)]
    before = f"(?<={characters}{re.escape(anchor)})" if columns else ""
    # Before a head of one character there is nothing to see, but a tail may begin with letters.
    after = [_letters(lead.tail) for lead in leads if len(lead.head) == 1]
    if len(leads) == len(after) == 1:
        # Plain text: `re` skips to it as `find` does.
        return re.escape(anchor) + after[0]
    beside += [f"(?={letters})" for letters in after]
    return f"{re.escape(anchor)}{before}(?:{'|'.join(beside)})"


def _letters(tail: str) -> str:
    """The lower-case letters with which a tail begins; the empty string if with none."""
    found = re.match("[a-z]*", tail)
    return found[0] if found else ""


def _tokens_by_length(lead: _Lead) -> float:
    """A sort key: tokens by the length of their heads, then all places."""
    return lead.before or inf


def _edged(length: int, pattern: str) -> str:
    """`pattern` where a token's head of this length began at the edge of a word.

    A place (length 0) may stand anywhere. The edge is the most of what there is to compile,
    so that it is written once for all heads of a length.
    """
    return f"(?<={_EDGE}.{{{length}}})(?:{pattern})" if length else pattern


def _after(head: str) -> str:
    """An expression that holds behind `head`, whose last character is known to be there."""
    return _behind(head) if len(head) > 1 else ""


def _behind(*texts: str) -> str:
    """An expression that holds behind one of these texts, which must be of one length."""
    return f"(?<={'|'.join(map(re.escape, texts))})"
