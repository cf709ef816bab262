"""Every test that SECURITY.md names exists."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_test_that_security_md_names_exists() -> None:
    page = (ROOT / "SECURITY.md").read_text("utf-8")
    rows = [line.rpartition(" | ")[2] for line in page.splitlines() if line.startswith("|")][2:]
    assert len(rows) > 30
    for row in rows:
        files = re.findall(r"`(tests/[a-z_/]+\.py)`(?:: ([^;|]+))?", row)
        assert files, row
        for file, names in files:
            nodes = ast.walk(ast.parse((ROOT / file).read_text("utf-8")))
            known = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
            assert {f"test_{name}" for name in re.findall("`([a-z0-9_]+)`", names)} <= known, (file, names)


def test_every_attribute_and_metric_of_ours_stands_in_the_page() -> None:
    code = (ROOT / "parallel_mcp" / "telemetry" / "instruments.py").read_text("utf-8")
    page = (ROOT / "docs" / "telemetry.md").read_text("utf-8")
    for name in set(re.findall(r'"((?:parallel_mcp|gen_ai|mcp)\.[a-z_.]+)"', code)) - {"gen_ai.prompt.name"}:
        last = name.rpartition(".")[2]
        assert f"`{name}`" in page or f"`.{last}`" in page or f"`..._{last}`" in page, name
