"""`promptdeck mcp`: the MCP servers of the configuration, and a stand-in for any."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from promptdeck.config import Config
from promptdeck.config.settings import ToolServerSection
from promptdeck.errors import UsageError

from . import options
from .loop import run
from .output import counted, print_rows
from .shim import shim


@click.group("mcp")
def command() -> None:
    """Look at MCP servers, or stand in for one.

    \b
    Examples:
      promptdeck mcp list
      promptdeck mcp check
      promptdeck mcp run --mode record --cassette agent -- uvx mcp-server-time
    """


command.add_command(shim)


@command.command("list")
@options.settings("cassette.dir")
@options.as_json
def list_servers(*, as_json: bool, **flags: Any) -> None:
    """Show the servers of the configuration.

    Requests that have tools run know them by these names, and so does /mcp/NAME.

    \b
    Examples:
      promptdeck mcp list
      promptdeck mcp list --json
    """
    config = options.loaded(flags).config
    rows = [
        {"server": name, "at": entry.url or shlex.join(entry.command), "mount": f"/mcp/{name}"}
        for name, entry in config.agent.servers.items()
    ]
    if not rows and not as_json:
        click.echo("agent.servers has no servers: add {NAME: {url: https://...}} to it", err=True)
    print_rows(rows, as_json=as_json)


@command.command("check")
@options.settings("cassette.dir")
@click.argument("chosen", nargs=-1, metavar="[NAME ...]")
@options.as_json
def check(*, chosen: Sequence[str], as_json: bool, **flags: Any) -> None:
    """Ask servers what they offer, and say what is wrong.

    Those of agent.servers, all or the ones named. A command is started, and ended again.
    Exits with 1 if any of them cannot be used.

    \b
    Examples:
      promptdeck mcp check
      promptdeck mcp check acme/clock --json
    """
    config = options.loaded(flags).config
    entries = _chosen(config, chosen)
    rows = run(_checked(entries, config.agent.tool_timeout))
    print_rows(rows, as_json=as_json)
    sys.exit(int(any(row["wrong"] for row in rows)))


def _chosen(config: Config, chosen: Sequence[str]) -> Mapping[str, ToolServerSection]:
    """The servers of these names, or all. UsageError for a name that none has."""
    servers = config.agent.servers
    for name in chosen:
        if name not in servers:
            known = ", ".join(servers) or "none"
            raise UsageError(f"agent.servers has no server {name} (there are: {known})")
    return {name: servers[name] for name in chosen or servers}


async def _checked(
    entries: Mapping[str, ToolServerSection], timeout: float | None
) -> list[dict[str, Any]]:
    """A row for each server; what each is asked does not wait for the others."""
    import asyncio

    from promptdeck.core.agent.asked import Named
    from promptdeck.engine.agent.sides import MCPRefusal, MCPTrouble
    from promptdeck.mcp.addresses import Allowance
    from promptdeck.mcp.house import ToolHouse

    house = ToolHouse(entries, lambda: Allowance(loopback=True), timeout)
    done = 0

    async def row(name: str) -> dict[str, Any]:
        nonlocal done
        server, tools, wrong = Named(name, slug=name), [], ""
        told: dict[str, Any] = {}
        try:
            told = await house.info(server)
            tools = await house.tools(server, None)
        except (MCPTrouble, MCPRefusal) as why:
            mend = getattr(why, "recommendation", "")
            wrong = f"{why.message}; {mend}" if mend else why.message
        done += 1
        if sys.stderr.isatty():
            click.echo(f"\r{done} of {counted(len(entries), 'server')} asked", nl=False, err=True)
        info = told.get("serverInfo") or {}
        return {
            "server": name,
            "is": " ".join(str(info[key]) for key in ("name", "version") if info.get(key)),
            "tools": [str(tool.get("name")) for tool in tools],
            "wrong": wrong,
        }

    try:
        return await asyncio.gather(*map(row, entries))
    finally:
        await house.close()
        if entries and sys.stderr.isatty():
            click.echo("\r\x1b[K", nl=False, err=True)
