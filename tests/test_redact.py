"""Secrets go, everything else stays: in text, JSON, bytes and streams cut anywhere.

No key-shaped text stands here: every one is put together when the tests run.
"""

import base64
from itertools import pairwise

import orjson
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from proxy.core import sse
from proxy.core.interaction import Frame
from proxy.core.redact import PATTERN_NAMES, Redactor

REDACTOR = Redactor.build()
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
    ("aws-bedrock", "bedrock-api-key-" + base64.b64encode(b"bedrock.amazonaws.com/?x" * 4).decode()),
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

TEXTS = st.lists(
    st.one_of(
        A_SAMPLE.map(lambda sample: "".join(sample[1:])),
        A_SAMPLE.map(lambda sample: sample[2]),
        st.sampled_from([*LOOKALIKES, "\n", " ", '"', "\\", "\\n", "[redacted:openai]", "m", "@"]),
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


# Text


@pytest.mark.parametrize(("name", "before", "secret", "after"), SAMPLES)
def test_each_kind_of_secret_is_replaced_and_nothing_around_it(name, before, secret, after):
    assert REDACTOR.text(before + secret + after) == (before + placeholder(name) + after, {name: 1})


def test_every_pattern_has_a_sample():
    assert {name for name, *_ in SAMPLES} == set(PATTERN_NAMES)


@pytest.mark.parametrize("text", LOOKALIKES)
def test_what_only_looks_like_a_secret_stays(text):
    assert REDACTOR.text(text) == (text, {})
    assert not REDACTOR.suspicious(text.encode())


@given(st.binary(max_size=3000))
def test_base64_stays(data):
    text = "data:image/png;base64," + base64.b64encode(data).decode()
    assert REDACTOR.text(text) == (text, {})


@pytest.mark.parametrize(
    "before",
    ["\\n", "\\t", "\\r", '\\"', "\\\\n", "\\u0022", "\\u003d", "%3D", "\x1b[32m", "\\u001b[0m"]
    + list("\n\t '\"`=:(,/<>[{é_-"),
)
@pytest.mark.parametrize(("name", "token"), TOKENS)
def test_a_token_may_follow_an_escape_or_any_sign(before, name, token):
    assert REDACTOR.text(before + token) == (before + placeholder(name), {name: 1})


@pytest.mark.parametrize("letter", ["x", "Z", "7"])
@pytest.mark.parametrize("token", [token for _, token in TOKENS if not token.startswith("sk-")])
def test_a_token_does_not_begin_within_a_word(letter, token):
    assert not token.startswith(REDACTOR.text("a" + letter + token)[0][2:])
    assert REDACTOR.text(letter + token)[0].startswith(letter)


def test_several_secrets_are_counted_by_name():
    one, two = TOKENS[0][1], TOKENS[3][1]
    _, counts = REDACTOR.text(f"{one} {two} {two}")
    assert counts == {"anthropic": 1, "openai": 2}


def test_a_token_in_a_place_is_one_secret_with_the_name_of_the_token():
    token = dict(TOKENS)["github"]
    assert REDACTOR.text(f"Bearer {token}") == ("Bearer [redacted:github]", {"github": 1})


@given(TEXTS)
def test_redacting_twice_changes_nothing(text):
    once, _ = REDACTOR.text(text)
    assert REDACTOR.text(once) == (once, {})


@given(TEXTS)
def test_all_is_found_that_suspicion_rules_out(text):
    assume(not REDACTOR.suspicious(text.encode("utf-8", "surrogatepass")))
    assert REDACTOR.text(text) == (text, {})


@pytest.mark.parametrize(
    "piece",
    ["sk-", "sk-a1", "dsk-", "glpat-", "-eyJ", "-eyJaaaaaaaa.", "://", "://a:", "API_KEY=", "\\",
     "PRIVATE " + "KEY-----Ab-c: ", "PRIVATE " + "KEY-----", "Abc: x\\n", "Bearer ", "[redacted:"],
)  # fmt: skip
def test_long_repetition_takes_no_long_time(piece):
    for text in (piece * 20_000, "PRIVATE " + "KEY-----" + piece * 20_000):
        assert REDACTOR.text(text)[0].startswith(text[:3])


# JSON values


def test_strings_and_keys_are_redacted_at_any_depth():
    token = TOKENS[3][1]
    value = {"a": [{token: ["x", f"<{token}>"]}], "n": 1}
    redacted = {"a": [{"[redacted:openai]": ["x", "<[redacted:openai]>"]}], "n": 1}
    assert REDACTOR.value(value) == (redacted, {"openai": 2})


def test_a_clean_value_is_returned_itself():
    value = {"a": [1, None, "b"]}
    assert REDACTOR.value(value)[0] is value


def test_a_key_tells_that_its_value_is_a_secret():
    value = {"AWS_SECRET_ACCESS_KEY": "aB3/" * 10, "big": 2**70, "odd": "\ud800"}
    redacted, counts = REDACTOR.value(value)
    assert redacted == {**value, "AWS_SECRET_ACCESS_KEY": "[redacted:aws-secret]"}
    assert counts == {"aws-secret": 1}


@given(VALUES)
def test_a_value_and_its_json_text_are_redacted_alike(value):
    data, in_body = REDACTOR.body(orjson.dumps(value))
    redacted, in_value = REDACTOR.value(value)
    assert orjson.loads(data) == redacted
    assert in_body == in_value


@given(VALUES)
def test_redacting_a_value_twice_changes_nothing(value):
    once, _ = REDACTOR.value(value)
    assert REDACTOR.value(once) == (once, {})


@given(VALUES)
def test_a_value_is_clean_when_its_text_is_not_suspicious(value):
    assume(not REDACTOR.suspicious(orjson.dumps(value)))
    assert REDACTOR.value(value)[0] is value


# Bodies


@given(st.binary(max_size=50), A_SAMPLE, st.binary(max_size=50))
@example(b"\xff\xfe", SAMPLES[0], b"\x80\xff")
def test_bytes_around_a_secret_stay(before, sample, after):
    name, left, secret, right = sample
    data = before + b"\n" + (left + secret + right).encode() + b"\n" + after
    clear = before + b"\n" + (left + placeholder(name) + right).encode() + b"\n" + after
    assume(not REDACTOR.suspicious(clear))
    assert REDACTOR.body(data) == (clear, {name: 1})


@given(st.binary(max_size=200))
def test_clean_bytes_are_returned_themselves(data):
    assume(not REDACTOR.suspicious(data))
    assert REDACTOR.body(data)[0] is data


@given(TEXTS)
def test_a_body_is_clean_when_it_is_not_suspicious(text):
    data = text.encode("utf-8", "surrogatepass")
    redacted, counts = REDACTOR.body(data)
    assert bool(counts) == (redacted != data)
    assert not counts or REDACTOR.suspicious(data)
    assert REDACTOR.body(redacted) == (redacted, {})


def test_a_key_file_in_json_is_redacted_however_often_it_is_escaped():
    name, before, secret, after = PLACES[0]
    data, clear = before + secret + after, before + placeholder(name) + after
    for _ in range(3):
        data, clear = orjson.dumps(data).decode(), orjson.dumps(clear).decode()
        assert REDACTOR.body(data.encode()) == (clear.encode(), {name: 1})


def test_slashes_may_be_escaped():
    data = rb'{"url": "https:\/\/app:hunter2@example.com\/"}'
    clear = rb'{"url": "https:\/\/app:[redacted:url-password]@example.com\/"}'
    assert REDACTOR.body(data) == (clear, {"url-password": 1})


# Secrets known literally


def test_a_known_secret_is_replaced_wherever_it_stands():
    secret = "no shape at all"
    data = f'{{"echo": "key={secret}."}}'.encode()
    assert REDACTOR.body(data, [secret]) == (
        b'{"echo": "key=[redacted:credential]."}',
        {"credential": 1},
    )


def test_a_known_secret_is_found_as_json_writes_it():
    secret = 'a "quoted" \\ secret'
    data, counts = REDACTOR.body(orjson.dumps({"a": secret}), [secret])
    assert (orjson.loads(data), counts) == ({"a": "[redacted:credential]"}, {"credential": 1})


def test_a_known_secret_with_a_shape_counts_once_as_a_credential():
    token = TOKENS[3][1]
    assert REDACTOR.text(token, [token]) == ("[redacted:credential]", {"credential": 1})


def test_a_short_known_secret_is_no_reason_to_tear_text_apart():
    assert REDACTOR.body(b"a key of 11", ["key of 11"]) == (b"a key of 11", {})


# Shapes of the user's own


def test_a_user_adds_shapes():
    redactor = Redactor.build([{"name": "account", "pattern": r"acct_\d{4}"}])
    assert redactor.text("of acct_1234.") == ("of [redacted:account].", {"account": 1})
    assert redactor.suspicious(b"")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "a", "pattern": "("}, "is not a regular expression"),
        ({"name": "a", "pattern": "x*"}, "matches the empty text"),
        ({"name": "a b]", "pattern": "x"}, "a name is made of"),
        ({"name": "a"}, "wants the two keys"),
    ],
)
def test_a_bad_shape_is_refused_with_its_reason(entry, message):
    with pytest.raises(ValueError, match=message):
        Redactor.build([entry])


def test_a_greedy_pattern_does_not_break_json():
    redactor = Redactor.build([{"name": "rest", "pattern": "pass: .*"}])
    data = b'{"a": "my pass: 1\\" 2", "b": [1.50]}'
    assert redactor.body(data) == (b'{"a":"my [redacted:rest]","b":[1.5]}', {"rest": 1})
    spaced = b'{"a": "my pass: 1\\" 2", "b": [1.5]}'
    assert redactor.body(spaced)[0] == b'{"a": "my [redacted:rest]", "b": [1.5]}'
    frame = Frame(0, b'data: {"a":"my pass: 1","b":2}\n\n')
    clear = Frame(0, b'data: {"a":"my [redacted:rest]","b":2}\n\n')
    assert redactor.stream([frame]) == ((clear,), {"rest": 1})


@given(TEXTS, st.sampled_from(["[a-z]+", ".", "redacted", r"\[.*\]", "see .*", "e$", "^."]))
def test_redacting_twice_with_any_pattern_changes_nothing(text, pattern):
    redactor = Redactor.build([{"name": "mine", "pattern": pattern}])
    once, _ = redactor.text(text)
    assert redactor.text(once) == (once, {})


def test_the_digest_tells_patterns_apart():
    one = Redactor.build([{"name": "a", "pattern": "x"}])
    two = Redactor.build([{"name": "a", "pattern": "y"}])
    assert len({REDACTOR.digest, one.digest, two.digest}) == 3
    assert one.digest == Redactor.build([{"name": "a", "pattern": "x"}]).digest


# Streams


def chat(text: str, index: int = 0) -> bytes:
    choice = {"index": index, "delta": {"content": text}, "finish_reason": None}
    return b'data: {"id":"c","choices":[%b]}\n\n' % orjson.dumps(choice)


def arguments(text: str, index: int) -> bytes:
    call = {"index": index, "function": {"arguments": text}}
    return b'data: {"choices":[{"index":0,"delta":{"tool_calls":[%b]}}]}\n\n' % orjson.dumps(call)


def anthropic(text: str, index: int) -> bytes:
    value = {"type": "content_block_delta", "index": index, "delta": {"type": "d", "text": text}}
    return b"event: content_block_delta\ndata: " + orjson.dumps(value) + b"\n\n"


def responses(text: str, index: int) -> bytes:
    value = {"type": "response.output_text.delta", "output_index": index, "delta": text}
    return b"event: response.output_text.delta\ndata: " + orjson.dumps(value) + b"\n\n"


def gemini(text: str, index: int) -> bytes:
    value = {"candidates": [{"index": index, "content": {"parts": [{"text": text}]}}]}
    return b"data: " + orjson.dumps(value) + b"\r\n\r\n"


DIALECTS = [chat, arguments, anthropic, responses, gemini]


def frames(*data: bytes) -> list[Frame]:
    return [Frame(10 * number, item) for number, item in enumerate(data)]


def pieces(text: str, cuts: list[int]) -> list[str]:
    return [text[a:b] for a, b in pairwise([0, *sorted(cuts), len(text)])]


def said(stream, dialect, index: int = 0) -> str:
    """What the frames of one index say, if `dialect` wrote them."""
    texts = []
    for frame in stream:
        value = orjson.loads(sse.parse(frame.data).data)
        found = [leaf for leaf in leaves(value) if leaf[0] == index]
        texts += [text for _, key, text in found if key in ("content", "arguments", "text", "delta")]
        assert dialect(texts[-1] if found else "", index) or not found
    return "".join(texts)


def leaves(value, index: int = 0):
    if isinstance(value, dict):
        index = value.get("index", value.get("output_index", index))
        for key, item in value.items():
            if isinstance(item, str):
                yield index, key, item
            else:
                yield from leaves(item, index)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, index)
