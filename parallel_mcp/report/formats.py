"""The formats that a research run can be written in. The command line, the resources and the page use this table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from parallel_mcp.models import Research
from parallel_mcp.report.bibtex import bibtex
from parallel_mcp.report.csl import csl
from parallel_mcp.report.html import page
from parallel_mcp.report.markdown import markdown
from parallel_mcp.report.ris import ris


@dataclass(frozen=True, slots=True)
class Format:
    """A format. File names and resource URIs end in `suffix`."""

    suffix: str
    title: str
    mime_type: str
    write: Callable[[Research], str]


FORMATS: Mapping[str, Format] = {
    "md": Format("md", "A research run as Markdown", "text/markdown", markdown),
    "json": Format("json", "A research run as JSON", "application/json", Research.model_dump_json),
    "html": Format("html", "A research run as a web page", "text/html", page),
    "bibtex": Format("bib", "A research run's sources as BibTeX", "application/x-bibtex", bibtex),
    "ris": Format("ris", "A research run's sources as RIS", "application/x-research-info-systems", ris),
    "csl": Format("csl", "A research run's sources as CSL-JSON", "application/vnd.citationstyles.csl+json", csl),
}
"""Formats by their names for `--format`."""
