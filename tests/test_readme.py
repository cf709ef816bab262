"""The README's commands print what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def _block(after: str) -> str:
    """The first fenced block after a marker."""
    return README.partition(after)[2].partition("```")[2].partition("\n")[2].partition("```")[0]


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the answer quotes Python 3.11's own reference")
def test_the_first_command_prints_what_the_readme_shows(tmp_path: Path) -> None:
    command = _block("## Try it, without a key")
    question = re.search(r'--sandbox "([^"]+)"', command)
    assert question is not None
    done = subprocess.run(
        [sys.executable, "-m", "parallel_mcp", "research", "--sandbox", question[1]],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], "COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert _steady(done.stdout) == _steady(_block("<!-- true output -->"))


def _steady(text: str) -> str:
    """The output without what is new in each run: the interaction's id."""
    return re.sub(r"sandbox-[0-9a-f]+", "sandbox-ID", text).strip()


def test_the_first_command_needs_nothing_but_python_and_is_one_line() -> None:
    command = _block("## Try it, without a key").strip()
    assert "\n" not in command
    assert command.startswith("python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/parallel-mcp research")


def test_every_page_that_the_readme_names_is_there() -> None:
    for target in re.findall(r"\]\(([^):]+)\)", README):
        assert (ROOT / target).exists(), target
