"""Every text that a person or a model reads, one per line: `python -m tests.support.texts [FOLDER ...]`.

Docstrings, comments, and strings of more than one word, with their location; Markdown as it is.
"""

import ast
import io
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers and texts of a Python or a Markdown file."""
    source = path.read_text("utf-8")
    if path.suffix != ".py":
        yield from ((number, line) for number, line in enumerate(source.splitlines(), 1) if line.strip())
        return
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
            yield node.lineno, " ".join(node.value.split())


def files(*folders: str) -> list[Path]:
    """The Python and Markdown files that git tracks below the folders."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *folders], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    return [ROOT / name for name in listed.split("\0") if name.endswith((".py", ".md")) and (ROOT / name).is_file()]


if __name__ == "__main__":
    for file in files(*sys.argv[1:]):
        for number, text in sorted(texts(file)):
            print(f"{file.relative_to(ROOT)}:{number}: {text}")
