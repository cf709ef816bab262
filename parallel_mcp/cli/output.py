"""Where a result goes and in which format: a page on a terminal, text in a pipe, or any format in a file."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from parallel_mcp.cli import files
from parallel_mcp.cli.ending import Failed, Misused, in_flags
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
        """Choose by the options or, if they name no format, by the file's suffix. Raises Misused.

        A missing folder is noticed here, before anything is paid for.
        """
        file = None if path is None else Path(os.path.expanduser(path))
        if file is not None and not file.parent.is_dir():
            raise Misused(f"The folder of {file} does not exist.")
        name = "json" if as_json else named or (files.format_of(file) if file is not None else "text")
        return cls(name, file)

    @property
    def as_json(self) -> bool:
        """Whether a program reads it; failures are then JSON too."""
        return self.format == "json"

    @property
    def is_page(self) -> bool:
        """Whether a person reads it on a terminal."""
        return self.format == "text" and self.path is None and sys.stdout.isatty()

    def put(self, text: str) -> None:
        """Print it, or write the file. If that fails, print it anyway, because it was paid for."""
        text = text if text.endswith("\n") else f"{text}\n"
        if self.path is None:
            click.echo(clean(text), nl=False)
            return
        try:
            # Line endings are left alone: some formats prescribe them.
            self.path.write_text(text, "utf-8", newline="")
        except OSError as error:
            click.echo(clean(text), nl=False)
            raise Failed(f"{self.path} cannot be written: {error.strerror}. It was printed instead.") from None
        click.echo(f"Wrote {self.path}", err=True)


def output_options(command: Command) -> Command:
    """Add the options that say where a result goes and in which format."""
    options = (
        click.option(
            "--format", "named", type=click.Choice(["text", *files.SUFFIXES]), help="Default: text, or by -o's suffix"
        ),
        click.option("--json", "as_json", is_flag=True, help="Same as --format json; failures are JSON too"),
        click.option("-o", "--output", "path", metavar="FILE", help="Write it to FILE, in the format of its suffix"),
    )
    for option in reversed(options):
        command = option(command)
    return command


def as_text(answer: "Answer", notes: list[str]) -> str:
    """An answer for a pipe: the tools' text, in the words of the command line."""
    from parallel_mcp.report import prose

    warnings = tuple(map(in_flags, answer.warnings))
    text = prose(answer.model_copy(update={"interaction_id": None, "warnings": warnings}), notes)
    return f"{text}\n\nTo continue from here: --follow-up-to {answer.interaction_id}" if answer.interaction_id else text


def as_format(name: str, research: "Research") -> str:
    """A research run in one of the formats."""
    from parallel_mcp.report import FORMATS

    if name == "json":
        return research.model_dump_json(indent=2)
    return FORMATS[name].write(research)
