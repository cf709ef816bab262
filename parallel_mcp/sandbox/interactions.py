"""What was asked under each interaction id, for follow-ups. Kept in a file that all processes on this machine share."""

import json
import os
import sqlite3
import threading
import uuid
import weakref
from pathlib import Path

import platformdirs

from parallel_mcp.sandbox.engine import Earlier

KEPT = 10_000


class Interactions:
    """Questions, and the documents that they were answered from. The oldest are forgotten.

    The file is opened on first use. If that fails, follow-ups work only within this process.
    """

    def __init__(self, path: Path | None = None, kept: int = KEPT) -> None:
        self._path = path
        self._kept = kept
        self._lock = threading.Lock()
        self._opened: sqlite3.Connection | None = None

    def remember(self, key: str, earlier: Earlier) -> str:
        """Store a question asked with a key. Returns its id."""
        made = f"sandbox-{uuid.uuid4().hex}"
        row = (made, key, earlier.question, json.dumps(earlier.urls))
        with self._lock, self._database() as database:
            database.execute("INSERT INTO interaction(id, key, question, urls) VALUES (?, ?, ?, ?)", row)
            database.execute(
                "DELETE FROM interaction WHERE number <= (SELECT max(number) FROM interaction) - ?", (self._kept,)
            )
        return made

    def recall(self, key: str, interaction_id: str) -> Earlier | None:
        """What was asked under an id with this key."""
        with self._lock, self._database() as database:
            row = database.execute(
                "SELECT question, urls FROM interaction WHERE id = ? AND key = ?", (interaction_id, key)
            ).fetchone()
        return Earlier(row[0], tuple(json.loads(row[1]))) if row else None

    def _database(self) -> sqlite3.Connection:
        if self._opened is None:
            try:
                self._opened = _open(self._path or _usual_path())
            except (OSError, RuntimeError, sqlite3.Error):
                self._opened = _open(None)
            weakref.finalize(self, self._opened.close)
        return self._opened


def _usual_path() -> Path:
    return Path(platformdirs.user_data_dir("parallel-mcp", appauthor=False)) / "sandbox-interactions.sqlite3"


def _open(path: Path | None) -> sqlite3.Connection:
    if path:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    database = sqlite3.connect(path or ":memory:", timeout=10, check_same_thread=False)
    database.execute(
        "CREATE TABLE IF NOT EXISTS interaction"
        "(number INTEGER PRIMARY KEY, id TEXT UNIQUE, key TEXT, question TEXT, urls TEXT)"
    )
    return database
