"""The built page is up to date, small, and requests nothing."""

import base64
import hashlib
import re
import subprocess

import pytest

from parallel_mcp.report.html import app
from tests.page.harness import PAGE, missing


def test_the_page_is_what_its_sources_give() -> None:
    lacking = missing()
    if lacking is not None:
        pytest.skip(f"the page's tests need: {lacking}")
    checked = subprocess.run(["npm", "run", "check", "--prefix", str(PAGE)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_page_is_one_small_file() -> None:
    assert len(app().encode()) <= 150_000
    around = re.sub("<script>.*?</script>", "", app(), flags=re.DOTALL)
    assert not re.search(r"<(?:link|img|iframe|object|embed|base)\b|\bsrc=|@import|url\(", around)


def test_the_policy_names_the_script_and_the_style_by_their_hashes_and_allows_nothing_else() -> None:
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', app())
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules.pop("default-src") == "'none'"
    for element in ("script", "style"):
        (text,) = re.findall(f"<{element}>(.*?)</{element}>", app(), re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules.pop(f"{element}-src") == f"'sha256-{digest}'"
    assert rules.pop("font-src") == "https: data:", "the host's own fonts, which only the host can name"
    assert rules == {
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
