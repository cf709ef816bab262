"""Research runs as files, and as a page in the browser."""

import json
import os
import sys
from pathlib import Path

import pytest

from parallel_mcp.cli.files import SUFFIXES
from parallel_mcp.report import FORMATS
from parallel_mcp.sandbox import example_questions
from tests.support.commands import run

QUESTION = example_questions()[1]


def test_the_command_line_knows_every_format() -> None:
    assert {name: f".{form.suffix}" for name, form in FORMATS.items()} == SUFFIXES


@pytest.mark.parametrize("name", SUFFIXES)
def test_a_research_run_is_written_in_the_format_that_the_file_is_named_for(tmp_path: Path, name: str) -> None:
    file = tmp_path / f"run{SUFFIXES[name]}"
    done = run(tmp_path, "research", "--sandbox", "-o", str(file), QUESTION)
    assert done.returncode == 0, done.stderr
    assert (done.stdout, str(file) in done.stderr) == ("", True)
    assert "https://" in file.read_text("utf-8")
    printed = run(tmp_path, "research", "--sandbox", "--format", name, QUESTION)
    assert "https://" in printed.stdout


def test_nothing_is_left_out_to_spare_a_model(tmp_path: Path) -> None:
    little = ("research", "--sandbox", "--max-result-chars", "2000", "What is a context manager?")
    done = run(tmp_path, *little, "--json")
    citations = json.loads(done.stdout)["answer"]["citations"]
    assert all(citation["excerpts"] for citation in citations)


def test_an_ending_that_says_nothing_is_asked_about_before_anything_is_spent(tmp_path: Path) -> None:
    done = run(tmp_path, "research", "-o", "run.docx", "Why?")
    assert done.returncode == 2
    assert "--format text|md|html|json|bibtex|ris|csl" in done.stderr


def test_a_kept_research_run_opens_in_the_browser(tmp_path: Path) -> None:
    store = str(tmp_path / "store.sqlite")
    asked = run(tmp_path, "research", "--sandbox", "--store", store, "--json", QUESTION)
    research_id = json.loads(asked.stdout)["research_id"]
    browser = tmp_path / "browser"
    browser.write_text(f"#!{sys.executable}\nimport sys\nopen({str(tmp_path / 'seen')!r}, 'w').write(sys.argv[1])\n")
    browser.chmod(0o700)
    opened = run(tmp_path, "history", "--store", store, "--open", research_id, BROWSER=f"{browser} %s")
    file = Path(opened.stdout.strip())
    assert QUESTION.split()[0] in file.read_text("utf-8")
    assert os.stat(file.parent).st_mode & 0o077 == 0, "nobody else's to read"
    assert (tmp_path / "seen").read_text() == file.as_uri()
    unknown = run(tmp_path, "history", "--store", store, "--open", "r-unknown")
    assert unknown.returncode == 1
    assert "no research run 'r-unknown'" in unknown.stderr
