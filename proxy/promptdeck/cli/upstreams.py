"""`promptdeck upstreams`: where a model may be asked, with whose key, and whether it answers."""

import asyncio
import logging
import os
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

import click

from promptdeck.config import Config
from promptdeck.core.dialects.base import values_of
from promptdeck.core.dialects.interpreted import remembering
from promptdeck.core.dialects.translate.broken import broken_of
from promptdeck.core.interaction import Headers, Request, is_good
from promptdeck.core.routing.belonging import masked
from promptdeck.core.routing.upstreams import NamedUpstream
from promptdeck.engine.incoming import Incoming
from promptdeck.errors import UpstreamError
from promptdeck.routes import problems_of, upstreams_of
from promptdeck.ways import Ways

from . import options
from .loop import run
from .output import counted, print_rows

_ENDPOINTS = {"gemini": "/v1beta/models"}
_VERSION: dict[str, Headers] = {"messages": (("anthropic-version", "2023-06-01"),)}
_MOST = 16 * 1024 * 1024
"""Bytes of a list of models: OpenRouter's, of 400, has one."""


@click.command("upstreams")
@options.settings("upstream.url")
@click.option("--check", is_flag=True, help="Ask each that has a key, or is set, for its models.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="Seconds that each may take, with --check.",
)
@options.as_json
def command(*, check: bool, timeout: float, as_json: bool, **flags: Any) -> None:
    """List the upstreams that a model may be asked of, as NAME/MODEL.

    Says of each its dialects, base URL, where its key comes from, and what is wrong with
    how it is set. With --check each that is set, or has a key, is asked for its models,
    which costs nothing. Exits with 1 if anything is wrong.

    \b
    Examples:
      promptdeck upstreams
      promptdeck upstreams --check
      promptdeck upstreams --check --timeout 3 --json
    """
    config = options.loaded(flags).config
    problems = problems_of(config, os.environ)
    upstreams = upstreams_of(config, os.environ)
    # What is wrong is told in a row.
    logging.getLogger("promptdeck").addHandler(logging.NullHandler())
    asked = run(_asked(config, upstreams.values(), timeout)) if check else {}
    rows = [_default_row(config), *map(_row, upstreams.values())]
    for row in rows:
        answer = asked.get(row["name"], _ModelList())
        if check:
            row["models"] = answer.models
        row["problem"] = problems.pop(row["name"], "") or answer.problem
    wrong = bool(problems) or any(row["problem"] for row in rows)
    # A row for people has a word where there is no key.
    shown = rows if as_json else [{**row, "key": row["key"] or "none"} for row in rows]
    print_rows(shown, as_json=as_json)
    for problem in problems.values():
        click.echo(problem, err=True)
    if check and not as_json:
        failed = sum(bool(one.problem) for one in asked.values())
        click.echo(f"{counted(len(asked), 'upstream')} asked, {failed} failed", err=True)
    sys.exit(int(wrong))


class _ModelList(NamedTuple):
    """An upstream's models as it named them, or why it did not."""

    models: int | None = None
    problem: str = ""


def _row(one: NamedUpstream) -> dict[str, Any]:
    return {
        "name": one.name,
        "dialect": list(one.dialects),
        "base_url": one.url,
        "key": one.key_from,
    }


def _default_row(config: Config) -> dict[str, Any]:
    """The row of the upstream that is asked for models without a name before them."""
    own = config.upstream
    key = "upstream.api_key" if own.api_key else ""
    return {"name": "(default)", "dialect": [], "base_url": own.url, "key": key}


async def _asked(
    config: Config, upstreams: Iterable[NamedUpstream], timeout: float
) -> dict[str, _ModelList]:
    """Ask those that are set, or have a key, for their models, all at once; by name."""
    able = [one for one in upstreams if one.url and (one.key or one.declared)]
    ways = Ways(config, os.environ, "", remembering())
    answers: dict[str, _ModelList] = {}
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=len(able), label="asking", file=sys.stderr, hidden=hidden) as bar:

        async def ask(one: NamedUpstream) -> None:
            answers[one.name] = await _models_of(ways, one, timeout)
            bar.update(1)

        try:
            async with asyncio.TaskGroup() as tasks:
                for one in able:
                    tasks.create_task(ask(one))
        finally:
            await ways.close()
    return answers


class _Kept:
    """Keeps an answer, as a `Sink`."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Headers = ()
        self.data = b""

    def headed(self, status: int, headers: Headers, data: bytes) -> None:
        self.status, self.headers = status, headers
        self.came(data)

    def came(self, data: bytes) -> None:
        if len(self.data) < _MOST:
            self.data += data


async def _models_of(ways: Ways, one: NamedUpstream, timeout: float) -> _ModelList:
    """Ask one upstream for its models, `timeout` seconds at most."""
    target = _ENDPOINTS.get(one.dialects[0], "/v1/models")
    incoming = Incoming(Request("GET", target, "", b""), _VERSION.get(one.dialects[0], ()))
    body = _Kept()
    try:
        async with asyncio.timeout(timeout):
            await ways.way(one.name).fly(incoming, body)
    except TimeoutError:
        return _ModelList(problem=f"it did not answer within {timeout:g} s")
    except (UpstreamError, ValueError) as error:
        return _ModelList(problem=str(error))
    if not is_good(body.status):
        said = masked(body.data, one.key)
        told = broken_of(body.status, body.headers, said).message
        mend = f"; set {one.mend}" if not one.key else ""
        return _ModelList(problem=f"status {body.status}: {told}{mend}")
    return _ModelList(_count(body.data))


def _count(data: bytes) -> int:
    """How many models a list has: under `data`, Google's under `models`, or bare."""
    value = next(iter(values_of(data)), None)
    if isinstance(value, dict):
        value = value.get("data", value.get("models"))
    return len(value) if isinstance(value, list) else 0
