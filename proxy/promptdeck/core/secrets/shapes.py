"""What secrets look like: the one table of their shapes, made ready to be searched for.

A secret is known by the head that its issuer gives it (`_TOKENS`) or by the
place where it stands (`_PLACES`). The same shapes are found in plain text and in
JSON text, where a letter before a token may belong to an escape such as \\n.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import groupby, starmap
from math import inf
from typing import NamedTuple

import xxhash

_W = "[A-Za-z0-9_-]"
_A = "[A-Za-z0-9]"
# Words of prose and code have neither. Bounds and possessive quantifiers keep the search linear.
_DIGIT = "(?=[A-Za-z_-]{0,100}+[0-9])"
_NOT_A_WORD = "(?=[a-z_-]{0,100}+[A-Z0-9])"
_MIXED = _DIGIT + "(?=[a-z0-9_-]{0,100}+[A-Z])(?=[A-Z0-9_-]{0,100}+[a-z])"
# JSON text writes a line end as backslash and n, JSON within JSON with more backslashes.
_GAP = r"(?:[ \r\n\t]|\\+[nrt])"
_IS = r"""(?:\\++[nrt"']|[ \r\n\t"'\]:=>|]){1,16}+"""
_SLASH = r"\\?/"
_SLASHES = r"://|:\/\/"


class _SecretKind(NamedTuple):
    name: str
    heads: tuple[str, ...]
    """Literal. Their last character is searched for, so it should be a rare one."""
    tail: str


def _kind(name: str, heads: str, tail: str) -> _SecretKind:
    return _SecretKind(name, tuple(heads.split("|")), tail)


_TOKENS = (
    _kind("anthropic", "sk-", f"ant-{_NOT_A_WORD}{_W}{{16,}}"),
    _kind("openrouter", "sk-", f"or-{_NOT_A_WORD}{_W}{{16,}}"),
    _kind("langfuse", "sk-", "lf-[0-9a-f]{8}-[0-9a-f-]{27}"),
    # Also DeepSeek, Moonshot, LiteLLM and others. `sk-learn-contrib` is none: its parts are words.
    _kind(
        "openai",
        "sk-",
        f"(?:(?:proj|svcacct|admin|service)-{_NOT_A_WORD}{_W}{{16,}}|{_MIXED}{_W}{{16,}}"
        f"|(?:[a-z0-9]{{1,10}}-)?(?={_A}{{16}})(?=[A-Za-z]{{0,64}}+[0-9]++[A-Za-z]++[0-9]){_W}{{16,}})",
    ),
    _kind("dedalus", "dsk-|dsk_", f"{_DIGIT}{_W}{{16,}}"),
    _kind("xai", "xai-", f"{_NOT_A_WORD}{_A}{{20,}}"),
    _kind("groq", "gsk_", f"{_NOT_A_WORD}{_A}{{20,}}"),
    _kind("cerebras", "csk-", f"{_NOT_A_WORD}{_A}{{20,}}"),
    _kind("perplexity", "pplx-", f"{_NOT_A_WORD}{_A}{{20,}}"),
    _kind("fireworks", "fw_", f"{_NOT_A_WORD}{_A}{{20,}}"),
    _kind("together", "tgp_v1_", f"{_W}{{32,}}"),
    _kind("huggingface", "hf_|api_org_", f"{_NOT_A_WORD}{_A}{{30,}}"),
    _kind("replicate", "r8_", f"{_NOT_A_WORD}{_A}{{30,}}"),
    _kind("nvidia", "nvapi-", f"{_NOT_A_WORD}{_W}{{32,}}"),
    _kind("elevenlabs", "sk_", "[0-9a-f]{48}"),
    _kind("google", "AIz", f"a{_W}{{35}}(?!{_W})"),
    _kind("google", "AQ.A", f"{_W}{{40,}}"),
    _kind("google-oauth", "ya29.", f"(?:{_W}{{1,8}}\\.){{0,2}}{_W}{{20,}}"),
    _kind("google-oauth", "GOCSPX-", f"{_W}{{20,}}"),
    _kind("aws-key-id", "AKIA|ASIA", f"[A-Z0-9]{{16}}(?!{_A})"),
    # Base64 of `BedrockAPIKey-` and of `bedrock.amazonaws.com`.
    _kind("aws-bedrock", "AB", "SKQmVkcm9ja0FQSUtleS[A-Za-z0-9+/]{40,}={0,2}"),
    _kind("aws-bedrock", "bedrock-api-key-", "[A-Za-z0-9+/]{40,}={0,2}"),
    _kind("github", "ghp_|gho_|ghu_|ghs_|ghr_|github_pat_", "[A-Za-z0-9_]{36,}"),
    _kind(
        "gitlab",
        "glpat-|gldt-|glrt-|glptt-|glcbt-|glsoat-|gloas-|glimt-|glagent-",
        f"{_NOT_A_WORD}{_W}{{20,}}(?:\\.{_A}{{2}}\\.?{_A}{{7,9}})?",
    ),
    _kind("slack", "xoxa-|xoxb-|xoxc-|xoxd-|xoxe-|xoxo-|xoxp-|xoxr-|xoxs-|xapp-", f"{_W}{{20,}}"),
    _kind("stripe", "sk_live_|sk_test_|rk_live_|rk_test_|whsec_", f"{_NOT_A_WORD}{_A}{{16,}}"),
    _kind("npm", "npm_", f"{_A}{{36,}}"),
    _kind("pypi", "pypi-", f"Ag{_W}{{40,}}"),
    _kind("sendgrid", "SG.", f"{_W}{{16,32}}\\.{_W}{{32,64}}"),
    _kind("notion", "ntn_|secret_", f"{_NOT_A_WORD}{_A}{{40,}}"),
    _kind("linear", "lin_api_", f"{_A}{{32,}}"),
    _kind("tavily", "tvly-", f"{_NOT_A_WORD}{_W}{{20,}}"),
    _kind("langsmith", "lsv2_pt_|lsv2_sk_", "[0-9a-f]{32}_[0-9a-f]{8,12}"),
    _kind("pinecone", "pcsk_", f"{_NOT_A_WORD}{_W}{{40,}}"),
    _kind("digitalocean", "dop_v1_|doo_v1_|dor_v1_", "[0-9a-f]{64}"),
    _kind("shopify", "shpat_|shpca_|shppa_|shpss_", "[0-9a-fA-F]{32}"),
    # RFC 7519 (three parts), and RFC 7516 (five), which encrypts the second to last.
    _kind(
        "jwt",
        "eyJ",
        f"{_W}{{8,500}}+\\.(?:ey[A-Z]{_W}{{6,}}+\\.{_W}{{16,}}|{_W}*+(?:\\.{_W}{{8,}}+){{3}})",
    ),
)
"""Head and tail together are the secret."""

_PLACES = (
    # The body of a PEM block; its BEGIN and END lines stay.
    _kind(
        "private-key",
        "PRIVATE KEY-|PRIVATE KEY BLOCK-",
        rf"----{_GAP}*+"
        r"(?:[A-Z][A-Za-z-]{2,30}+: [ -!#-\[\]-~]{0,200}+(?:[\r\n]|\\+[nr])++){0,8}+"
        r"((?=[A-Za-z0-9+/=]{40})(?:[A-Za-z0-9+/= \r\n\t]|\\+[nrtu/])*[A-Za-z0-9+/=])",
    ),
    _kind(
        "bearer",
        "B|b",
        "earer +((?=[A-Za-z._~+/-]{0,100}+[0-9])[A-Za-z0-9._~+/-]{15,}[A-Za-z0-9_~+/-]=*)",
    ),
    # RFC 7617: base64 of user, colon and password; ASCII makes every quartet begin with A to f.
    _kind(
        "basic",
        "B",
        "asic +((?=[A-Za-z+/]{0,200}+[0-9=])(?:[A-Za-f][A-Za-z0-9+/]{3}){2,}"
        "(?:[A-Za-f][A-Za-z0-9+/](?:==|[A-Za-z0-9+/]=))?)(?![A-Za-z0-9+/=])",
    ),
    # RFC 3986: what userinfo may hold. No masks and no variables.
    _kind(
        "url-password",
        _SLASHES,
        r"[\w.~!&()*+,;=%$-]{0,128}+:(?![*$])([\w.~!$&()*+,;=%-]{1,256}+)@(?=[\w\[{])",
    ),
    _kind(
        "slack",
        _SLASHES,
        rf"hooks\.slack(?:-gov)?\.com{_SLASH}(?:services|workflows|triggers){_SLASH}"
        rf"((?:\w|{_SLASH}){{20,}})",
    ),
    _kind(
        "discord",
        _SLASHES,
        rf"(?:\w+\.)?discord(?:app)?\.com{_SLASH}api{_SLASH}webhooks{_SLASH}[0-9]+{_SLASH}"
        rf"({_W}{{40,}})",
    ),
    _kind("telegram", ":A", rf"(?<=[0-9]{{8}}:A)(A{_W}{{33}})(?!{_W})"),
    _kind(
        "aws-secret",
        "secret_|SECRET_|secretA|SecretA",
        rf"(?i:access_key|ccessKey){_IS}((?:[A-Za-z0-9+/]|\\/|\\u002[bB]){{40}})(?![A-Za-z0-9+/=])",
    ),
    _kind("aws-secret", "session_|SESSION_", rf"(?i:token){_IS}([A-Za-z0-9+/]{{100,}}={{0,2}})"),
    _kind("azure", ";A|SharedA", r"cc(?:ount|ess)Key=([A-Za-z0-9+/]{40,}={0,2})"),
    # Keys of Mistral, Cohere, Azure OpenAI and others have no head, but variables have names.
    _kind(
        "assigned",
        "API_|AUTH_|ACCESS_|SECRET_",
        rf"(?:KEY|TOKEN|SECRET){_IS}"
        rf"((?=[a-zA-Z]{{0,64}}+[0-9])(?=[0-9]{{0,64}}+[a-zA-Z])"
        rf"{_A}{{24,}}[A-Za-z0-9+/]*={{0,2}})(?![\w(-])",
    ),
)
"""What stands in such a place is the secret: each tail has one group."""

LONGEST_HEAD = max(len(head) for kind in (*_TOKENS, *_PLACES) for head in kind.heads)
"""In characters."""
NAMES = tuple(sorted({kind.name for kind in (*_TOKENS, *_PLACES)}))
DIGEST = xxhash.xxh3_64_hexdigest(repr((_TOKENS, _PLACES)).encode())
"""Names this table: under another digest other secrets are found."""

# A token begins where a word does: after no letter or digit, but for one that ends an
# escape (\n, \u0022), a percent-encoded byte or a terminal's colour. Its own first
# letter must not be the end of an escape: \npm_ is a line end and `pm_`.
_EDGE = (
    rf"(?:(?<!{_A})(?<!\\(?=[nrtbf]))|(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{{4}})"
    r"|(?<=%[0-9A-Fa-f]{2})|(?<=[0-9;\[]m))"
)


class _Lead(NamedTuple):
    """A kind of secret by one of its heads."""

    name: str
    head: str
    tail: str
    """What follows the head's last character, with one group."""
    before: int
    """How much of the secret stands before the group."""


def _behind(*texts: str) -> str:
    return f"(?<={'|'.join(map(re.escape, texts))})"


def _ways() -> Iterator[_Lead]:
    for name, heads, tail in _TOKENS:
        for head in heads:
            yield _Lead(name, head, f"({tail})", before=len(head))
    for name, heads, tail in _PLACES:
        for head in heads:
            yield _Lead(name, head, tail, before=0)


class _LeadSearch:
    """All ways whose heads end in the same character; each has a group of the pattern.

    The expression is compiled when a text first has one of the heads: all of them would
    take the first request 25 ms, which a request without heads does not have to wait for.
    """

    def __init__(self, anchor: str, ways: Iterable[_Lead]) -> None:
        self.anchor = anchor
        # Where two of them could match, as in `gsk_`, the edge of the other fails.
        self.ways = sorted(ways, key=_tokens_by_length)
        # `re` skips to a literal character at memory speed. Nearly all places where it stands
        # are then ruled out by a glance at what is beside it.
        self._glance = _glance(anchor, self.ways)
        self._may_be = re.compile(self._glance)
        self._pattern: re.Pattern[str] | None = None

    def pattern(self, text: str, begin: int, end: int) -> re.Pattern[str] | None:
        """None if the text has none of the heads."""
        if self.anchor not in text:
            return None
        if self._pattern is None and self._may_be.search(text, begin, end):
            self._pattern = self._compiled()
        return self._pattern

    def hit(self, text: str) -> bool:
        if self._pattern is None:
            if not self.may_hit(text):
                return False
            self._pattern = self._compiled()
        return self._is_in(text, self._pattern)

    def may_hit(self, text: str) -> bool:
        """Whether there is one of the heads."""
        return self._is_in(text, self._may_be)

    def _is_in(self, text: str, pattern: re.Pattern[str]) -> bool:
        # The expression takes 17 us to go through 60 KB, and 0.2 us where it is held to one place.
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
        patterns = [
            _edged(length, "|".join(_after(way.head) + way.tail for way in ways))
            for length, ways in groupby(self.ways, lambda way: way.before)
        ]
        glance = self._glance if len(self.ways) > 1 else re.escape(self.anchor)
        return re.compile(f"{glance}(?:{'|'.join(patterns)})", re.ASCII)


_RARE = 700
"""Characters between two anchors from which on each is looked at by itself."""


def _after(head: str) -> str:
    """Behind the last character of `head`, which has just been found."""
    return _behind(head) if len(head) > 1 else ""


def _glance(anchor: str, ways: Sequence[_Lead]) -> str:
    """The anchor where heads may end: the cheapest first, as it rules out most places."""
    heads = [way.head for way in ways]
    columns = [{head[at] for head in heads} for at in range(-min(3, *map(len, heads)), -1)]
    characters = "".join(f"[{re.escape(''.join(sorted(column)))}]" for column in columns)
    ends = sorted({head[-5:] for head in heads if len(head) > 1}, key=len)
    beside = [_behind(*same_width) for _, same_width in groupby(ends, len)]
    before = f"(?<={characters}{re.escape(anchor)})" if columns else ""
    # Before a head of one character there is nothing to see. `re` skips to a literal text, too.
    after = [_letters(way.tail) for way in ways if len(way.head) == 1]
    if len(ways) == len(after) == 1:
        return re.escape(anchor) + after[0]
    beside += [f"(?={letters})" for letters in after]
    return f"{re.escape(anchor)}{before}(?:{'|'.join(beside)})"


def _letters(tail: str) -> str:
    """The letters with which a tail begins."""
    found = re.match("[a-z]*", tail)
    return found[0] if found else ""


def _tokens_by_length(way: _Lead) -> float:
    return way.before or inf


def _edged(length: int, pattern: str) -> str:
    """The edge once for all heads of a length: it is the most of what there is to compile."""
    return f"(?<={_EDGE}.{{{length}}})(?:{pattern})" if length else pattern


@cache
def _searches() -> tuple[_LeadSearch, ...]:
    anchors: dict[str, list[_Lead]] = defaultdict(list)
    for way in _ways():
        anchors[way.head[-1]].append(way)
    return tuple(starmap(_LeadSearch, anchors.items()))


@cache
def _announcements() -> re.Pattern[str]:
    """What stands before a secret that may be in quotes of its own."""
    ways = [way for way in _ways() if _IS in way.tail]
    before = [re.escape(way.head) + way.tail.partition(_IS)[0] for way in ways]
    return re.compile(rf"(?:{'|'.join(before)}){_IS}\Z")


def announced(text: str) -> bool:
    """Whether `text` says that what follows it is a secret; nothing else reaches over a quote."""
    return _announcements().search(text) is not None


class Span(NamedTuple):
    start: int
    end: int
    name: str


def hit(text: str) -> bool:
    """Whether `find` would find anything; 60 kB of an agent's JSON take some 0.1 ms."""
    # A character is looked for many times faster so than by an expression.
    return any(search.hit(text) for search in _searches() if search.anchor in text)


def may_hit(text: str) -> bool:
    """Whether there is the head of any secret in a text."""
    return any(search.may_hit(text) for search in _searches() if search.anchor in text)


def find(text: str, begin: int, end: int) -> list[Span]:
    """Secrets in `text[begin:end]`, tokens before places; one may lie within another."""
    found = []
    for search in _searches():
        pattern = search.pattern(text, begin, end)
        for match in pattern.finditer(text, begin, end) if pattern else ():
            group = match.lastindex or 0
            name, _, _, before = search.ways[group - 1]
            span = Span(match.start(group) - before, match.end(group), name)
            found.append((not before, span))
    return [span for _, span in sorted(found)]
