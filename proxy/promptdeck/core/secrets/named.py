"""Values that are secrets by the name before them: `api_key = "..."`, `password: ...`.

A name counts in any case, in code, environment, JSON, YAML, headers and queries. What
stands behind it counts by its form: a secret is no word and no expression, and what README
files have in its place (`YOUR_API_KEY`, `<token>`, `xxxx`) is left alone.
"""

import re
from collections import Counter
from math import log2

IS = " \t\"'`]:=>|\\"
"""Characters that may stand between a name and its value: `=`, `": "`, ` => '`, in JSON
within JSON with backslashes."""
_NEAR = 80
"""Characters before a value among which its name is looked for."""

ENDS = (
    "key", "token", "secret", "passw", "password", "passwd", "passphrase", "pwd", "pass", "auth",
    "authorization", "credential", "credentials", "cookie", "sessionid", "sessid", "session",
    "signature", "sig", "sid", "key_base", "pat",
)  # fmt: skip
"""The ends of names, in lower case, for a quick test; what names are in full is `_NAME`'s."""
_NAME = re.compile(
    r"""(?xi) (?: (?:^|[^a-z0-9_.-]) (?:
        (?-i: (?:[a-z]+\.)*+
            (?!(?:[A-Z0-9]+_)*(?:PRIMARY|PUBLIC|PUBLISHABLE|FOREIGN|CACHE|SORT|PARTITION|INDEX
                |IDEMPOTENCY|UNIQUE|HOT|OBJECT|MAP|GROUP|LOOKUP|ROUTING|ROW|KEY)_KEY)
            (?:[A-Z0-9]+_)+ KEY )
        | [a-z0-9_.-]{0,60}? (?:api|access|secret|private|auth|client|app|application|account
            |service|master|encryption|signing|subscription|license|admin|shared|storage|webhook|deploy
            |functions?|host|consumer|sas|[a-z]+ai) [-_.]? key (?:_base)?
        | (?!(?:[a-z0-9]+[-_.])*(?:page|next|sync|continuation|continue|max|num|pad|eos|bos|unk|mask
            |sep|cls|stop|special|input|output|first|last|cancellation|start|end|prev|previous|min
            |completion|prompt|per|design|csrf|xsrf|reset_?after|nextpage)[-_]?token)
          [a-z0-9_.-]{0,60} token
        | [a-z0-9_.-]{0,60} (?:secret | passw(?:or)?d | passphrase | pwd | [_-]pass | [_-]pat)
        | (?:[a-z0-9_.-]{0,60}[_-])? (?:auth | authorization | credentials?)
        | api\ key
      )
    | (?-i:[a-z](?:ApiKey|APIKey|AccessKey|SecretKey|PrivateKey|AccountKey|SharedKey|Secret
        |Password|Passwd|(?<!max)(?<!next)(?<!Page)(?<!page)(?<!stop)Token))
    | sharedaccesskey
    ) $""",
    re.ASCII,
)
"""A name in full, at the end of what stands before a value."""
_ONLY_EQUALS = re.compile(
    r"(?i)[?&]key$|(?:^|[^a-z0-9_.-])(?:x-amz-signature|x-goog-signature|signature|sig"
    r"|[a-z0-9_.-]{0,40}(?:session_?id|sessid|_session|connect\.sid|session|sid|cookie))$",
    re.ASCII,
)
"""Names that say so only where `=` follows, as in cookies and queries."""

_HINT = re.compile(
    r"(?i)your|example|sample|x{4}|\*{3}|change.?(?:me|this|it)|placeholder|dummy|replace|insert"
    r"|redacted|todo|<|\.\.\.|my[-_](?:api|secret|token|key|pass)|(?:api|secret)[-_]?key|"
    r"[-_](?:here|token|password|secret)\b|fake[-_]|not[-_]?(?:a|needed|used)|(.)\1{5}|env[.(\[]"
)
"""What stands in a secret's place in documents and code."""
_CODE = re.compile(r"[(\[{]|\.[A-Za-z_]|::|->")
"""What follows a value that is a call, an index or a member: it is code."""
_UUID = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_BASE32 = re.compile("[A-Z2-7]{16,}")
_TURNS = re.compile("[A-Za-z](?=[0-9])|[0-9](?=[A-Za-z])")
_WORDS = re.compile("[A-Za-z]+(?:[_./-](?:[A-Za-z]+|v?[0-9]+))+")
"""Words that are joined: a name, with a version or a number at most."""
_CAMEL = re.compile("(?:[A-Z]?[a-z]{2,}+|[A-Z]{2,}+|[Vv]?[0-9]{1,2}(?![0-9]))++")
"""Words one behind the other, and numbers of versions."""
_CASES = re.compile("[a-z](?=[A-Z])|[A-Z](?=[A-Z])")
_VALUE = re.compile(r"[A-Za-z0-9_+/=.~%!@#$^*-]+", re.ASCII)

PASSWORD = re.compile(
    # A name, what says that a value follows, and a value: in quotes, or up to a blank.
    r"""[wW](?:(?<=[sS][wW])(?:[oO][rR])?[dD]|(?<=[pP][wW])[dD])(?![A-Za-z(])"""
    r"""[0-9]?\\{0,3}["'`]?\]?[ \t]*+(?:=>|:=|==?|:)[ \t]*+\\{0,3}["'`]?(?![${<%*\[(?&@])"""
    r"""((?=[^\s"'`,;&\\<>]{0,128}[A-Za-z])(?=[^\s"'`,;&\\<>]{0,128}[^A-Za-z\s"'`,;&\\<>._()-])"""
    r"""[^\s"'`,;&\\<>(){}\[\]]{6,128}+)(?=[\s"'`,;&\\<>)}\]]|$)""",
    re.ASCII,
)


def announced(text: str) -> bool:
    """True if `text` ends in a name and what says that its value follows: `"api_key": "`."""
    bare = text[-_NEAR:].rstrip(IS)
    return len(bare) < len(text[-_NEAR:]) and bare.lower().endswith(ENDS)


def value_at(text: str, begin: int, at: int, end: int) -> tuple[int, int] | None:
    """The span of a secret value that begins at `at`, or None; `begin` bounds what is looked at.

    None if no name says that there is one, or the value is none by its form.
    """
    before = text[max(begin, at - _NEAR) : at]
    bare = before.rstrip(IS)
    says = before[len(bare) :]
    if says == " " and bare.endswith(" is"):
        bare, says = bare[:-3].rstrip(), ":"  # as people say it
    if not bare.lower().endswith(ENDS) or not ("=" in says or ":" in says or ">" in says):
        return None
    equals = "=" in says
    if not (_NAME.search(bare) or (equals and _ONLY_EQUALS.search(bare))):
        return None
    match = _VALUE.match(text, at, end)
    if match is None:
        return None
    value = match[0].rstrip(".!@#$^*%") if match[0][-1] in ".!" else match[0]
    stop = at + len(value)
    quoted = '"' in says or "'" in says or "`" in says
    if not quoted and _CODE.match(text, stop, end):
        return None
    return (at, stop) if is_random(value, quoted=quoted or equals) else None


def is_password(value: str) -> bool:
    """True if what stands behind `password` may be one, and is not what stands for one."""
    return not (
        len(set(value)) < 4
        or _HINT.search(value)
        or _WORDS.fullmatch(value)
        or value.startswith(("self.", "--"))
    )


def is_random(value: str, *, quoted: bool = True) -> bool:
    """True for a value of 16 characters or more that nobody would write by hand as a name."""
    if len(value) < 16 or _HINT.search(value):
        return False
    if _UUID.fullmatch(value):
        return True
    if _BASE32.fullmatch(value):
        return _entropy(value) > 1.9
    parts = re.split("[-_./=+~%!@#$^*]+", value)
    longest = max(parts, key=len)
    turns = len(_TURNS.findall(value))
    if _CAMEL.fullmatch(longest):
        return False
    if not quoted and "." in value and len(longest) < 20:
        return False
    if turns == 0:
        # No digit: only what changes its case as no name does.
        varied = len(longest) >= 20 and len(_CASES.findall(longest)) >= 6
        return varied and not longest.isupper()
    if len(longest) < 8 and turns < 6:
        return False
    odd = turns + len(_CASES.findall(value)) // 2
    return odd >= (3 if turns > 1 else 5) and _entropy(value) >= 1.9


def _entropy(value: str) -> float:
    """Shannon's entropy of a text's characters, in bits."""
    size = len(value)
    return -sum(count / size * log2(count / size) for count in Counter(value).values())
