"""The API key in a file of this user, for every command that finds none in its environment."""

import os
from pathlib import Path

import platformdirs

from parallel_mcp.environment import is_placeholder, meant_key
from parallel_mcp.settings.reading import SettingsError
from parallel_mcp.settings.values import fits_a_header, homes_folder


def key_file() -> Path:
    """Where `parallel-mcp key set` keeps the key."""
    return homes_folder(platformdirs.user_config_dir) / "api_key"


def keep_key(given: str) -> Path:
    """Write the key to its file, which no other user can read at any moment. Raises SettingsError."""
    key = meant_key(given)
    if not key or is_placeholder(key) or not fits_a_header(key):
        raise SettingsError(
            "That is not a key: it is empty, a placeholder, or has characters that a key cannot have. It was not saved."
        )
    path = key_file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(key + "\n")
    except OSError as error:
        raise SettingsError(f"The key cannot be saved in {path}: {error.strerror}.") from None
    return path
