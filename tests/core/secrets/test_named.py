"""Values count by the name before them and by their form, and words never do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.secrets import named, search
from tests.secret_samples import A1, HEX, UUID

NAMES = (
    "api_key apiKey API_KEY X-Api-Key OPENAI_API_KEY client_secret clientSecret AccountKey "
    "aws_secret_access_key access_token accessToken GITHUB_TOKEN token secret SECRET_KEY_BASE "
    "auth _authToken signing_key webhook_secret process.env.FOO_KEY DB_PASSWORD private_key"
).split()
OTHERS = (
    "max_tokens next_page_token nextPageToken PRIMARY_KEY cache_key prompt_cache_key eos_token "
    "public_key key monkey session_id id request_id sort_key etag commit sha"
).split()
FORMS = ["{}={}", '"{}": "{}"', "{}: {}", "{} = '{}'", r"\"{}\": \"{}\"", "{} => `{}`", "{}:{},"]
VALUES = [HEX[:32], UUID, A1[:24], "aB3_dE5-gH7jK9mN1pQ3", "aB3/dE5+gH7jK9mN1pQ3rS=="]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NAMES)
def test_a_value_is_a_secret_by_its_name(name, form):
    for value in VALUES:
        text = form.format(name, value)
        at = text.index(value)
        found = search.find(text, 0, len(text))
        assert any(span.start <= at and span.end == at + len(value) for span in found), text


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", OTHERS)
def test_other_names_say_nothing_of_their_values(name, form):
    for value in VALUES:
        text = form.format(name, value)
        assert not search.find(text, 0, len(text)) or (name, form[2:3]) == ("session_id", "="), text


WORDS = st.lists(
    st.sampled_from("get user token from header value with the provider name test v2 for".split()),
    min_size=3,
    max_size=8,
)


@given(st.sampled_from(NAMES), st.sampled_from(FORMS), WORDS, st.sampled_from("_-./"))
def test_words_are_no_secrets_whatever_their_name(name, form, words, sign):
    text = form.format(name, sign.join(words))
    assert not search.find(text, 0, len(text))
    text = form.format(name, words[0] + "".join(word.title() for word in words[1:]))
    assert not search.find(text, 0, len(text))


@pytest.mark.parametrize(
    "value",
    ["your-api-key-1234567", "xxxxxxxxxxxxxxxx1a2b", "<your-key-1234567890>", "${API_KEY_1234567}",
     "example-1a2b3c4d5e6f", "changeme-1a2b3c4d5e6f", "{{ secrets.API_KEY_1 }}", "***1a2b3c4d5e***",
     "os.environ['KEY_1']", "make_a_new_token_for_user_2()", "self.tokens2[name].value3"],
)  # fmt: skip
def test_placeholders_and_code_are_left_alone(value):
    for form in FORMS:
        text = form.format("API_KEY", value)
        assert not search.find(text, 0, len(text)), text


@pytest.mark.parametrize("value", ["hunter2", "s3cr3t!", "Tr0ub4dor3", "p@ss-w0rd", "9f8e7d"])
def test_a_password_may_be_short(value):
    for name in ("password", "DB_PASSWORD", "Pwd", "passwd", "userPassword"):
        for form in ("{}={};", '"{}": "{}"', "{}: '{}'"):
            text = form.format(name, value)
            assert [text[s:e] for s, e, _ in search.find(text, 0, len(text))] == [value], text


def test_an_announcement_ends_in_a_name():
    assert named.announced('{"api_key": "')
    assert not named.announced('{"model": "')
