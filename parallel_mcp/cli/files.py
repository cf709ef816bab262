"""The formats that a result can be written to a file in."""

from pathlib import Path

from parallel_mcp.cli.ending import Misused

SUFFIXES = {"md": ".md", "html": ".html", "json": ".json", "bibtex": ".bib", "ris": ".ris", "csl": ".csl"}
"""The formats and their file suffixes: the names of `report.FORMATS`, which is too slow to import for --help."""

_TEXT = ("", ".txt", ".text")


def format_of(path: Path) -> str:
    """The format for a file's suffix. Raises Misused."""
    if path.suffix.lower() in _TEXT:
        return "text"
    for name, suffix in SUFFIXES.items():
        if path.suffix.lower() == suffix:
            return name
    raise Misused(f"The suffix of {path} is not that of a known format: add --format {'|'.join(['text', *SUFFIXES])}.")
