"""The command line. Each command's module is imported when that command is called.

Exit codes: 0 done; 1 a check found something; 2 wrong usage; 3 configuration;
4 a cassette is corrupt; 5 cannot listen; 6 `run`: replay had misses or leftovers
although the command succeeded; 7 the store is unusable; otherwise `run` exits as its
command did.
"""

import sys
from importlib import import_module

import click

from proxy import __version__
from proxy.errors import UsageError

_COMMANDS = {
    "serve": "Serve a base_url that records, caches and replays.",
    "run": "Run a command against a server of its own.",
    "cassette": "List, show and verify cassettes.",
    "store": "Look at the local cache, or clear it.",
    "explain": "Say how a request is matched, and why it would miss.",
    "config": "Check and show the configuration.",
    "completion": "Print the completion script for a shell.",
}


class _Lazy(click.Group):
    """A group whose commands are known by name and imported when used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"proxy.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Lazy, epilog="Each command has examples: promptdeck COMMAND --help")
@click.version_option(__version__, prog_name="promptdeck")
def cli() -> None:
    """Run LLM software without the LLM.

    promptdeck stands between your program and its model. It records model calls
    once and replays them for ever: in development, in CI, in offline demos.
    """


def main() -> None:
    """Run the command line; a UsageError is one line on stderr and its exit code."""
    try:
        cli(prog_name="promptdeck")
    except UsageError as error:
        for line in str(error).splitlines():
            click.echo(f"promptdeck: {line}", err=True)
        sys.exit(error.exit_code)
