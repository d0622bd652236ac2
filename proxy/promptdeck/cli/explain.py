"""`promptdeck explain`: what a request is matched by, and what is nearest to it."""

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from promptdeck.config import Config
from promptdeck.core.dialects.base import value_of
from promptdeck.core.interaction import CHAT_COMPLETIONS, Request
from promptdeck.core.matching.fingerprint import fingerprint
from promptdeck.core.matching.normalize import Normalized, normalize
from promptdeck.core.matching.rules import Rules
from promptdeck.core.misses.explain import Explanation, Reason, explain
from promptdeck.core.text.jsontext import compact
from promptdeck.errors import ForeignFile, UsageError
from promptdeck.library import canon_of, redactor_of, rules_of, runs_tools
from promptdeck.stores.cassettes.file import names, path_of, read
from promptdeck.stores.cassettes.section import own_rules_of
from promptdeck.stores.cassettes.store import Canon
from promptdeck.stores.sqlite.admin import cached

from . import options
from .output import print_json


@click.command("explain")
@click.argument("request_file", metavar="REQUEST.json", type=click.Path(allow_dash=True))
@click.option(
    "--path",
    "target",
    default=CHAT_COMPLETIONS,
    metavar="PATH",
    show_default=True,
    help="Path that is asked.",
)
@options.settings("cassette.name", "cassette.dir", "store.path")
@options.as_json
def command(*, request_file: str, target: str, as_json: bool, **flags: Any) -> None:
    """Say how a request is matched, and why it would miss.

    REQUEST.json holds the request's body; - reads it from standard input. Without
    --cassette all cassettes and the local cache are searched. Exits with 1 if it
    would miss.

    \b
    Examples:
      promptdeck explain request.json
      promptdeck explain request.json --cassette checkout
      echo '{"model": "gpt-5", "messages": []}' | promptdeck explain - --json
    """
    config = options.loaded(flags).config
    try:
        with click.open_file(request_file, "rb") as file:
            body = file.read()
    except OSError as error:
        raise UsageError(f"cannot read {request_file}: {error.strerror}") from None
    asked = Request("POST", target, "application/json", body)
    step = _first_step(config, asked)
    if step and not as_json:
        click.echo("run        tools are run for this request; its first one to the model is:")
    finding = _find(config, step or asked)
    if as_json:
        print_json(finding.as_dict())
    else:
        finding.echo()
    sys.exit(int(finding.miss is not None))


def _first_step(config: Config, request: Request) -> Request | None:
    """The first request to the model of a run; None for a request that is answered by none."""
    if not (runs_tools(config) and b'"mcp_servers"' in request.body):
        return None
    from promptdeck.core.agent.asked import wish_of
    from promptdeck.core.agent.steps import first_question, listed_in

    body = value_of(request.body)
    wish = wish_of(body, config.agent.max_turns) if isinstance(body, dict) else None
    if wish is None:
        return None
    folder = config.cassette.dir
    chosen = [config.cassette.name] if config.cassette.name else names(folder)
    paths = [path for name in chosen if (path := path_of(folder, name)).exists()]
    listed = dict(filter(None, (listed_in(one) for path in paths for one in read(path))))
    return request._replace(body=compact(first_question(body, wish, listed)))


@dataclass(frozen=True, slots=True)
class _Lookup:
    """How a request is matched, and what it matches."""

    form: Normalized
    key: str
    hits: list[str]
    """Names of recordings with its canonical form, each after its cassette's."""
    miss: Explanation | None

    def as_dict(self) -> dict[str, Any]:
        """The lookup as --json prints it."""
        return {
            "key": self.key,
            "canonical": self.form.canonical.decode("utf-8", "replace"),
            "variant": str(self.form.variant),
            "dropped": [dropped._asdict() for dropped in self.form.dropped],
            "hits": self.hits,
            "miss": self.miss.details() if self.miss else None,
        }

    def echo(self) -> None:
        """Print the lookup for people, a label at the start of each line."""
        click.echo(f"key        {self.key}")
        click.echo(f"variant    {self.form.variant}")
        click.echo(f"canonical  {self.form.canonical.decode('utf-8', 'replace')}")
        for dropped in self.form.dropped:
            click.echo(f"dropped    {dropped.path}: {dropped.why}")
        for hit in self.hits:
            click.echo(f"hit        {hit}")
        if self.miss:
            click.echo(f"miss       {self.miss.text()}")


def _find(config: Config, request: Request) -> _Lookup:
    """Look a request up in the cassette named, or else in all and in the cache."""
    rules, canon = rules_of(config), canon_of(config)
    if config.cassette.name and (own := _own_rules(config, config.cassette.name)):
        rules = rules.joined(own)
    form = normalize(request, rules, redactor_of(config), explain=True)
    asked: dict[str, bytes] = {}
    searched: defaultdict[bytes, list[tuple[str, bytes]]] = defaultdict(list)
    hits = []
    for name, law, canonical in _recorded(config):
        digest = law.rules.digest if law else canon.rules.digest
        if digest not in asked:
            asked[digest] = (law or canon).canonical(request)
        searched[asked[digest]].append((name, canonical))
        if canonical == asked[digest]:
            hits.append(name)
    reason = Reason.NOT_RECORDED
    cassette = config.cassette.name or ""
    if cassette and not path_of(config.cassette.dir, cassette).exists():
        reason = Reason.CASSETTE_MISSING
    miss = None
    if not hits:
        hits = _elsewhere(form, searched)
    if not hits:
        recorded = searched.pop(form.canonical, [])
        others = searched.items()
        body = value_of(request.body)
        miss = explain(
            form.canonical,
            recorded,
            reason,
            others=others,
            written=lambda path: form.dialect.path_written(path, body),
            cassette=cassette,
        )
    return _Lookup(form, fingerprint(form.canonical, rules.digest), hits, miss)


def _elsewhere(form: Normalized, searched: Mapping[bytes, list[tuple[str, bytes]]]) -> list[str]:
    """The recordings in cassettes by which replay answers who asks the same in another protocol."""
    from promptdeck.engine.elsewhere import asking_the_same

    pairs = (one for found in searched.values() for one in found)
    # Replay alone looks there, and not into the cache.
    known = {canonical: name for name, canonical in pairs if not name.startswith(_CACHE)}
    same = () if form.stateful else asking_the_same(form.canonical, known)
    return [f"{known[one]}, which asks the same in another protocol" for one in same]


_CACHE = "cache: "


def _own_rules(config: Config, name: str) -> Rules | None:
    """The rules of a cassette itself, if it is there and has any."""
    path = path_of(config.cassette.dir, name)
    return own_rules_of(path) if path.exists() else None


def _recorded(config: Config) -> Iterator[tuple[str, Canon | None, bytes]]:
    """The name, the law and the form by it of every recording that is searched. CassetteError.

    The law is that of its cassette; None is for the cache.
    """
    canon = canon_of(config)
    named = config.cassette.name
    for name in [named] if named else names(config.cassette.dir):
        path = path_of(config.cassette.dir, name)
        try:
            found = read(path) if path.exists() else []
        except ForeignFile:
            if named:
                raise
            continue  # the others are searched, as they are played
        law = canon.under(own_rules_of(path) if path.exists() else None)
        for item in found:
            yield f"{name}: {item.id}", law, law.canonical(item.request)
    if not named:
        yield from (
            (f"{_CACHE}{name}", None, form) for name, form in cached(Path(config.store.path))
        )
