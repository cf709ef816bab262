"""A research run's sources as BibTeX, for LaTeX, BibLaTeX and reference managers."""

import re

from parallel_mcp.models import Research
from parallel_mcp.report.bibliography import Entry, entries

# BibTeX counts even escaped braces, so they have to be commands.
_TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{char: f"\\{char}" for char in "$&#%_"},
}
_SPECIAL = re.compile(r"[\\{}~^$&#%_]")


def bibtex(research: Research) -> str:
    """One `@misc` per source, which classic styles and BibLaTeX both support. Encoding: UTF-8."""
    return "\n".join(_entry(entry) for entry in entries(research))


def _entry(entry: Entry) -> str:
    fields = {
        # Double braces keep the case of the words, and keep them from being read as names.
        "title": f"{{{_tex(entry.title)}}}",
        "howpublished": _tex(entry.site),
        "url": entry.url,
        "urldate": entry.accessed.isoformat(),
        "note": f"Accessed {entry.accessed.isoformat()}",
        "annotation": " / ".join(map(_tex, entry.excerpts)),
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@misc{{{entry.key},", *lines, "}", ""])


def _tex(text: str) -> str:
    return _SPECIAL.sub(lambda found: _TEX[found[0]], text)
