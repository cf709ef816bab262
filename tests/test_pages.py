"""Every test that SECURITY.md names exists."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_test_that_security_md_names_exists() -> None:
    page = (ROOT / "SECURITY.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("|")]
    named = {name for row in rows for name in re.findall(r"`([a-z0-9_]{25,})(?:\.\.\.)?`", row)}
    known: set[str] = set()
    for path in [*ROOT.glob("tests/*.py"), *ROOT.glob("tests/*/test_*.py")]:
        nodes = ast.walk(ast.parse(path.read_text("utf-8")))
        known |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert len(named) > 15
    for name in named:
        assert any(test.startswith(f"test_{name}") for test in known), name


def test_every_attribute_and_metric_of_ours_stands_in_the_page() -> None:
    code = (ROOT / "parallel_mcp" / "telemetry" / "instruments.py").read_text("utf-8")
    page = (ROOT / "docs" / "telemetry.md").read_text("utf-8")
    for name in set(re.findall(r'"((?:parallel_mcp|gen_ai|mcp)\.[a-z_.]+)"', code)) - {"gen_ai.prompt.name"}:
        last = name.rpartition(".")[2]
        assert f"`{name}`" in page or f"`.{last}`" in page or f"`..._{last}`" in page, name
