from pathlib import Path

from tests.support.faults_page import page

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


def test_the_page_is_as_new_as_the_table() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m tests.support.faults_page > docs/faults.md"
