"""The command line. Each command's module is imported when that command is called.

    serve, run, doctor, explain, match, config, store, upstreams, completion   of that name
    cassette      its group, and the commands list, show, verify
    hygiene       fix, merge, split, prune, dedupe, rename-model, redact
    stabilise     learns what varies between recordings of one run
    difference, mergedriver, transfer, live   diff; merge-driver; import, export; check, refresh
    tools, shim   the group mcp: list and check; run, which stands in for a server
    options       flags that commands share, from the settings
    chosen        the cassettes that a command works on
    output        rows, sizes and counts, for people and as JSON
    reports       what a run left unused
    lazy, quick   commands and modules imported late, and fast
    loop, workers, ending   the event loop; processes on one port; the end of a server

Exit codes: 0 done; 1 a check found something; 2 wrong usage; 3 configuration;
4 a cassette is corrupt; 5 cannot listen; 6 `run`: replay had misses or leftovers
although the command succeeded; 7 the store is unusable; 8 `run`, `serve`: an answer was to be
recorded and could not be; otherwise `run` exits as its command did.
"""

import sys

import click

from promptdeck import __version__
from promptdeck.errors import ConfigError, PatternError, UsageError

from .lazy import LazyGroup

# A command's place below this package, and its line of help: what --help needs, without imports.
_COMMANDS = {
    "serve": ("serve:command", "Serve a base_url that records, caches and replays."),
    "run": ("run:command", "Run a command against a server of its own."),
    "cassette": ("cassette:command", "Look at cassettes, verify them, keep them clean."),
    "mcp": ("tools:command", "Look at MCP servers, or stand in for one."),
    "upstreams": ("upstreams:command", "List where models are asked, and check it."),
    "store": ("store:command", "Look at the local cache, or clear it."),
    "doctor": ("doctor:command", "Say why the provider's prompt cache missed."),
    "explain": ("explain:command", "Say how a request is matched, and why it would miss."),
    "match": ("match:command", "Show what does not count when requests are compared."),
    "config": ("config:command", "Check and show the configuration."),
    "completion": ("completion:command", "Print the completion script for a shell."),
}


@click.group(
    cls=LazyGroup,
    lazy=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},  # inherited by all commands
    epilog="Each command has examples: promptdeck COMMAND --help",
)
@click.version_option(__version__, prog_name="promptdeck")
def cli() -> None:
    """Run LLM software without the LLM.

    promptdeck stands between your program and its model. It records model calls
    once and replays them for ever: in development, in CI, in offline demos.
    """


def main() -> None:
    """Run the command line; an error that ends it is one line on stderr and its exit code."""
    try:
        cli(prog_name="promptdeck")
    except (UsageError, PatternError) as error:
        for line in str(error).splitlines():
            click.echo(f"promptdeck: {line}", err=True)
        # A pattern that cannot be run is a setting that will not do.
        sys.exit(error.exit_code if isinstance(error, UsageError) else ConfigError.exit_code)
