"""`promptdeck completion`: the script that a shell sources."""

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    \b
    Examples:
      eval "$(promptdeck completion bash)"
      promptdeck completion fish > ~/.config/fish/completions/promptdeck.fish
    """
    complete = get_completion_class(shell)
    if complete is None:
        raise click.UsageError(f"no completion for {shell}")
    root = context.find_root().command
    click.echo(complete(root, {}, "promptdeck", "_PROMPTDECK_COMPLETE").source())
