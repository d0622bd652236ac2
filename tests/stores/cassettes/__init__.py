"""What the tests of cassettes have in common."""

import re

from promptdeck.stores.cassettes.dump import HEADER, dump
from promptdeck.stores.cassettes.fix import fix
from promptdeck.stores.cassettes.save import save
from tests.recordings import REDACTOR, new, stored


def found(store, recording, rules=None):
    return [row.interaction for row in store.find(stored(recording, rules)[0])]


def saved(path, *interactions):
    return save(path, [new(one) for one in interactions]).interactions


def said(store, recording, rules=None):
    bodies = (one.response.body for one in found(store, recording, rules))
    return [body.split(b'"content":"')[1].split(b'"')[0].decode() for body in bodies]


def written(path, *interactions):
    """A file by hand: ids may clash, and nothing is sorted."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(HEADER + "".join("\n" + dump(one) for one in interactions))
    return path.read_text()


def edited(path, old, new):
    """Other text in a file, as by hand."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def meant(path, old, new):
    """Other text in a file, as by hand, that was accepted."""
    edited(path, old, new)
    assert fix(path, REDACTOR).problems == []


def without_digests(path):
    """The file as versions before the digests wrote it."""
    path.write_text(re.sub(r"(?m)^  digest: .*\n", "", path.read_text()))
