"""A file that is this user's alone, and not somebody else's under the same name."""

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path

# What SQLite keeps beside its file.
_BESIDE = ("", "-wal", "-shm", "-journal")


def make_private(path: Path) -> None:
    """Make the file, and the folders on the way to it, for this user only, where they do not exist.

    SQLite would make it readable for others. An existing file is not opened here: closing it would drop
    the locks that this process has on it. Raises OSError where the name is a link or another user's.
    """
    if path.parts[:1] == ("~",):
        raise OSError(errno.ENOENT, "no home folder is known here, so ~ means nothing")
    _make_folders(path.parent)
    for beside in _BESIDE:
        _check(path.with_name(path.name + beside))
    if not path.exists():
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _make_folders(folder: Path) -> None:
    """`mkdir` gives only the last of several folders its mode."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir(mode=0o700, exist_ok=True)


def _check(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISLNK(found.st_mode):
        raise OSError(errno.ELOOP, f"{path.name} is a link, which others could lead elsewhere: name the file itself")
    if sys.platform != "win32" and found.st_uid != os.geteuid():
        raise OSError(errno.EPERM, f"{path.name} belongs to another user")
