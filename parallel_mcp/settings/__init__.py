"""All settings, in one frozen object. `read` makes it from the environment it is given."""

from parallel_mcp.environment import variable
from parallel_mcp.settings.kept_key import keep_key, key_file
from parallel_mcp.settings.model import HTTP_ONLY, SECRETS, Settings, fields, stdio_flags
from parallel_mcp.settings.reading import SettingsError, read
from parallel_mcp.settings.values import is_redis

__all__ = [
    "HTTP_ONLY",
    "SECRETS",
    "Settings",
    "SettingsError",
    "fields",
    "is_redis",
    "keep_key",
    "key_file",
    "read",
    "stdio_flags",
    "variable",
]
