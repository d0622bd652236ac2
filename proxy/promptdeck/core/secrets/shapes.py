"""What secrets look like: kinds that are known by a head, or by how they are put together.

Most are the rows of `published`; here stand those that a row cannot say, in regular
expressions. How a text is searched for all of them at once is `search`'s, and values that
are secrets by the name before them are `named`'s.

The same shapes are found in plain text and in JSON text, where a letter before a token
may belong to an escape such as \\n. All of it may meet hostile text: bounds and possessive
quantifiers keep the search linear, which a test with long repetitions holds.
"""

import re
from collections.abc import Iterator
from functools import cached_property
from itertools import product

import xxhash

from .published import ROWS

_W = "[A-Za-z0-9_-]"
"""The alphabet of base64url, in which most keys are written."""
_A = "[A-Za-z0-9]"
_UUID = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
# Words of prose and code must not be taken for secrets, so that most tails ask for what words
# have not. `.`, `=` and the signs of base64 are passed over like those that join words.
_JOIN = "_.=+/-"
_NOT_A_WORD = f"(?=[a-z{_JOIN}]{{0,100}}+[A-Z0-9])"
"""An upper-case letter or a digit among what follows."""
_DIGIT = f"(?=[A-Za-z{_JOIN}]{{0,100}}+[0-9])"
_MIXED = f"{_DIGIT}(?=[a-z0-9{_JOIN}]{{0,100}}+[A-Z])(?=[A-Z0-9{_JOIN}]{{0,100}}+[a-z])"
"""A digit, an upper-case and a lower-case letter among what follows."""
_GAP = r"(?:[ \r\n\t]|\\+[nrt])"
"""White space. JSON text writes a line end as \\n, JSON within JSON with more backslashes."""


def _edge(signs: str) -> str:
    """What holds where a secret of these signs may begin: behind none of them, or an escape."""
    return (
        rf"(?:(?<!{signs})(?<!\\(?=[nrtbf]))|(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{{4}})"
        r"|(?<=%[0-9A-Fa-f]{2})|(?<=[0-9;\[]m))"
    )


_CLASSES = {
    "h": "[0-9a-f]",
    "H": "[0-9a-fA-F]",
    "A": _A,
    "a": "[a-z0-9]",
    "U": "[A-Z0-9]",
    "d": "[0-9]",
    "w": _W,
    "L": "[A-Za-z]",
    "s": "[A-Za-z0-9_]",
    "b": "[A-Za-z0-9+/]",
    "x": "[A-Za-z0-9_=.-]",
}
_TELLING = frozenset("hHdU")
"""Classes of which no word is made."""
PART = re.compile(
    r"(?:'(?P<text>[^']+)'|(?P<cls>[hHAaUdwLsbx])(?P<least>\d+)(?P<most>[+]|-\d+)?|u)$"
)
"""A part of a tail in the table."""


class SecretKind:
    """One shape of secrets; several may share a name."""

    def __init__(
        self,
        name: str,
        head: str,
        tail: str,
        *,
        lead: str = "",
        before: int = 0,
        place: bool = False,
    ) -> None:
        self.name = name
        self.lead = lead
        """What must hold before the head."""
        self.head = head
        """The literal text that begins it."""
        self.tail = tail
        """What follows the head, as a regular expression of ASCII."""
        self.before = before
        """How many characters of the secret stand before the head."""
        self.place = place
        """True where the secret is the tail's one group, and not head and tail together."""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The whole expression, compiled when a text first has the head."""
        return re.compile(self.lead + re.escape(self.head) + self.tail, re.ASCII)

    def span(self, text: str, begin: int, end: int) -> tuple[int, int] | None:
        """Where the secret is whose head stands at `begin`, or None."""
        match = self.pattern.match(text, begin, end)
        if match is None:
            return None
        return match.span(1) if self.place else (begin - self.before, match.end())

    @property
    def keys(self) -> Iterator[str]:
        """The characters, one set of them or more, with which it begins.

        Four, or the head's two, where a sign follows that is in no long run.
        """
        if len(self.head) >= 4:
            return iter([self.head[:4]])
        if self.head.endswith("."):
            return iter([self.head])
        first = re.match(r"(?:\(\?.*?\))*(\[[^]]+\])", self.tail)
        if first is None:
            raise ValueError(f"what follows {self.head} must begin with a class of characters")
        one = re.compile(first[1])
        signs = [chr(code) for code in range(33, 127) if one.fullmatch(chr(code))]
        return map("".join, product([self.head], *[signs] * (4 - len(self.head))))


def _tail(parts: list[str]) -> str:
    """The regular expression of a tail as the table writes it."""
    exact, mixed = any(part.endswith(".") for part in parts), "!" in parts
    parts = [part.rstrip(".") for part in parts if part not in (".", "!")]
    written = []
    for at, part in enumerate(parts):
        match = PART.match(part)
        if match is None:
            raise ValueError(f"{part} is no part of a tail")
        if match["text"]:
            written.append(re.escape(match["text"]))
        elif not match["cls"]:
            written.append(_UUID)
        else:
            last = at == len(parts) - 1 and not exact
            most = match["least"] if not match["most"] else match["most"].strip("+-")
            bound = "," if last or match["most"] == "+" else f",{most}"
            bound = "" if bound == f",{match['least']}" else bound
            written.append(f"{_CLASSES[match['cls']]}{{{match['least']}{bound}}}")
    ahead = _MIXED if mixed else ""
    if not mixed and parts[0][0] not in _TELLING and not parts[0].startswith(("u", "'")):
        ahead = _NOT_A_WORD
    if exact:
        return ahead + "".join(written) + f"(?!{_A})"
    return ahead + "".join(written) + ("={0,2}" if parts[-1].startswith("b") else "")


def _published() -> Iterator[SecretKind]:
    """The kinds in the table of published ones, one for each head."""
    for row in ROWS.splitlines():
        if not row or row.startswith("#"):
            continue
        name, *fields = row.split()
        heads = [field for field in fields[:-1] if not is_part(field)]
        tail = _tail(fields[len(heads) : -1])
        for head in heads:
            # A head of letters alone may stand anywhere in base64; a `+` is a blank in forms.
            loose = head.isalnum() and len(head) < 6 and fields[len(heads)][0] in "Ab"
            lead = "(?<!/)" if loose else ""
            yield SecretKind(name, head, tail, lead=lead)


def is_part(field: str) -> bool:
    """True if a field of a row is a part of what follows the heads, and not a head itself."""
    return field in (".", "!") or PART.match(field.rstrip(".")) is not None


def _written() -> Iterator[SecretKind]:
    """The kinds that take an expression of their own to say."""
    # OpenAI's say what they are for, older ones nothing. Also DeepSeek, Moonshot, LiteLLM and
    # others. `sk-learn-contrib` is none: its parts are words.
    yield SecretKind("anthropic", "sk-ant-", f"{_NOT_A_WORD}{_W}{{16,}}")
    yield SecretKind("openrouter", "sk-or-", f"{_NOT_A_WORD}{_W}{{16,}}")
    yield SecretKind(
        "openai",
        "sk-",
        f"(?:(?:proj|svcacct|admin|service|None)-{_NOT_A_WORD}{_W}{{16,}}|{_MIXED}{_W}{{16,}}"
        f"|(?:[a-z0-9]{{1,10}}-)?(?={_A}{{16}})(?=[A-Za-z]{{0,64}}+[0-9]++[A-Za-z]++[0-9]){_W}{{16,}})",
    )
    # docs.gitlab.com, "Token prefixes"; those that route hold a dot and their length.
    for head in ("glpat-", "gldt-"):
        yield SecretKind(
            "gitlab", head, f"{_NOT_A_WORD}{_W}{{20,}}(?:\\.{_A}{{2}}\\.?{_A}{{7,9}})?"
        )
    # docs.doppler.com: a service token may say for which configuration it is.
    yield SecretKind("doppler", "dp.st.", f"(?:[a-z0-9_-]{{2,35}}\\.)?{_A}{{40,}}")
    # RFC 7519 (three parts), and RFC 7516 (five), which encrypts the second to last.
    yield SecretKind(
        "jwt",
        "eyJ",
        f"{_W}{{8,500}}+\\.(?:ey[A-Z]{_W}{{6,}}+\\.{_W}{{16,}}|{_W}*+(?:\\.{_W}{{8,}}+){{3}})",
    )
    # Base64 of a JWT's head, as gitleaks' jwt-base64 has it.
    yield SecretKind("jwt", "ZXlKaGJHY2lPaU", f"{_CLASSES['b']}{{60,}}={{0,2}}")
    # HashiCorp: 14 characters, `.atlasv1.` and 60 to 70.
    yield SecretKind(
        "terraform",
        "atlasv1.",
        f"(?<={_edge(_A)}{_A}{{14}}\\.atlasv1\\.)[A-Za-z0-9_=-]{{60,}}",
        before=15,
    )
    # Who knows the address of an incoming webhook may write.
    yield SecretKind(
        "slack",
        "com/",
        r"(?<=hooks\.slack\.com/)(?:services|workflows|triggers)/([\w/]{20,})",
        place=True,
    )
    yield SecretKind(
        "slack",
        "com/",
        r"(?<=hooks\.slack-gov\.com/)(?:services|workflows|triggers)/([\w/]{20,})",
        place=True,
    )
    for host in ("discord", "discordapp"):
        yield SecretKind(
            "discord",
            "com/",
            rf"(?<={host}\.com/)api/(?:v\d+/)?webhooks/[0-9]+/([\w-]{{40,}})",
            place=True,
        )
    yield SecretKind(
        "teams", "IncomingWebhook/", rf"([0-9a-z]{{32}}/{_UUID}(?:/[\w-]{{20,}})?)", place=True
    )


PUBLISHED = tuple(_published())
"""One kind for each head in the table."""
TOKENS = (*PUBLISHED, *_written())
"""All that begin with their head, or are found by it."""

AT_DOT = (
    # Two parts, and three, of which the first has no head.
    SecretKind("zhipu", "", f"[0-9a-f]{{32}}\\.{_A}{{16}}(?!{_A})"),
    SecretKind("discord", "", f"[MNO](?={_W}*+[0-9])?{_W}{{23,27}}\\.{_W}{{6,7}}\\.{_W}{{27,}}"),
)
"""Those whose first part is long, of no head, and ends at a dot."""
WHOLE = (
    # Azure's keys say in their middle what they are for (learn.microsoft.com, "identifiable
    # keys"), Azure DevOps' newer tokens in four letters near their end, older ones nothing.
    SecretKind("azure", "", r"[A-Za-z0-9+/]{28,78}"
        r"(?:AzFu|AzSe|AzCa|ACDb|AIoT|APIM|\+AMC|\+ASt|\+ABa|\+ACR|JQQJ99|AZDO)"
        r"[A-Za-z0-9+/]{4,50}={0,2}(?![A-Za-z0-9+/=])"),
    SecretKind("azure", "", r"(?=[a-z]*[2-7])(?=[2-7]*[a-z])[a-z2-7]{52}(?![A-Za-z0-9+/=_-])"),
    # The number of a Mailchimp data center ends its keys, and a name MaxMind's.
    SecretKind("mailchimp", "", f"[0-9a-f]{{32}}-us[0-9]{{1,2}}(?!{_A})"),
    SecretKind("maxmind", "", f"{_A}{{6}}_{_A}{{29}}_mmk(?!{_A})"),
)  # fmt: skip
"""Those that a run of characters is as a whole, by its length."""
WHOLE_LENGTHS = frozenset([36, 37, 40, 43, 44, 52, 82, 84, 86, 88])

PRIVATE_KEY = re.compile(
    # The body of a PEM block; its BEGIN and END lines stay.
    rf"PRIVATE KEY(?: BLOCK)?-----{_GAP}*+"
    r"(?:[A-Z][A-Za-z-]{2,30}+: [ -!#-\[\]-~]{0,200}+(?:[\r\n]|\\+[nr])++){0,8}+"
    r"((?=[A-Za-z0-9+/=]{40})(?:[A-Za-z0-9+/= \r\n\t]|\\+[nrtu/])*[A-Za-z0-9+/=])",
    re.ASCII,
)
PUTTY_KEY = re.compile(
    # The body of a PuTTY key: so many lines of base64 as the line before them says.
    rf"Private-Lines: [0-9]+{_GAP}++"
    rf"((?=[A-Za-z0-9+/=]{{20}})[A-Za-z0-9+/=]++(?:{_GAP}++(?!Private-)[A-Za-z0-9+/=]++){{0,200}})",
    re.ASCII,
)
BASIC = re.compile(
    # RFC 7617: base64 of user, colon and password; ASCII makes every quartet begin with A to f.
    "Basic +((?=[A-Za-z+/]{0,200}+[0-9=])(?:[A-Za-f][A-Za-z0-9+/]{3}){2,}"
    "(?:[A-Za-f][A-Za-z0-9+/](?:==|[A-Za-z0-9+/]=))?)(?![A-Za-z0-9+/=])",
    re.ASCII,
)
USERINFO = re.compile(
    # RFC 3986: what userinfo may hold. No masks and no variables. Or a long key alone.
    r"(?:[\w.~!&()*+,;=%$-]{0,128}+:(?![*$])([\w.~!$&()*+,;=%-]{1,256}+)"
    r"|((?=[A-Za-z_-]*+[0-9])(?=[0-9_-]*+[A-Za-z])[\w-]{20,128}+))@(?=[\w\[{])",
    re.ASCII,
)
TILDE = (
    # Microsoft Entra's client secrets, 40 characters with `Q~` as the fifth and sixth.
    SecretKind(
        "azure", "~", rf"(?<={_edge('[A-Za-z0-9_~.-]')}[\w~.-]{{3}}[0-9]Q~)[\w~.-]{{31,}}", before=5
    ),
    SecretKind("openshift", "~", rf"(?<={_edge(_A)}sha256~){_W}{{43}}(?!{_W})", before=6),
)

LONGEST_HEAD = 64
"""In characters: no head of a secret, nor the name before one, is longer."""


def _keyed() -> dict[str, tuple[SecretKind, ...]]:
    """The kinds of tokens by the characters that each begins with; long heads first."""
    found: dict[str, tuple[SecretKind, ...]] = {}
    for kind in sorted(TOKENS, key=lambda kind: -len(kind.head)):
        for key in kind.keys:
            found[key] = (*found.get(key, ()), kind)
    return found


BY_KEY = _keyed()

_ALL = (*TOKENS, *AT_DOT, *WHOLE, *TILDE)
NAMES = tuple(
    sorted(
        {kind.name for kind in _ALL}
        | {"private-key", "basic", "bearer", "url-password", "telegram", "assigned", "password"}
        | {"encoded", "webhook"}
    )
)
"""Of all kinds, as placeholders and reports have them."""
DIGEST = xxhash.xxh3_64_hexdigest(
    repr(
        [
            *((kind.name, kind.head, kind.tail) for kind in _ALL),
            *(pattern.pattern for pattern in (PRIVATE_KEY, PUTTY_KEY, BASIC, USERINFO)),
        ]
    ).encode()
)
"""Names this table: under another digest other secrets are found."""
