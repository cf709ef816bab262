"""Creates files that only this user can read, and rejects links and other users' files in their place."""

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path

# The files that SQLite keeps beside its own.
_BESIDE = ("", "-wal", "-shm", "-journal")


def make_private(path: Path) -> None:
    """Create the file and its parent folders, for this user only, unless they exist.

    SQLite would let others read it. An existing file is not opened here, because closing it would drop the locks
    that this process holds on it. Raises OSError if the path is a link or belongs to another user.
    """
    if path.parts[:1] == ("~",):
        raise OSError(errno.ENOENT, "there is no home folder for ~ to stand for")
    _make_folders(path.parent)
    for beside in _BESIDE:
        _check(path.with_name(path.name + beside))
    if not path.exists():
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _make_folders(folder: Path) -> None:
    """Create each folder on its own, since `mkdir(parents=True)` applies the mode to the last one only."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir(mode=0o700, exist_ok=True)


def _check(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISLNK(found.st_mode):
        raise OSError(errno.ELOOP, f"{path.name} is a link, which others could redirect: name the file itself")
    if sys.platform != "win32" and found.st_uid != os.geteuid():
        raise OSError(errno.EPERM, f"{path.name} belongs to another user")
