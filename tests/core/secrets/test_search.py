"""All shapes of secrets are searched for at once, and nothing is lost by it."""

import base64
import time
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptdeck.core.secrets import search
from promptdeck.core.secrets.redact import Redactor
from promptdeck.core.secrets.shapes import TOKENS as KINDS
from tests.secret_samples import A_SAMPLE, TEXTS, TOKENS, placeholder, redacted

PIECES = st.one_of(
    st.sampled_from(sorted({part for kind in KINDS for part in (kind.head, kind.head[1:])})),
    st.integers(0, len(TOKENS) - 1).map(lambda number: TOKENS[number][1]),
    A_SAMPLE.map(lambda sample: "".join(sample[1:])),
    st.sampled_from(r"\ \n \r \b \f \u00ac \u000a %ac %3D [0m ;1m r d x c 7 - _ . t e".split()),
    st.just(" "),
)


@given(st.lists(PIECES, max_size=6).map("".join))
def test_no_secret_is_found_where_there_is_no_head(text):
    assert search.may_hit(text) or not search.find(text, 0, len(text))


@given(A_SAMPLE, PIECES, st.data())
def test_no_secret_reaches_over_a_quote_unless_it_is_announced(sample, piece, data):
    _, before, secret, after = sample
    whole = before + secret + after
    at = data.draw(st.just(len(before)) | st.integers(0, len(whole)))
    left, right = piece + whole[:at], whole[at:] + piece
    text = f'{left}"{right}'
    middle = len(left) + 1
    found = search.find(text, 0, len(text))
    apart = search.find(text[:middle], 0, middle)
    apart += [
        span._replace(start=span.start + middle - 1, end=span.end + middle - 1)
        for span in search.find(text[middle - 1 :], 0, len(right) + 1)
    ]
    assert search.announced(text[:middle]) or set(found) == set(apart)


FILLING = st.sampled_from(["", "lorem ipsum dolor ", "a_name_of_several_words ", *"w@B~%-/"])


@given(st.lists(st.tuples(FILLING, st.integers(0, 1200)), max_size=6), PIECES, st.data())
def test_a_long_text_hides_no_secret(filling, piece, data):
    parts = [part * (times // max(1, len(part))) for part, times in filling]
    parts.insert(data.draw(st.integers(0, len(parts))), f" {piece} ")
    text = "".join(parts)
    assert search.hit(text) == bool(search.find(text, 0, len(text)))
    if search.hit(f" {piece} "):
        assert search.hit(text)


@pytest.mark.parametrize(
    "before",
    [
        r"\n",
        r"\t",
        r"\r",
        r"\"",
        r"\\n",
        r"\u0022",
        "%3D",
        "\x1b[32m",
        r"\u001b[0m",
        *"\n\t '`=(,/<[é_-",
    ],
)
def test_a_token_may_follow_an_escape_or_any_sign(before):
    for name, token in TOKENS:
        if name not in HEADLESS or before not in HEADLESS_NOT_BEHIND:
            assert redacted(before + token) == before + placeholder(name)


HEADLESS = {"zhipu", "mailchimp", "maxmind", "azure", "terraform"}
"""Kinds that begin with anything: what is part of a word before them is part of them."""
HEADLESS_NOT_BEHIND = {"/", "_", "-", "%3D", "\x1b[32m", r"\u001b[0m"}


@pytest.mark.parametrize("letter", ["x", "Z", "7"])
def test_a_token_does_not_begin_within_a_word(letter):
    for name, token in TOKENS:
        if name not in HEADLESS:
            assert redacted(letter + token) == letter + token


PIECES_THAT_REPEAT = [
    "sk-", "sk-a1", "dsk-", "glpat-", "-eyJ", "-eyJaaaaaaaa.", "://", "://a:", "API_KEY=", "\\",
    "PRIVATE " + "KEY-----Ab-c: ", "PRIVATE " + "KEY-----", "Abc: x\\n", "Bearer ", "[redacted:",
    "x://a:b@h ", "@", "a@", "password: ", "pwd=a1", "%41", "%25", "%2541", "~", "a.b", "SG.",
    "PuTTY-User-Key-File-3: x\n", "api_key: a1b2c3d4e5f6g7h8 ", "A1b2C3d4E5f6G7h8.", "a1/", "key=",
    "IncomingWebhook/", "hvs.aB1", "-us1", "QUJD", "0/1:", "\\/hooks.slack.com\\/",
]  # fmt: skip


@pytest.mark.parametrize("piece", PIECES_THAT_REPEAT)
def test_long_repetition_takes_no_long_time(piece):
    for text in (piece * 5_000, "PRIVATE " + "KEY-----" + piece * 5_000):
        assert search.hit(text) == bool(search.find(text, 0, len(text)))


@given(TEXTS)
def test_a_hit_is_a_find(text):
    assert search.hit(text) == bool(search.find(text, 0, len(text)))


def test_tokens_come_before_the_places_they_stand_in():
    text = "Bearer " + TOKENS[3][1]
    assert [span.name for span in search.find(text, 0, len(text))] == ["openai", "bearer"]


@given(A_SAMPLE, st.integers(1, 2), st.booleans())
def test_percent_encoding_hides_no_secret(sample, times, every):
    _, before, secret, after = sample
    text = before + secret + after
    for _ in range(times):
        data = text.encode()
        text = "".join(f"%{byte:02X}" for byte in data) if every else quote(text, safe="")
    for whole in (f"see {text} there", f"/v1/embeddings?x={text}"):
        plain = unquote(unquote(Redactor().text(whole)[0]))
        assert secret not in plain
    assert secret not in unquote(unquote(Redactor().query(f"/v1/embeddings?x={text}")))


@given(A_SAMPLE, st.integers(1, 2))
def test_base64_of_a_whole_field_hides_no_secret(sample, times):
    _, before, secret, after = sample
    text = f"see {before}{secret}{after} there"
    for _ in range(times):
        text = base64.b64encode(text.encode()).decode()
    assert text[:24] not in Redactor().text(f'{{"data": "{text}"}}')[0]


class Looked(str):
    """A text that counts the characters among which something is looked for."""

    __slots__ = ("among",)
    among: int

    def find(self, part, begin=0, end=None):
        self.among += (len(self) if end is None else end) - begin
        return super().find(part, begin, end)

    def rfind(self, part, begin=0, end=None):
        self.among += (len(self) if end is None else end) - begin
        return super().rfind(part, begin, end)

    def __contains__(self, part):
        self.among += len(self)
        return super().__contains__(part)


@pytest.mark.parametrize("parts", [100, 1000])
def test_a_part_of_a_text_is_searched_in_the_time_of_that_part(parts):
    text = Looked("x://a:b@h " * parts)
    text.among = 0
    for begin in range(0, len(text), 10):
        search.find(text, begin, begin + 10)
    assert text.among <= len(text) * 20


@pytest.mark.parametrize("piece", [*PIECES_THAT_REPEAT, *(token for _, token in TOKENS[::40])])
def test_redaction_is_linear(piece, cpu_ratio):
    """A text four times as long takes about four times as long, and not sixteen times."""
    few, many = (piece + " ") * 1000, (piece + " ") * 4000
    assert cpu_ratio(lambda: Redactor().text(few), lambda: Redactor().text(many)) < 10


@pytest.fixture(name="cpu_ratio")
def _cpu_ratio():
    """How many times the CPU of one call another takes, the least of some tries of each."""

    def least(call):
        took = []
        for _ in range(3):
            begin = time.process_time()
            call()
            took.append(time.process_time() - begin)
        return min(took)

    return lambda one, other: least(other) / max(least(one), 1e-3)
