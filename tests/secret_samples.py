"""Secrets for the tests, one of each kind at least, and texts that only look like them.

No key-shaped text stands here: every one is put together when the tests run.
"""

import base64

from hypothesis import strategies as st

from promptdeck.core.secrets import search

A1 = "A1b2" * 20
HEX = "0123456789abcdef" * 4
BASE64 = base64.b64encode(bytes(range(96))).decode()

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
    ("jwt", "eyJ" + "hbGciOiJI" + ".eyJ" + "zdWIiOiIx" + "." + A1[:43]),
    ("jwt", "eyJ" + "hbGciOiJI" + "." + A1[:40] + "." + A1[:16] + "." + A1[:60] + "." + A1[:22]),
]
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
    ("telegram", "bot123456789:A", "A" + "aB3_-" * 6 + "xyz", "/sendMessage"),
    ("aws-secret", "aws_secret_access_key = ", "aB3/" * 10, "\nregion"),
    ("aws-secret", "AWS_SECRET_ACCESS_KEY='", "aB3+" * 10, "'"),
    ("aws-secret", '{"SecretAccessKey": "', "aB3/" * 10, '", "x": 1}'),
    ("aws-secret", "AWS_SESSION_TOKEN=", BASE64, "\n"),
    ("azure", "AccountName=x;AccountKey=", A1 + "abcdef==", ";EndpointSuffix"),
    ("assigned", "export MISTRAL_API_KEY=", A1[:32], "\n"),
    ("assigned", '{"AZURE_OPENAI_API_KEY": "', HEX[:32], '"}'),
]
SAMPLES = [(name, "see ", token, " here") for name, token in TOKENS] + PLACES
A_SAMPLE = st.sampled_from(SAMPLES)

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
    at, parts = 0, []
    for start, end, name in sorted(search.find(text, 0, len(text))):
        if start >= at:
            parts += [text[at:start], placeholder(name)]
            at = end
    return "".join(parts) + text[at:]
