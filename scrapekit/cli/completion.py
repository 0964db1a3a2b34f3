"""``scrapekit completion``: what makes a shell complete our commands and options."""

from __future__ import annotations

import click


@click.command("completion", short_help="Print what makes bash, zsh or fish complete commands.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> None:
    """Print a script for SHELL that completes commands, options, spiders and files at the Tab key.

    \b
    scrapekit completion bash > ~/.local/share/bash-completion/completions/scrapekit
    scrapekit completion zsh > ~/.zfunc/_scrapekit
    scrapekit completion fish > ~/.config/fish/completions/scrapekit.fish
    """  # noqa: D301  (\b is click's: it leaves these lines as they are)
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    assert made is not None  # click has these three
    click.echo(made(ctx.find_root().command, {}, "scrapekit", "_SCRAPEKIT_COMPLETE").source())
