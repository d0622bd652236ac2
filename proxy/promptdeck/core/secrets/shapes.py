"""What secrets look like: the one table of their shapes.

A secret is known by the head that its issuer gives it (`TOKENS`) or by the place
where it stands (`PLACES`). The same shapes are found in plain text and in JSON text,
where a letter before a token may belong to an escape such as \\n. How a text is
searched for all of them at once is `search`'s.

Where the shapes come from: what an issuer or an RFC documents is named beside its row.
The other tokens look as keys of that issuer look, and where gitleaks has a rule for
them (config/gitleaks.toml) they agree with it but for the length: ours is a lower
bound, as issuers have made their keys longer (GitHub announces up to 255 characters).
"""

from typing import NamedTuple

import xxhash

# The parts that shapes are written in. Words of prose and code must not be taken for secrets,
# so that most tails ask for what words have not. All of it may meet hostile text: bounds and
# possessive quantifiers keep the search linear, which a test with long repetitions holds.
_W = "[A-Za-z0-9_-]"
"""The alphabet of base64url, in which most keys are written."""
_A = "[A-Za-z0-9]"
_DIGIT = "(?=[A-Za-z_-]{0,100}+[0-9])"
"""A digit among what follows."""
_NOT_A_WORD = "(?=[a-z_-]{0,100}+[A-Z0-9])"
"""An upper-case letter or a digit among what follows."""
_MIXED = _DIGIT + "(?=[a-z0-9_-]{0,100}+[A-Z])(?=[A-Z0-9_-]{0,100}+[a-z])"
"""A digit, an upper-case and a lower-case letter among what follows."""
_GAP = r"(?:[ \r\n\t]|\\+[nrt])"
"""White space. JSON text writes a line end as \\n, JSON within JSON with more backslashes."""
IS = r"""(?:\\++[nrt"']|[ \r\n\t"'\]:=>|]){1,16}+"""
"""What stands between a name and its value: `=`, `": "`, ` => '` and the like."""
_SLASH = r"\\?/"
_SLASHES = r"://|:\/\/"


class SecretKind(NamedTuple):
    """One shape of secrets; several may share a name."""

    name: str
    heads: tuple[str, ...]
    """Literal texts of which one begins it. Their last character is what a text is searched
    for, so it should be a rare one."""
    tail: str
    """What follows the head, as a regular expression of ASCII."""


def _kind(name: str, heads: str, tail: str) -> SecretKind:
    """A row of the table, with the heads written side by side: `ghp_|gho_`."""
    return SecretKind(name, tuple(heads.split("|")), tail)


TOKENS = (
    # 16 characters of base64url are 96 bits: no issuer gives out keys of less.
    # As the documents of Anthropic, OpenRouter (`sk-or-v1-`) and Langfuse (a UUID) show them.
    _kind("anthropic", "sk-", f"ant-{_NOT_A_WORD}{_W}{{16,}}"),
    _kind("openrouter", "sk-", f"or-{_NOT_A_WORD}{_W}{{16,}}"),
    _kind("langfuse", "sk-", "lf-[0-9a-f]{8}-[0-9a-f-]{27}"),
    # OpenAI's say what they are for (`sk-proj-`), older ones nothing.
    # Also DeepSeek, Moonshot, LiteLLM and others. `sk-learn-contrib` is none: its parts are words.
    _kind(
        "openai",
        "sk-",
        f"(?:(?:proj|svcacct|admin|service)-{_NOT_A_WORD}{_W}{{16,}}|{_MIXED}{_W}{{16,}}"
        f"|(?:[a-z0-9]{{1,10}}-)?(?={_A}{{16}})(?=[A-Za-z]{{0,64}}+[0-9]++[A-Za-z]++[0-9]){_W}{{16,}})",
    ),
    # Lengths seen behind the head: xAI 80, Groq 52, Cerebras and Perplexity 48, Fireworks 24,
    # Hugging Face 34, Replicate 37.
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
    # Much code has `sk_` in its names: only the very length of a key will do.
    _kind("elevenlabs", "sk_", "[0-9a-f]{48}"),
    # 39 characters in all. The head ends in z, which is rarer than the a behind it.
    _kind("google", "AIz", f"a{_W}{{35}}(?!{_W})"),
    _kind("google", "AQ.A", f"{_W}{{40,}}"),
    _kind("google-oauth", "ya29.", f"(?:{_W}{{1,8}}\\.){{0,2}}{_W}{{20,}}"),
    _kind("google-oauth", "GOCSPX-", f"{_W}{{20,}}"),
    # IAM User Guide, "IAM identifiers": long-term and temporary ids, 20 characters.
    _kind("aws-key-id", "AKIA|ASIA", f"[A-Z0-9]{{16}}(?!{_A})"),
    # Base64 of `BedrockAPIKey-` and of `bedrock.amazonaws.com`.
    _kind("aws-bedrock", "AB", "SKQmVkcm9ja0FQSUtleS[A-Za-z0-9+/]{40,}={0,2}"),
    _kind("aws-bedrock", "bedrock-api-key-", "[A-Za-z0-9+/]{40,}={0,2}"),
    # docs.github.com, "GitHub's token formats".
    _kind("github", "ghp_|gho_|ghu_|ghs_|ghr_|github_pat_", "[A-Za-z0-9_]{36,}"),
    # docs.gitlab.com, "Token prefixes"; those that route hold a dot and their length.
    _kind(
        "gitlab",
        "glpat-|gldt-|glrt-|glptt-|glcbt-|glsoat-|gloas-|glimt-|glagent-",
        f"{_NOT_A_WORD}{_W}{{20,}}(?:\\.{_A}{{2}}\\.?{_A}{{7,9}})?",
    ),
    # docs.slack.dev, "Tokens"; docs.stripe.com, "API keys" and "Webhooks".
    _kind("slack", "xoxa-|xoxb-|xoxc-|xoxd-|xoxe-|xoxo-|xoxp-|xoxr-|xoxs-|xapp-", f"{_W}{{20,}}"),
    _kind("stripe", "sk_live_|sk_test_|rk_live_|rk_test_|whsec_", f"{_NOT_A_WORD}{_A}{{16,}}"),
    # 30 characters and a checksum of six, as GitHub's.
    _kind("npm", "npm_", f"{_A}{{36,}}"),
    # A macaroon of version 2, whose first byte makes its base64 begin so.
    _kind("pypi", "pypi-", f"Ag{_W}{{40,}}"),
    # 22 and 43 characters: 16 bytes that name it, 32 that are the secret.
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

PLACES = (
    # The body of a PEM block; its BEGIN and END lines stay.
    _kind(
        "private-key",
        "PRIVATE KEY-|PRIVATE KEY BLOCK-",
        rf"----{_GAP}*+"
        r"(?:[A-Z][A-Za-z-]{2,30}+: [ -!#-\[\]-~]{0,200}+(?:[\r\n]|\\+[nr])++){0,8}+"
        r"((?=[A-Za-z0-9+/=]{40})(?:[A-Za-z0-9+/= \r\n\t]|\\+[nrtu/])*[A-Za-z0-9+/=])",
    ),
    # RFC 6750: what a bearer token may hold. No sentence goes on so with a digit.
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
    # Who knows the address of an incoming webhook may write: docs.slack.dev, docs.discord.com.
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
    # core.telegram.org/bots/api: the bot's number, a colon and 35 characters.
    _kind("telegram", ":A", rf"(?<=[0-9]{{8}}:A)(A{_W}{{33}})(?!{_W})"),
    # 40 characters of base64, and tokens of hundreds, without any head of their own.
    _kind(
        "aws-secret",
        "secret_|SECRET_|secretA|SecretA",
        rf"(?i:access_key|ccessKey){IS}((?:[A-Za-z0-9+/]|\\/|\\u002[bB]){{40}})(?![A-Za-z0-9+/=])",
    ),
    _kind("aws-secret", "session_|SESSION_", rf"(?i:token){IS}([A-Za-z0-9+/]{{100,}}={{0,2}})"),
    # Connection strings: `AccountName=...;AccountKey=...`, `SharedAccessKey=...`.
    _kind("azure", ";A|SharedA", r"cc(?:ount|ess)Key=([A-Za-z0-9+/]{40,}={0,2})"),
    # Keys of Mistral, Cohere, Azure OpenAI and others have no head, but variables have names.
    _kind(
        "assigned",
        "API_|AUTH_|ACCESS_|SECRET_",
        rf"(?:KEY|TOKEN|SECRET){IS}"
        rf"((?=[a-zA-Z]{{0,64}}+[0-9])(?=[0-9]{{0,64}}+[a-zA-Z])"
        rf"{_A}{{24,}}[A-Za-z0-9+/]*={{0,2}})(?![\w(-])",
    ),
)
"""What stands in such a place is the secret: each tail has one group."""

LONGEST_HEAD = max(len(head) for kind in (*TOKENS, *PLACES) for head in kind.heads)
"""In characters."""
NAMES = tuple(sorted({kind.name for kind in (*TOKENS, *PLACES)}))
"""Of all kinds, as placeholders and reports have them."""
DIGEST = xxhash.xxh3_64_hexdigest(repr([tuple(kind) for kind in (*TOKENS, *PLACES)]).encode())
"""Names this table: under another digest other secrets are found."""
