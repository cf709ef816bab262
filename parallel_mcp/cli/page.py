"""An answer on a terminal: wrapped, with its Markdown rendered, numbered sources, and its time and cost.

Text from upstream cannot control the terminal: escapes are stripped, links show where they lead, and only the
URL of a source is itself a link.
"""

import json
from collections.abc import Iterator, Sequence
from typing import ClassVar
from urllib.parse import urlsplit

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.markdown import Heading, Markdown
from rich.style import Style
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from parallel_mcp.cli.ending import in_flags
from parallel_mcp.cli.flags import command
from parallel_mcp.cli.runs import SHORT
from parallel_mcp.models import Answer, Citation, Research
from parallel_mcp.text import clean

MAX_WIDTH = 100
"""Longer lines are hard to read."""

# Only the terminal's default colours, because it may be light or dark.
THEME = Theme(
    {
        "markdown.code": "bold",
        "markdown.code_block": "none",
        "markdown.h1": "bold",
        "markdown.h2": "bold",
        "markdown.h3": "bold",
        "markdown.h4": "bold",
        "markdown.item.bullet": "dim",
        "markdown.item.number": "dim",
        "markdown.hr": "dim",
        "markdown.block_quote": "dim",
        "markdown.link": "none",
        "markdown.link_url": "dim",
        "markdown.table.border": "dim",
        "markdown.table.header": "bold",
    }
)


class _PlainHeading(Heading):
    """Left-aligned like everything else, and without a box."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        yield Text() if self.tag == "h1" else Text("", end="")
        yield self.text


class _Prose(Markdown):
    elements: ClassVar = {**Markdown.elements, "heading_open": _PlainHeading}


def console_for(*, stderr: bool = False) -> Console:
    """The terminal, limited to a readable width."""
    console = Console(stderr=stderr, theme=THEME, highlight=False)
    if console.width > MAX_WIDTH:
        console.width = MAX_WIDTH
    return console


def answer_page(answer: Answer, notes: Sequence[str], footer: Sequence[str]) -> RenderableType:
    """The answer, its sources and fields, warnings, and a footer with its time and cost."""
    return stacked([*_parts(answer, notes), Text("\n".join(footer), "dim")])


def research_page(research: Research, notes: Sequence[str], footer: Sequence[str]) -> RenderableType:
    """A research run with its question."""
    parts: list[RenderableType] = [Text(clean(research.question), "bold")]
    if research.error:
        parts.append(Text(clean(research.error)))
    if research.answer is not None:
        parts += _parts(research.answer, notes)
    return stacked([*parts, Text("\n".join(footer), "dim")])


def _spaced(parts: Sequence[RenderableType]) -> Iterator[RenderableType]:
    for number, part in enumerate(parts):
        if number:
            yield Text()
        yield part


def _parts(answer: Answer, notes: Sequence[str]) -> list[RenderableType]:
    parts: list[RenderableType] = [_content(answer)]
    if answer.citations:
        parts.append(_sources(answer.citations))
    if len(answer.basis) > 1:
        parts.append(_fields(answer))
    low = [f"Low confidence in {entry.field}." for entry in answer.basis if entry.confidence == "low"][:10]
    careful = [*low, *map(in_flags, answer.warnings), *notes]
    if careful:
        parts.append(Group(*(_hanging("!", clean(note)) for note in careful)))
    return parts


def _content(answer: Answer) -> RenderableType:
    if answer.data is not None:
        return Text(clean(json.dumps(answer.data, ensure_ascii=False, indent=2)))
    return _Prose(clean(answer.content.strip()), hyperlinks=False, code_theme="bw")


def _sources(citations: Sequence[Citation]) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for citation in citations:
        table.add_row(Text(f"[{citation.number}]"), _source(citation))
    return Group(Text("Sources", "bold"), table)


def _source(citation: Citation) -> Text:
    address = clean(citation.url)
    linked = Style(dim=True, link=address) if _may_be_linked(address) else Style(dim=True)
    title = clean(" ".join((citation.title or "").split()))
    return Text.assemble(f"{title}\n" if title else "", (address, linked))


def _may_be_linked(address: str) -> bool:
    try:
        return urlsplit(address).scheme in ("http", "https") and address.isascii() and " " not in address
    except ValueError:
        return False


def _fields(answer: Answer) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold", max_width=40)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold", style="dim")
    for entry in answer.basis:
        marks = " ".join(f"[{number}]" for number in entry.citations) or "no source"
        table.add_row(Text(clean(entry.field)), Text(entry.confidence or ""), Text(marks))
    return Group(Text("Fields", "bold"), table)


def _hanging(mark: str, words: str) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(Text(mark, "bold"), Text(words))
    return table


def footer_of(answer: Answer, seconds: float, research_id: str | None) -> list[str]:
    """The model, time, cost and confidence of an answer, and how to continue from it."""
    sure = sorted({entry.confidence for entry in answer.basis if entry.confidence}, key=("low", "medium", "high").index)
    confidence = f"{sure[0]} confidence" if len(sure) == 1 else f"{sure[0]} to {sure[-1]} confidence" if sure else ""
    cost = "free" if answer.cost_usd == 0 else "price unknown" if answer.cost_usd is None else f"${answer.cost_usd:.3f}"
    facts = [answer.model, _time(seconds), cost, confidence]
    lines = [" · ".join(fact for fact in facts if fact)]
    if answer.interaction_id:
        lines.append(f"Continue from here:  --follow-up-to {clean(answer.interaction_id)}")
    if research_id:
        lines.append(f"Read it again:       {command(f'history show {research_id[:SHORT]}')}")
    return lines


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


_STATUS = {
    "completed": ("✓", "green"),
    "working": ("…", "bold"),
    "probably interrupted": ("?", "bold"),
    "failed": ("✗", "red"),
    "cancelled": ("-", "dim"),
}


def status(name: str) -> Text:
    """The status of a run as one character."""
    sign, style = _STATUS[name]
    return Text(sign, style)


_VERDICTS = {"ok": ("✓", "green"), "note": ("!", "bold"), "fail": ("✗", "bold red")}


def verdict(name: str) -> Text:
    """The doctor's verdict as one character."""
    sign, style = _VERDICTS[name]
    return Text(sign, style)


def table(*columns: str) -> Table:
    """A table without borders; its last column takes the remaining width."""
    made = Table(*columns, box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for column in made.columns[:-1]:
        column.no_wrap = True
    made.columns[-1].overflow = "fold"
    return made


def show(parts: RenderableType) -> None:
    """Print it below an empty line."""
    console = console_for()
    console.print()
    console.print(parts)


def stacked(parts: Sequence[RenderableType]) -> RenderableType:
    """The parts below each other, with an empty line between them."""
    return Group(*_spaced(parts))
