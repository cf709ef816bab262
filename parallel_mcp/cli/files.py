"""A research run as a file."""

from pathlib import Path

from parallel_mcp.cli.ending import Failed, Misused

SUFFIXES = {"md": ".md", "html": ".html", "json": ".json", "bibtex": ".bib", "ris": ".ris", "csl": ".csl"}
"""The formats and the endings of their files: the names of `report.FORMATS`, which is too much to import for --help."""


def format_of(path: Path) -> str:
    """The format that a file's ending names. Raises Misused."""
    for name, suffix in SUFFIXES.items():
        if path.suffix.lower() == suffix:
            return name
    raise Misused(f"{path} does not tell the format: add --format {'|'.join(SUFFIXES)}.")


def write(path: Path, text: str) -> None:
    """Write it as it is, line ends included. Raises Failed."""
    try:
        path.write_text(text, "utf-8", newline="")
    except OSError as error:
        raise Failed(f"Cannot write {path}: {error.strerror}.") from None
