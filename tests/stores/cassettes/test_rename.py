"""A model renamed wherever it is named so, and nowhere else."""

import orjson

from promptdeck.core.dialects.chat.dialect import CHAT
from promptdeck.core.interaction import Frame, Request, Response
from promptdeck.core.matching.fingerprint import fingerprint
from promptdeck.stores.cassettes.file import read
from promptdeck.stores.cassettes.rename import rename_model
from promptdeck.stores.cassettes.verify import verify
from tests.recordings import (
    REDACTOR,
    base_of,
    chat_request,
    interaction,
    of,
    whole,
)
from tests.stores.cassettes import saved


def test_a_model_is_renamed_wherever_it_is_named_so(path):
    dated = orjson.dumps({"model": "m-2024", "choices": []})
    saved(
        path,
        interaction("whole"),
        interaction("stream", stream=True),
        of(
            Request("POST", "/v1/chat/completions", "application/json", b'{"model":["m"]}'),
            whole("x"),
        ),
        of(chat_request("dated"), Response(200, (), (Frame(1, dated),))),
        of(chat_request("other", model="mm"), Response(200, (), (Frame(1, b"model m"),))),
    )
    before = {one.request.body: one for one in read(path)}
    done = rename_model(path, "m", "n", REDACTOR)
    assert len(done.changed) == 4
    for one in read(path):
        old = before[one.request.body.replace(b'"n"', b'"m"')]
        assert one.response.body == old.response.body.replace(b'"model":"m"', b'"model":"n"')
        assert one.key == fingerprint(base_of(one.request))
        assert one.key[3:11] in one.id
    assert dated in [one.response.body for one in read(path)]
    assert verify(path, REDACTOR) == []
    assert rename_model(path, "m", "n", REDACTOR).changed == []


def test_requests_that_become_one_are_numbered_after_what_is_there(path):
    saved(path, interaction("q", "1", model="n"), interaction("q", "2"), interaction("q", "3"))
    rename_model(path, "m", "n", REDACTOR)
    stem = interaction("q", model="n").id.removesuffix("1")
    assert [(one.id, CHAT.says(one.response)) for one in read(path)] == [
        (f"{stem}{n}", str(n)) for n in (1, 2, 3)
    ]


def test_renaming_a_model_leaves_a_provider_s_own_layout(path):
    body = b'{\n  "id": "c",\n  "model": "m",\n  "choices": []\n}\n'
    response = Response(200, (("content-type", "application/json"),), (Frame(3, body),))
    saved(path, of(chat_request("a"), response))
    rename_model(path, "m", r"o\1/m\n", REDACTOR)
    [one] = read(path)
    assert one.response.body == body.replace(b'"m"', orjson.dumps(r"o\1/m\n"))
