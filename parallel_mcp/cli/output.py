"""Where a result goes, and as what: a page on a terminal, text in a pipe, or any format in a file."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from parallel_mcp.cli import files
from parallel_mcp.cli.ending import Failed, Misused
from parallel_mcp.text import clean

if TYPE_CHECKING:
    from parallel_mcp.models import Answer, Research

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Output:
    """`format` is "text" or a name in `files.SUFFIXES`; `path` is None for stdout."""

    format: str
    path: Path | None

    @classmethod
    def chosen(cls, named: str | None, as_json: bool, path: str | None) -> "Output":
        """By the options, and where none names a format by the file's own name. Raises Misused.

        A file that could not be written is found out before anything is paid for.
        """
        file = None if path is None else Path(os.path.expanduser(path))
        if file is not None and not file.parent.is_dir():
            raise Misused(f"The folder of {file} is not there.")
        name = "json" if as_json else named or (files.format_of(file) if file is not None else "text")
        return cls(name, file)

    @property
    def as_json(self) -> bool:
        """Whether a program reads it: failures are then JSON too."""
        return self.format == "json"

    @property
    def is_page(self) -> bool:
        """Whether a person reads it on a terminal."""
        return self.format == "text" and self.path is None and sys.stdout.isatty()

    def put(self, text: str) -> None:
        """Print it, or write the file; a file that cannot be written after all is printed, for it was paid for."""
        text = text if text.endswith("\n") else f"{text}\n"
        if self.path is None:
            click.echo(clean(text), nl=False)
            return
        try:
            # Line ends as they are: some formats have their own.
            self.path.write_text(text, "utf-8", newline="")
        except OSError as error:
            click.echo(clean(text), nl=False)
            raise Failed(f"{self.path} cannot be written: {error.strerror}. It was printed instead.") from None
        click.echo(f"Written to {self.path}", err=True)


def output_options(command: Command) -> Command:
    """The options that say where a result goes, and as what."""
    options = (
        click.option(
            "--format", "named", type=click.Choice(["text", *files.SUFFIXES]), help="text unless -o names another"
        ),
        click.option("--json", "as_json", is_flag=True, help="The same as --format json; failures are JSON too"),
        click.option("-o", "--output", "path", metavar="FILE", help="Write it to FILE, in the format of its suffix"),
    )
    for option in reversed(options):
        command = option(command)
    return command


def as_text(answer: "Answer", notes: list[str]) -> str:
    """An answer for a pipe: what the tools' text says, in the words of the command line."""
    from parallel_mcp.report import prose

    text = prose(answer.model_copy(update={"interaction_id": None}), notes)
    return f"{text}\n\nTo ask on from here: --follow-up-to {answer.interaction_id}" if answer.interaction_id else text


def as_format(name: str, research: "Research") -> str:
    """A research run in one of the formats."""
    from parallel_mcp.report import FORMATS

    if name == "json":
        return research.model_dump_json(indent=2)
    return FORMATS[name].write(research)
