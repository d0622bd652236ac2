"""Secrets go, everything else stays: in text, JSON, bytes and streams cut anywhere."""

import orjson
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from promptdeck.core.secrets.redact import Redactor, own_keys, without_keys
from tests.secret_samples import (
    A_SAMPLE,
    CONTROLS,
    PLACES,
    SAMPLES,
    TEXTS,
    TOKENS,
    VALUES,
    placeholder,
)

REDACTOR = Redactor.build()
A_PATTERN = st.sampled_from(["[a-z]+", ".", "redacted", r"\[.*\]", "see .*", "e$", "^.", "key"])

# Text


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
def test_nothing_is_found_where_suspicion_is_ruled_out(text):
    assume(not REDACTOR.suspicious(text.encode("utf-8", "surrogatepass")))
    assert REDACTOR.text(text) == (text, {})


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
    assert redacted == {**value, "AWS_SECRET_ACCESS_KEY": "[redacted:assigned]"}
    assert counts == {"assigned": 1}


@given(VALUES)
def test_a_value_and_its_json_text_are_redacted_alike(value):
    data, in_body = REDACTOR.body(orjson.dumps(value))
    redacted, in_value = REDACTOR.value(value)
    assert orjson.loads(data) == redacted
    assert in_body == in_value


@pytest.mark.parametrize("control", CONTROLS)
def test_the_letter_of_an_escape_is_not_taken_for_that_of_a_token(control):
    for _, token in TOKENS:
        text = control + token[1:]
        assert REDACTOR.value([text]) == ([REDACTOR.text(text)[0]], REDACTOR.text(text)[1])


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


@pytest.mark.parametrize(("name", "token"), TOKENS)
def test_who_asks_with_the_key_that_the_prompt_says_asks_what_others_do(name, token):
    body = orjson.dumps({"says": f"my key: {token}"})
    own = without_keys(body, own_keys([token]))
    assert REDACTOR.body(own)[0] == REDACTOR.body(body)[0]
    glued = orjson.dumps({"says": f"my key: {token}", "glued": f"x{token}x"})
    assert token.encode() not in REDACTOR.body(without_keys(glued, own_keys([token])))[0]


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


@given(TEXTS, A_PATTERN)
def test_redacting_twice_with_any_pattern_changes_nothing(text, pattern):
    redactor = Redactor.build([{"name": "mine", "pattern": pattern}])
    once, _ = redactor.text(text)
    assert redactor.text(once) == (once, {})


def test_the_digest_tells_patterns_apart():
    one = Redactor.build([{"name": "a", "pattern": "x"}])
    two = Redactor.build([{"name": "a", "pattern": "y"}])
    assert len({REDACTOR.digest, one.digest, two.digest}) == 3
    assert one.digest == Redactor.build([{"name": "a", "pattern": "x"}]).digest


# Request targets


@pytest.mark.parametrize(
    "name",
    "key api_key api-key apikey API_KEY x-api-key x-goog-api-key access_token token sig signature "
    "client_secret password X-Amz-Signature X-Amz-Credential X-Amz-Security-Token "
    "X-Goog-Signature AWSAccessKeyId subscription-key Ocp-Apim-Subscription-Key GOOGLE_API_KEY "
    "gemini.api-key $key k%65y %24key oauth_token".split(),
)
def test_the_value_of_a_secret_parameter_is_replaced(name):
    target = f"/v1/models?a=%20b&{name}=s%2Fecret=&{name}=&c#{name}"
    assert REDACTOR.query(target) == f"/v1/models?a=%20b&{name}=redacted&{name}=&c#{name}"


@pytest.mark.parametrize(
    "target",
    [
        "/v1/keys/key=1",
        "/?monkey=1&keys=2&tokens=3&max_tokens=4&page_token_size=5",
        "/?pageToken=1&page_token=2&sort_key=3&public-key=4",
        "/a%3Fkey=1",
    ],
)
def test_other_parameters_stay(target):
    assert REDACTOR.query(target) == target


def test_a_parameter_behind_a_semicolon_is_one_too():
    assert REDACTOR.query("/v1/x?a=1;key=s;cret&b=2;c=3") == "/v1/x?a=1;key=redacted&b=2;c=3"


def test_a_token_anywhere_in_a_target_is_replaced():
    token = TOKENS[3][1]
    assert REDACTOR.query(f"/v1/{token}/x?q=%22{token}%22") == "/v1/(redacted)/x?q=%22(redacted)%22"


@given(TEXTS, TEXTS, A_PATTERN)
def test_a_target_redacted_twice_is_the_same(path, value, pattern):
    redactor = Redactor.build([{"name": "mine", "pattern": pattern}])
    once = redactor.query(f"/{path}?key={value}&q={value}")
    assert redactor.query(once) == once


@given(secret=st.sampled_from([secret for _, secret in TOKENS]), data=st.data())
def test_an_escaped_letter_hides_no_secret_in_a_body(secret, data):
    at = data.draw(st.integers(0, len(secret) - 1))
    escaped = f"{secret[:at]}\\u{ord(secret[at]):04x}{secret[at + 1 :]}"
    redacted, counts = REDACTOR.body(f'{{"a": "see {escaped} there"}}'.encode())
    assert secret not in orjson.loads(redacted)["a"]
    assert counts.total() == 1
    assert REDACTOR.body(redacted) == (redacted, {})


def test_a_body_with_escapes_and_no_secret_in_them_stays_as_it_is():
    body = b'{"a":"\\u003cb\\u003e", "key": "%b"}' % dict(TOKENS)["github"].encode()
    redacted, _ = REDACTOR.body(body)
    assert redacted == b'{"a":"\\u003cb\\u003e", "key": "[redacted:github]"}'


# Large bodies, which are searched as bytes

MIB = 1024 * 1024
FILLER = ("Kein Geheimnis, nur Wörter und 漢字 😀. " * (MIB // 40)).encode()


@pytest.mark.parametrize(
    "around", [b"%b", b'{"a":"%b"}', b'{"text":"\\n%b\\"","b":1}', b"\xff\xfe%b\xff"]
)
def test_of_a_large_body_is_taken_out_what_is_of_a_small_one(around):
    secrets = ["".join(sample[1:]) for sample in SAMPLES]
    secrets.append("key: a-key-of-ours-\xe9\xe8")
    texts = [around.replace(b"%b", f" {secret} ".encode()) for secret in secrets]
    extra = ("a-key-of-ours-\xe9\xe8",)
    cleared = [REDACTOR.body(text, extra) for text in texts]
    large, counts = REDACTOR.body(FILLER + b"\n".join(texts) + FILLER, extra)
    assert large == FILLER + b"\n".join(text for text, _ in cleared) + FILLER
    assert sum(counts.values()) == sum(sum(each.values()) for _, each in cleared)


def test_what_stands_at_the_edge_of_a_word_once_a_secret_is_gone_is_taken_out_of_a_large_body():
    token = dict(TOKENS)["openai"]
    data = FILLER + f"{token}{token}".encode() + FILLER
    assert token.encode() not in REDACTOR.body(data)[0]


@pytest.mark.parametrize("escape", ["\\u00{:02x}", "\\u00{:02X}"])
def test_an_escaped_letter_hides_no_secret_in_a_large_body(escape):
    token = dict(TOKENS)["openai"]
    hidden = token[:3] + escape.format(ord(token[3])) + token[4:]
    data = b'{"a":"\\u003cb\\u003e %b","b":"%b"}' % (b"word \\u0026 " * (MIB // 8), hidden.encode())
    cleared, counts = REDACTOR.body(data)
    assert counts == {"openai": 1}
    assert orjson.loads(cleared)["b"] == placeholder("openai")


def test_a_large_body_of_escapes_that_hide_nothing_stays_as_it_is():
    data = b'{"a":"%b"}' % (b"\\u003cb\\u003e and\\/or " * (MIB // 8))
    cleared, counts = REDACTOR.body(data)
    assert cleared is data
    assert not counts
