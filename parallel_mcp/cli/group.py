"""The group of commands. With no command, it serves MCP over stdio."""

import io
import sys
from typing import Any

import click

from parallel_mcp.cli.asking import answer, research
from parallel_mcp.cli.doctor import doctor
from parallel_mcp.cli.ending import Misused, reported
from parallel_mcp.cli.history import history
from parallel_mcp.cli.install import install
from parallel_mcp.cli.key import key
from parallel_mcp.cli.options import NAME, OwnOptionsFirstGroup, no_front, setting_flags
from parallel_mcp.cli.sandbox import sandbox
from parallel_mcp.cli.serving import engine, http, serve_stdio, stdio
from parallel_mcp.text import clean


class _Main(OwnOptionsFirstGroup):
    """The group itself, which exits without a traceback on Ctrl-C, and reports usage errors as JSON with --json."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        as_json = "--json" in ctx.args
        with reported(as_json=as_json):
            try:
                return super().invoke(ctx)
            except click.exceptions.NoArgsIsHelpError:
                raise
            except click.UsageError as error:
                # It may quote an argument.
                words = clean(error.format_message())
                raise (Misused(words) if as_json else click.UsageError(words, error.ctx)) from None


@click.group(cls=_Main, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name=NAME)
@setting_flags(http=False)
@no_front
@click.pass_context
def main(ctx: click.Context, /, **flags: Any) -> None:
    """Parallel's Chat API for agents: web answers and deep research with citations, as an MCP server.

    Without a command it serves MCP over stdin and stdout.
    """
    for stream in (sys.stdout, sys.stderr):
        # A pipe on Windows may be unable to encode an answer that was paid for.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    if ctx.invoked_subcommand is None:
        serve_stdio(flags)


for command in (stdio, engine, http, answer, research, history, sandbox, install, key, doctor):
    main.add_command(command)
