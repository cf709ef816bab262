"""The corpus: this project's documentation and Python's reference topics, or named folders.

`--corpus DIR` means only that folder; `--corpus installed` adds the descriptions of the installed distributions.
"""

import importlib.metadata
import os
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import cast

from parallel_mcp.sandbox.reading import Passage, html_blocks, passages, text_blocks, text_title

INSTALLED = "installed"
FILE_BYTES = 2_000_000
FOLDER_FILES = 20_000
HTML = frozenset({".html", ".htm"})
TEXT = frozenset({".md", ".markdown", ".txt", ".rst"})


@dataclass(frozen=True, slots=True)
class Document:
    """A text and the URL to cite it by."""

    url: str
    title: str
    text: str
    html: bool = False

    def read(self) -> tuple[str, list[Passage]]:
        """The title and the passages."""
        if self.html:
            title, blocks = html_blocks(self.text)
            headings = (text for kind, text in blocks if kind == "heading")
            return title or next(headings, "") or self.title, passages(blocks)
        return self.title or text_title(self.text), passages(text_blocks(self.text))


def gather(named: Sequence[str | Path]) -> tuple[str, list[Document]]:
    """A description of what is searched, and the documents. Raises ValueError if a folder does not exist."""
    folders = folders_of(named)
    said = [f"the folder {folder.name or folder}" for folder in folders]
    found = [document for folder in folders for document in folder_documents(folder)]
    if not folders:
        said = ["parallel-mcp's documentation", f"the reference topics of Python {_python()}"]
        found = [*own_documents(), *topic_documents()]
    if INSTALLED in named:
        said.append("the descriptions of the installed distributions")
        found += distribution_documents()
    return " and ".join(said), found


def folders_of(named: Sequence[str | Path]) -> list[Path]:
    """The folders of a named corpus. Raises ValueError if one does not exist."""
    folders = [Path(name).expanduser().resolve() for name in named if name != INSTALLED]
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"The corpus folder {str(folder)!r} does not exist or is not a folder.")
    return folders


# Folders


def folder_documents(folder: Path) -> list[Document]:
    """The Markdown, text and HTML files under a folder, cited by file URL.

    Skips links out of the folder, names that start with a dot, files over FILE_BYTES, everything after the first
    FOLDER_FILES, and the source text of an HTML page.
    """
    found: list[Document] = []
    paths = list(_files(folder))
    pages = {_page(path) for path in paths if path.suffix.lower() in HTML}
    for path in paths:
        if path.suffix.lower() in TEXT and _page(path) in pages:
            continue
        if len(found) == FOLDER_FILES:
            break
        try:
            if path.stat().st_size <= FILE_BYTES:
                text = path.read_text(encoding="utf-8", errors="replace")
                found.append(Document(path.as_uri(), "", text, path.suffix.lower() in HTML))
        except OSError:
            continue
    return found


def _files(root: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if name.startswith(".") or path.suffix.lower() not in HTML | TEXT:
                continue
            if path.is_file() and path.resolve().is_relative_to(root):
                yield path


def _page(path: Path) -> Path:
    """A file's path without suffixes. Sphinx keeps the source of `guide/a.html` in `_sources/guide/a.rst.txt`."""
    place = Path(*(part for part in path.parts if part != "_sources"))
    while place.suffix.lower() in HTML | TEXT:
        place = place.with_suffix("")
    return place


# This project's own documentation


_SOURCE = "https://github.com/parallel-mcp/parallel-mcp/blob/main/"


def own_documents() -> list[Document]:
    """The README, security policy and docs/ pages of this project, from a checkout or the wheel."""
    above = Path(__file__).parents[2]
    user = sysconfig.get_path("data", sysconfig.get_preferred_scheme("user"))
    # A wheel's data goes to the environment, beside the package with pip's --target, to the user's folder with --user.
    shares = [Path(base, "share", "doc", "parallel-mcp") for base in (above, sys.prefix, user)]
    folders = [above, *shares] if (above / "pyproject.toml").is_file() else shares
    root = next((folder for folder in folders if (folder / "README.md").is_file()), above)
    paths = [root / "README.md", root / "SECURITY.md", *sorted((root / "docs").glob("*.md"))]
    return [
        Document(f"{_SOURCE}{path.relative_to(root).as_posix()}", "", path.read_text("utf-8"))
        for path in paths
        if path.is_file()
    ]


# Python's own reference topics

_REFERENCE = "https://docs.python.org/3/"
_PAGES = """
reference/simple_stmts.html: assert assignment augassign break continue del global import nonlocal pass raise return
reference/simple_stmts.html: yield
reference/compound_stmts.html: async class compound else for function if try while with type-params
reference/expressions.html: atom-identifiers atom-literals attribute-references await binary bitwise booleans calls
reference/expressions.html: comparisons conversions dict exprlists in lambda lists operator-summary power shifting
reference/expressions.html: slicings subscriptions unary
reference/datamodel.html: attribute-access callable-types context-managers customization numeric-types objects
reference/datamodel.html: sequence-types specialnames types
reference/executionmodel.html: dynamic-features exceptions execmodel naming
reference/lexical_analysis.html: floating id-classes identifiers imaginary integers numbers strings
library/stdtypes.html: bltin-code-objects bltin-ellipsis-object bltin-null-object bltin-type-objects specialattrs
library/stdtypes.html: string-methods truth typesfunctions typesmapping typesmethods typesmodules typesseq
library/stdtypes.html: typesseq-mutable
library/string.html: formatstrings
library/pdb.html: debugger
"""
_PAGE_OF = {
    label: page
    for page, _, labels in (line.partition(": ") for line in _PAGES.splitlines())
    for label in labels.split()
}


def topic_documents() -> list[Document]:
    """Python's reference topics as `help()` prints them, each cited by its page in the documentation."""
    from pydoc_data.topics import topics  # 460 kB of text, read only to build a corpus

    return [
        Document(topic_url(label), f"{text.strip().splitlines()[0]} - Python {_python()} reference", text)
        for label, text in sorted(topics.items())
    ]


def topic_url(label: str) -> str:
    """The documentation page of a topic, or the documentation's search if this table does not have its label."""
    page = _PAGE_OF.get(label)
    return f"{_REFERENCE}{page}#{label}" if page else f"{_REFERENCE}search.html?q={label}"


def _python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


# Installed distributions


def distribution_documents() -> list[Document]:
    """One document per installed distribution that has a description, cited by its package URL (purl)."""
    found: dict[str, Document] = {}
    for distribution in importlib.metadata.distributions():
        about = cast("Message", distribution.metadata)
        name, version = about["Name"] or "", about["Version"] or ""
        text = f"{about.get('Summary') or ''}\n\n{about.get('Description') or about.get_payload() or ''}".strip()
        if name and len(text) > 40:
            url = f"pkg:pypi/{name.lower().replace('_', '-')}@{version}"
            found.setdefault(url, Document(url, f"{name} {version} - the installed package's description", text))
    return [found[url] for url in sorted(found)]
