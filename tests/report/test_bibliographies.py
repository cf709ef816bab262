"""The bibliographies, read back by other projects' programs, whatever a title contains."""

import json
import re
import warnings
from typing import Any

import bibtexparser
import pytest
import rispy
from citeproc import Citation, CitationItem, CitationStylesBibliography, CitationStylesStyle, formatter
from citeproc.source.json import CiteProcJSON
from hypothesis import given
from hypothesis import strategies as st

from parallel_mcp.models import Research
from parallel_mcp.report.bibliography import entries
from parallel_mcp.report.bibtex import bibtex
from parallel_mcp.report.csl import csl
from parallel_mcp.report.ris import ris
from tests.report.samples import citing, research

HOSTILE = (
    "}",
    "{",
    "a } b { c",
    "\\",
    "ends in a backslash \\",
    "100% of $5 & #1 ~ a_b ^ c",
    "@article{evil, title={x}}",
    'he said "no" {and',
    "\\input{/etc/passwd} \\write18{id}",
    "ER  - \r\nTY  - JOUR\r\nTI  - injected",
    "line one\nline two\u2028three\u0085four",
    "TI  - not a tag",
    "<b>bold</b> & <script>alert(1)</script>",
    "\u202egnol\u202c evil",
    "\u05e9\u05dc\u05d5\u05dd \u4e16\u754c \U0001f600",
    ", , and and and",
    "# comment %",
    "null",
    "x" * 5_000,
)


def read_bibtex(text: str) -> list[dict[str, str]]:
    library = bibtexparser.parse_string(text)
    assert not library.failed_blocks, library.failed_blocks
    assert not library.strings and not library.preambles and not library.comments
    return [
        {"key": entry.key, **{name: field.value for name, field in entry.fields_dict.items()}}
        for entry in library.entries
    ]


def untex(text: str) -> str:
    for tex, char in (
        (r"\textbackslash{}", "\0"),
        (r"\textbraceleft{}", "{"),
        (r"\textbraceright{}", "}"),
        (r"\textasciitilde{}", "~"),
        (r"\textasciicircum{}", "^"),
    ):
        text = text.replace(tex, char)
    return re.sub(r"\\([$&#%_])", r"\1", text).replace("\0", "\\")


def read_ris(text: str) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = rispy.loads(text)
    assert not any("unknown_tag" in record for record in records)
    return records


def cited(text: str) -> list[str]:
    """What a citation processor makes of CSL-JSON, one line per source."""
    items = json.loads(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        style = CitationStylesStyle("harvard-cite-them-right", validate=False)
        bibliography = CitationStylesBibliography(style, CiteProcJSON(items), formatter.plain)
        for item in items:
            bibliography.register(Citation([CitationItem(item["id"])]))
        bibliography.sort()
        return [str(line) for line in bibliography.bibliography()]


@pytest.mark.parametrize("title", HOSTILE, ids=lambda title: repr(title[:30]))
def test_a_hostile_title_stays_a_title(title: str) -> None:
    run = citing(("https://example.com/a", title, (title,)), ("https://example.com/b", "The next source", ()))
    wanted, _ = entries(run)
    first, second = read_bibtex(bibtex(run))
    assert untex(first["title"].removeprefix("{").removesuffix("}")) == wanted.title
    assert second["title"] == "{The next source}"
    record, after = read_ris(ris(run))
    assert record["title"] == wanted.title
    assert (record["type_of_reference"], after["title"]) == ("ELEC", "The next source")
    item, last = json.loads(csl(run))
    assert (item["title"], last["title"]) == (wanted.title, "The next source")
    assert len(cited(csl(run))) == 2


@given(
    st.lists(
        st.tuples(
            st.text(max_size=60),
            st.none() | st.text(max_size=60),
            st.lists(st.text(max_size=60), max_size=2).map(tuple),
        ),
        max_size=4,
    )
)
def test_every_source_comes_back_from_every_format(sources: list[tuple[str, str | None, tuple[str, ...]]]) -> None:
    run = citing(*sources)
    wanted = list(entries(run))
    assert [entry["key"] for entry in read_bibtex(bibtex(run))] == [entry.key for entry in wanted]
    assert [untex(entry["title"][1:-1]) for entry in read_bibtex(bibtex(run))] == [entry.title for entry in wanted]
    if wanted:
        assert [record["id"] for record in read_ris(ris(run))] == [entry.key for entry in wanted]
        assert [record.get("title", "") for record in read_ris(ris(run))] == [entry.title for entry in wanted]
    assert [item["id"] for item in json.loads(csl(run))] == [entry.key for entry in wanted]


def test_a_source_says_what_it_is_where_it_is_and_when_it_was_accessed() -> None:
    (entry, plain) = read_bibtex(bibtex(research()))
    assert untex(entry["title"]) == "{Tides & the Moon: 50% more}"
    assert entry["url"] == "https://www.example.org/tides?a=1&b=2#high_tide"
    assert entry["urldate"] == "2026-11-25"
    assert entry["annotation"] == "The moon raises two bulges. / One faces it."
    assert plain["title"] == "{example.com}", "a source without a title is known by its site"
    (record, _) = read_ris(ris(research()))
    assert record["urls"] == ["https://www.example.org/tides?a=1&b=2#high_tide"]
    assert record["access_date"] == "2026/11/25"
    assert record["notes"] == ["The moon raises two bulges.", "One faces it."]


def test_a_citation_processor_writes_the_source_and_the_access_date() -> None:
    first, second = cited(csl(research()))
    assert "Tides & the Moon: 50% more" in first + second
    assert "https://www.example.org/tides?a=1&b=2#high_tide" in first + second
    assert "2026" in first and "November 25" in first + second


def test_keys_differ_between_sources_and_between_runs() -> None:
    sources = [("https://example.com/a", "A", ())] * 3
    one, other = citing(*sources), citing(*sources).model_copy(update={"research_id": "r-fedcba9876543210"})
    keys = [entry.key for run in (one, other) for entry in entries(run)]
    assert len(set(keys)) == 6
    assert all(re.fullmatch("[A-Za-z0-9-]+", key) for key in keys)


@pytest.mark.parametrize(
    "run", [research(answer=None, status="failed", error="No."), citing()], ids=["failed", "no sources"]
)
def test_without_sources_every_bibliography_is_empty(run: Research) -> None:
    assert (bibtex(run), ris(run), json.loads(csl(run))) == ("", "", [])
