"""Ends an engine whose front exits while it is still starting. Standard library only, because it runs first."""

from __future__ import annotations

import os
import select
import threading

LOOK_MILLISECONDS = 100


def end_with_front() -> None:
    """Exit if stdin breaks while it is still descriptor 0, because then nothing has been read from it yet."""
    if hasattr(select, "poll"):
        threading.Thread(target=_watch, args=(os.fstat(0).st_ino,), daemon=True).start()


def _watch(pipe: int) -> None:
    broken = select.poll()
    broken.register(0, 0)
    while os.fstat(0).st_ino == pipe:
        if broken.poll(LOOK_MILLISECONDS) and os.fstat(0).st_ino == pipe:
            os._exit(0)
