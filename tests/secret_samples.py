"""Secrets for the tests, one of each kind at least, and texts that only look like them.

No key-shaped text stands here: every one is put together when the tests run.
"""

import base64
import random
from collections.abc import Iterator

from hypothesis import strategies as st

from promptdeck.core.secrets import shapes
from promptdeck.core.secrets.published import ROWS
from promptdeck.core.secrets.redact import Redactor, without

A1 = "A1b2" * 20
A = A1[:24].encode()
HEX = "0123456789abcdef" * 4
UUID = "9b3c1d2e-4f5a-4b6c-8d7e-0f1a2b3c4d5e"
BASE64 = base64.b64encode(bytes(range(96))).decode()

JWT_HEAD = "eyJ" + "hbGciOiJIUzI1NiJ9"

TOKENS = [
    ("anthropic", "sk-" + "ant-api03-" + A1),
    ("openrouter", "sk-" + "or-v1-" + HEX),
    ("langfuse", "sk-" + "lf-" + "12345678-1234-1234-1234-123456789abc"),
    ("openai", "sk-" + "proj-" + "A1" * 12),
    ("openai", "sk-" + "svcacct-" + "a_B-" * 8),
    ("openai", "sk-" + "admin-" + A1),
    ("openai", "sk-" + A1[:48]),
    ("openai", "sk-" + HEX[:32]),
    ("openai", "sk-" + "aB3_-" * 4 + "xy"),
    ("dedalus", "dsk-" + "live-" + HEX[:12] + "-" + HEX[:32]),
    ("dedalus", "dsk_" + "test_" + HEX[:12] + "_" + HEX[:32]),
    ("xai", "xai-" + A1),
    ("groq", "gsk_" + A1[:52]),
    ("cerebras", "csk-" + A1[:48]),
    ("perplexity", "pplx-" + A1[:48]),
    ("fireworks", "fw_" + A1[:24]),
    ("together", "tgp_v1_" + "aB3_-" * 8 + "xyz"),
    ("huggingface", "hf_" + "aBcDe" * 7),
    ("huggingface", "api_org_" + "aBcDe" * 7),
    ("replicate", "r8_" + A1[:37]),
    ("nvidia", "nvapi-" + "aB3_-" * 12),
    ("elevenlabs", "sk_" + HEX[:48]),
    ("google", "AI" + "zaSy" + "aB3_-" * 6 + "xyz"),
    ("google", "AQ." + "Ab8" + "aB3_-" * 9),
    ("google-oauth", "ya29." + "a0" + A1),
    ("google-oauth", "ya29." + "c.b0" + A1),
    ("google-oauth", "GOCSPX-" + A1[:28]),
    ("aws-key-id", "AKIA" + "A1B2" * 4),
    ("aws-key-id", "ASIA" + "A1B2" * 4),
    ("aws-bedrock", "ABSK" + base64.b64encode(b"BedrockAPIKey-" + b"x1" * 40).decode()),
    (
        "aws-bedrock",
        "bedrock-api-key-" + base64.b64encode(b"bedrock.amazonaws.com/?x" * 4).decode(),
    ),
    *(("github", f"gh{kind}_" + A1[:36]) for kind in "pousr"),
    ("github", "github_pat_" + A1[:22] + "_" + A1[:59]),
    ("gitlab", "glpat-" + "aB3_-" * 4),
    ("gitlab", "glpat-" + "aB3_-" * 6 + ".01." + "1a2b3c4d5"),
    ("gitlab", "gldt-" + "aB3_-" * 4),
    *(("slack", f"xox{kind}-" + "1234567890-1234567890-" + A1[:24]) for kind in "abeprs"),
    ("slack", "xapp-" + "1-A012-1234567890-" + HEX),
    ("stripe", "sk_" + "live_" + A1[:24]),
    ("stripe", "sk_" + "test_" + A1[:24]),
    ("stripe", "rk_" + "live_" + A1[:24]),
    ("stripe", "whsec_" + A1[:32]),
    ("npm", "npm_" + A1[:36]),
    ("pypi", "pypi-" + "AgEIcHlwaS5vcmc" + "aB3_-" * 20),
    ("sendgrid", "SG." + A1[:22] + "." + A1[:43]),
    ("notion", "ntn_" + A1[:46]),
    ("linear", "lin_api_" + A1[:40]),
    ("tavily", "tvly-" + "dev-" + A1[:32]),
    ("langsmith", "lsv2_" + "pt_" + HEX[:32] + "_" + HEX[:10]),
    ("pinecone", "pcsk_" + A1[:6] + "_" + A1[:60]),
    ("digitalocean", "dop_" + "v1_" + HEX),
    ("shopify", "shpat_" + HEX[:32]),
    ("zhipu", HEX[:32] + "." + A1[:16]),
    ("mailchimp", HEX[:32] + "-us12"),
    ("maxmind", A1[:6] + "_" + A1[:29] + "_mmk"),
    ("terraform", A1[:14] + ".atlasv1." + A1[:67]),
    ("azure", "abC8Q~" + "aB3_-" * 6 + "xyz9"),
    ("azure", "aB3d" * 10 + "AzSe" + "Dx12" * 2),
    ("openshift", "sha256~" + "aB3_-" * 8 + "xyz"),
    ("jwt", JWT_HEAD + ".eyJ" + "zdWIiOiIx" + "." + A1[:43]),
    ("jwt", JWT_HEAD + "." + A1[:40] + "." + A1[:16] + "." + A1[:60] + "." + A1[:22]),
]


_SIGNS = {
    "h": "0123456789abcdef",
    "H": "0123456789abcdefABCDEF",
    "a": "abcdefghijklmnopqrstuvwxyz0123456789",
    "U": "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
    "d": "0123456789",
}
_SIGNS["L"] = _SIGNS["a"][:26] + _SIGNS["U"][:26]
_SIGNS["A"] = _SIGNS["L"] + _SIGNS["d"]
_SIGNS |= {"w": _SIGNS["A"] + "-_", "s": _SIGNS["A"] + "_", "b": _SIGNS["A"] + "+/"}
_SIGNS["x"] = _SIGNS["w"] + "=."


def published(seed: int) -> Iterator[tuple[str, str]]:
    """The name and a secret of each head in the table of published shapes, by their formats."""
    chance = random.Random(seed)
    for row in ROWS.splitlines():
        if row and not row.startswith("#"):
            name, *fields = row.split()
            heads = [field for field in fields[:-1] if not shapes.is_part(field)]
            parts = [field for field in fields[len(heads) : -1] if field not in (".", "!")]
            for head in heads:
                yield name, head + "".join(_made(part, chance) for part in parts)


def _made(part: str, chance: random.Random) -> str:
    """What a part of a format may stand for."""
    match = shapes.PART.match(part.rstrip("."))
    assert match
    if match["text"]:
        return match["text"]
    if not match["cls"]:
        return "-".join(_made(f"h{size}", chance) for size in (8, 4, 4, 4, 12))
    least = int(match["least"])
    most = least + 20 if match["most"] == "+" else int((match["most"] or "").strip("-") or least)
    signs = _SIGNS[match["cls"]]
    made = [chance.choice(signs) for _ in range(chance.randint(least, most))]
    # No secret of any length is made of words: it has a digit, and letters of both cases.
    for at, kind in zip((1, 3, 5, 7), "dLUa", strict=True):
        if at < len(made) - 1 and (able := [one for one in _SIGNS[kind] if one in signs]):
            made[at] = chance.choice(able)
    # A sign that joins words may be no part of one at its end.
    made[0] = made[-1] = chance.choice(signs[:10] if match["cls"] in "hHd" else signs[:36])
    return "".join(made)


# What comes before a secret, the secret, and what comes after it.
PLACES = [
    (
        "private-key",
        f"-----BEGIN {kind}-----\n{header}",
        BASE64[:64] + "\n" + BASE64[:64] + "\nabc=",
        f"\n-----END {kind}-----",
    )
    for kind, header in [
        ("PRIVATE " + "KEY", ""),
        ("RSA PRIVATE " + "KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0A1B\n\n"),
        ("PGP PRIVATE " + "KEY BLOCK", "Version: GnuPG v2\n\n"),
    ]
] + [
    ("bearer", "Authorization: Bearer ", "abc.def-" + A1[:20], ' -H "Accept: */*"'),
    ("bearer", "authorization: bearer ", A1[:16], ". Then"),
    ("basic", "Authorization: Basic ", base64.b64encode(b"user:s3cret-word").decode(), "\nHost: a"),
    ("url-password", "postgres://app:", "s3cr%40t.x", "@db.example.com:5432/app"),
    ("url-password", "redis://:", "hunter2", "@localhost"),
    ("slack", "https://hooks.slack.com/services/", "T0001/B0002/" + A1[:24], " says"),
    ("discord", "https://discord.com/api/webhooks/123456/", "aB3_-" * 13, "?wait=true"),
    ("telegram", "bot123456789:", "AA" + "aB3_-" * 6 + "xyz", "/sendMessage"),
    ("assigned", "aws_secret_access_key = ", "aB3/" * 10, "\nregion"),
    ("assigned", "AWS_SECRET_ACCESS_KEY='", "aB3+" * 10, "'"),
    ("assigned", '{"SecretAccessKey": "', "aB3/" * 10, '", "x": 1}'),
    ("assigned", "AWS_SESSION_TOKEN=", BASE64, "\n"),
    ("assigned", "AccountName=x;AccountKey=", A1 + "abcdef==", ";EndpointSuffix"),
    ("assigned", "export MISTRAL_API_KEY=", A1[:32], "\n"),
    ("assigned", '{"AZURE_OPENAI_API_KEY": "', HEX[:32], '"}'),
    ("assigned", "EXA_API_KEY=", UUID, "\n"),
    ("assigned", "CLOUDFLARE_API_TOKEN=", "aB3_dE5-" * 5, "\n"),
    ("assigned", "AUTH0_CLIENT_SECRET='", "aB3_dE5-" * 8, "'"),
    ("assigned", '{"api_key": "', HEX[:32], '"}'),
    ("assigned", r'{\"api_key\": \"', HEX[:32], r'\"}'),
    ("assigned", '{"clientSecret":"', A1[:24], '"}'),
    ("assigned", "mistral_api_key: ", A1[:32], "\nmodel: x"),
    ("assigned", "X-Api-Key: ", A1[:32], "\r\n"),
    ("assigned", "Cookie: sessionid=", A1[:32], "; theme=dark"),
    ("assigned", "otpauth://totp/a:b?secret=", "JBSWY3DP" * 2, "&issuer=a"),
    ("assigned", "https://bucket/x?X-Amz-Signature=", HEX, "&x=1"),
    ("assigned", '{"auths":{"registry":{"auth": "', base64.b64encode(b"u:" + A).decode(), '"}}}'),
    ("assigned", "//registry.example.com/:_authToken=", UUID, "\n"),
    ("assigned", "the api key is ", HEX[:32], ", thanks"),
    ("password", "DB_PASSWORD=", "s3cr-t.Pa55", "\n"),
    ("password", "postgres_password: '", "p4ss w0rd"[:4] + "-w0rd-2", "'"),
    ("password", "jdbc:postgresql://h/db?user=a&password=", "Xk29fj2k", "&ssl=true"),
    ("password", "Server=a;Password=", "aB3^dE5!x", ";Database=b"),
    ("url-password", "https://", HEX[:32], "@o123.ingest.sentry.io/45"),
    (
        "private-key",
        "PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\nComment: a\nPublic-Lines: 1\n"
        + BASE64[:64] + "\nPrivate-Lines: 2\n",
        BASE64[:64] + "\n" + BASE64[:20],
        "\nPrivate-MAC: " + HEX[:40],
    ),
    ("encoded", '{"data": "', base64.b64encode(b"is sk-" + b"proj-" + A + b" ok").decode(), '"}'),
]  # fmt: skip
SAMPLES = [(name, "see ", token, " here") for name, token in TOKENS] + PLACES
# By its number, as hypothesis would write all of them out.
A_SAMPLE = st.integers(0, len(SAMPLES) - 1).map(lambda number: SAMPLES[number])

LOOKALIKES = [
    "sk-learn-contrib-something-longer",
    "sk-hynix-2024-earnings-report-q3-results",
    "#sk-container-id-12 div.sk-toggleable__label-arrow",
    "sk-proj-your-project-key-goes-here",
    "task-1234567890abcdef1234 ask-A1b2C3d4E5f6G7h8I9 risk-" + HEX[:32],
    "disk-" + HEX[:32],
    "xai-grok-beta pplx-7b-online pypi-server npm_config_registry hf_hub_download_file_name",
    "gsk_model_configuration_for_everyone r8_ secret_name_of_the_function_to_be_called",
    "AKIA and ASIA, AIzawa, SG.1.2, eyJ, ya29. and xoxo-",
    "550e8400-e29b-41d4-a716-446655440000",
    HEX,
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "chatcmpl-" + A1[:29] + " call_" + A1[:24] + " toolu_01" + A1[:22] + " resp_" + HEX[:48],
    "Bearer token, Bearer <token>, Bearer ${TOKEN_2}, f'Bearer {key}', Bearer authentication",
    "Basic usage, Basic Authentication, BasicConfigurator, Basic abcdefgh",
    "https://example.com:8080/path?a=b@c git@github.com:org/repo.git ssh://git@host/x",
    "postgres://user:***@host postgres://user:$PASS@host postgres://{user}:{password}@{host}/db",
    "postgres://<user>:<password>@host http://user@host",
    "-----BEGIN CERTIFICATE-----\n" + BASE64 + "\n-----END CERTIFICATE-----",
    "It starts with -----BEGIN PRIVATE " + "KEY----- and then come lines of base64.",
    "PRIMARY_KEY=user_profile_cache_v2_production API_KEY=os.environ['KEY_1'] API_KEY=your-key",
    "OPENAI_API_KEY=${{ secrets.OPENAI_API_KEY }} API_TOKEN = make_a_new_token_for_user_2()",
    "aws_secret_access_key = <your secret>",
]


CONTROLS = ["\b", "\f", "\r", "\t", "\x1b", "\x7f", "é", "🙂"]
TEXTS = st.lists(
    st.one_of(
        A_SAMPLE.map(lambda sample: "".join(sample[1:])),
        A_SAMPLE.map(lambda sample: sample[2]),
        A_SAMPLE.map(lambda sample: sample[2][1:]),
        st.sampled_from(
            [*LOOKALIKES, "\n", " ", '"', "\\", "\\n", "[redacted:openai]", "m", *CONTROLS]
        ),
        st.text(max_size=8),
    ),
    max_size=6,
).map("".join)
VALUES = st.recursive(
    st.one_of(TEXTS, st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(TEXTS | st.just("API_KEY"), inner, max_size=3)
    ),
    max_leaves=6,
)


def placeholder(name: str) -> str:
    return f"[redacted:{name}]"


def redacted(text: str) -> str:
    """`text` with each secret's name in its place."""
    return without(text, Redactor().spans(text), 0, len(text))
