"""A result as a file."""

from pathlib import Path

from parallel_mcp.cli.ending import Misused

SUFFIXES = {"md": ".md", "html": ".html", "json": ".json", "bibtex": ".bib", "ris": ".ris", "csl": ".csl"}
"""The formats and the endings of their files: the names of `report.FORMATS`, which is too much to import for --help."""

_TEXT = ("", ".txt", ".text")


def format_of(path: Path) -> str:
    """The format that a file's ending names. Raises Misused."""
    if path.suffix.lower() in _TEXT:
        return "text"
    for name, suffix in SUFFIXES.items():
        if path.suffix.lower() == suffix:
            return name
    raise Misused(f"{path} does not tell the format: add --format {'|'.join(['text', *SUFFIXES])}.")
