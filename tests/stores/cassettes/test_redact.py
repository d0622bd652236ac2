"""Secrets out of recordings: all of them, counted, at once."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptdeck.core.secrets.redact import Redactor
from promptdeck.errors import CassetteError
from promptdeck.stores.cassettes.dump import dump
from promptdeck.stores.cassettes.file import read
from promptdeck.stores.cassettes.prune import dedupe_anywhere, prune
from promptdeck.stores.cassettes.redact import redact
from promptdeck.stores.cassettes.rename import rename_model
from promptdeck.stores.cassettes.verify import verify
from tests.recordings import (
    INTERACTIONS,
    REDACTOR,
    chat_request,
    interaction,
    of,
    whole,
)
from tests.stores.cassettes import edited, saved, without_digests, written

KEY = "sk-proj-" + "Ab1" * 16


@settings(deadline=None, max_examples=30)
@given(st.lists(INTERACTIONS, max_size=4), st.sampled_from(["e", "content", "promptdeck"]))
def test_redaction_finds_nothing_the_second_time(tmp_path_factory, interactions, word):
    path = tmp_path_factory.mktemp("redact") / "x.yaml"
    redactor = Redactor.build([{"name": "word", "pattern": f"{word}{word}|{KEY}"}])
    written(path, *interactions)
    redact(path, redactor)
    assert redact(path, redactor).secrets == Counter()
    assert not [one for one in verify(path, redactor) if "secret" in one.text]


def test_secrets_are_counted_and_keys_made_again(path):
    request = chat_request(f"my key is {KEY}")._replace(target="/v1/chat/completions?key=s3cret")
    holder = of(request, whole(f"{KEY}", (("x-debug", KEY),)))._replace(key="p1:old")
    text = written(path, interaction("clean"), holder)
    done = redact(path, REDACTOR, dry=True)
    assert path.read_text() == text
    assert done == redact(path, REDACTOR)
    assert done.secrets == {"openai": 3, "query": 1}
    assert [old for old, _ in done.changed] == [holder.id]
    assert verify(path, REDACTOR) == []
    assert KEY not in path.read_text()
    assert {one.redacted for one in read(path)} == {0, 4}
    assert dump(interaction("clean")) in path.read_text()


def test_an_edited_text_is_not_lost_in_another_edit(path):
    written(path, interaction("one", "Hello there", stream=True), interaction("two"))
    without_digests(path)
    edited(path, "says: Hello there", "says: Hello where")
    text = path.read_text()
    with pytest.raises(CassetteError, match="run promptdeck cassette fix first"):
        rename_model(path, "m", "n", REDACTOR)
    assert redact(path, REDACTOR).problems[0].startswith(f"{path}:5: `says`")
    assert path.read_text() == text
    assert dedupe_anywhere(path) == []
    prune(path, {interaction("two").id})
    assert "says: Hello where" in path.read_text()


def test_a_secret_in_the_upstream_s_url_goes_too(path):
    one = interaction()._replace(upstream="https://api.example.com/v1?api_key=abcdefghijklmnop")
    saved(path, one)
    done = redact(path, REDACTOR)
    assert done.secrets == Counter(upstream=1)
    assert "abcdefghijklmnop" not in path.read_text()
    assert verify(path, REDACTOR) == []
