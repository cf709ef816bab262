"""Settings from an environment and from flags."""

import difflib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from parallel_mcp.environment import PREFIX, given, is_placeholder, is_reference, meant, meant_key, variable
from parallel_mcp.settings import values
from parallel_mcp.settings.model import SECRETS, Settings, fields

_UNFILLED = "it names a variable that the host did not fill in: write the value itself"
_KEY_UNFILLED = (
    "PARALLEL_API_KEY holds a placeholder, not a key, and it was not sent: write the key itself there. In a host's "
    "configuration, the host did not fill in the variable: check how it refers to one"
)
_KEY_UNFIT = "PARALLEL_API_KEY has characters that a key cannot have: copy it again"


class SettingsError(ValueError):
    """A setting is wrong. The text names settings and never a value; `usable` has the rest of them."""

    def __init__(self, words: str, usable: Settings | None = None) -> None:
        super().__init__(words)
        self.usable = usable or Settings()


@dataclass(slots=True)
class _Given:
    """The values that were given, as text, and the faults found before they are parsed."""

    values: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    key_fault: str | None = None
    warnings: list[str] = field(default_factory=list)


def read(
    environ: Mapping[str, str], flags: Mapping[str, Any] | None = None, kept_key: Path | None = None
) -> tuple[Settings, list[str]]:
    """Read settings from an environment and from flags, which win; return them with warnings for a person.

    A secret may be in a file that `<VARIABLE>_FILE` names, and the API key, as a last resort, in the file
    `kept_key`. A key that cannot be used only sets `key_fault`, because much works without one. Raises
    SettingsError, which names each wrong setting and shows no value.
    """
    found = _Given()
    _read_key(environ, kept_key, found)
    _read_others(environ, {name: value for name, value in (flags or {}).items() if value is not None}, found)
    settings, faults = _validated(found)
    if faults:
        raise SettingsError("; ".join(faults.values()), settings)
    return settings, [*found.warnings, *_unknown(environ), *_unsafe(settings)]


def _read_others(environ: Mapping[str, str], flags: Mapping[str, Any], found: _Given) -> None:
    for name in fields():
        if name == "api_key":
            continue
        text = given(environ, name) or (_secret_file(environ, name, found) if name in SECRETS else "")
        value = flags.get(name, text)
        if isinstance(value, str) and is_reference(value):
            found.faults[name] = f"{variable(name)}: {_UNFILLED}"
        elif value != "":
            found.values[name] = value


def _read_key(environ: Mapping[str, str], kept: Path | None, found: _Given) -> None:
    """Take the first key that can be sent, from the variable, its file or the kept key."""
    text = environ.get(variable("api_key"), "")
    if not meant(text):
        text = _secret_file(environ, "api_key", found)
    taken = _take_key(text, found)
    fault = found.faults.pop("api_key", found.key_fault)
    if not taken and kept is not None and kept.is_file():
        taken = _take_key(_contents(kept, "api_key", f"The key file {kept}", found), found)
        found.values["key_is_kept"] = taken
        found.warnings += _too_open(kept)
        if taken and fault is not None:
            found.warnings.append(f"{fault}. The saved key is used instead")
        fault = found.faults.pop("api_key", fault or found.key_fault)
    found.key_fault = None if taken else fault


def _take_key(text: str, found: _Given) -> bool:
    key = meant_key(text)
    if not key:
        return False
    if is_placeholder(key):
        found.key_fault = _KEY_UNFILLED
    elif not values.fits_a_header(key):
        found.key_fault = _KEY_UNFIT
    else:
        found.values["api_key"] = key
        return True
    return False


def _secret_file(environ: Mapping[str, str], name: str, found: _Given) -> str:
    path = meant(environ.get(variable(name) + "_FILE", ""))
    return (
        _contents(Path(os.path.expanduser(path)), name, f"{variable(name)}_FILE names a file that", found)
        if path
        else ""
    )


def _contents(path: Path, name: str, what: str, found: _Given) -> str:
    try:
        text = meant(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        found.faults[name] = f"{what} cannot be read: {reason}"
        return ""
    if not text:
        found.faults[name] = f"{what} is empty"
    return text


def _too_open(key: Path) -> list[str]:
    """A warning if other users of this machine can read the key. Windows has no such modes."""
    if sys.platform == "win32" or not key.stat().st_mode & 0o077:
        return []
    return [f"other users of this machine can read {key}; run chmod 600 {key}"]


def _validated(found: _Given) -> tuple[Settings, dict[str, str]]:
    """The valid settings, and the faults of the others by name."""
    kept, faults = dict(found.values), dict(found.faults)
    while True:
        try:
            return Settings(**kept, key_fault=found.key_fault), faults
        except ValidationError as error:
            wrong = _faults(error)
            faults |= wrong
            # A contradiction between settings has no name; then only the key is kept.
            kept = {
                name: value
                for name, value in kept.items()
                if name not in wrong and ("" not in wrong or name == "api_key")
            }


def _faults(error: ValidationError) -> dict[str, str]:
    faults: dict[str, str] = {}
    for item in error.errors(include_input=False, include_url=False, include_context=False):
        name = str(item["loc"][0]) if item["loc"] else ""
        said = item["msg"].removeprefix("Value error, ").replace("Input should", "it must")
        if item["type"] == "literal_error":
            said = f"write one of {', '.join(get_args(fields()[name].annotation))}"
        said = _RIGHT.get(item["type"], said)
        faults.setdefault(name, f"{variable(name)}: {said}" if name else said)
    return faults


_RIGHT = {
    "bool_parsing": "write true or false",
    "bool_type": "write true or false",
    "float_parsing": "write a number",
    "int_parsing": "write a whole number",
    "int_from_float": "write a whole number",
}


def _unknown(environ: Mapping[str, str]) -> list[str]:
    known = {variable(name) for name in fields()} | {variable(name) + "_FILE" for name in SECRETS}
    warnings: list[str] = []
    for name in sorted(set(environ) - known):
        if name.startswith(PREFIX):
            near = difflib.get_close_matches(name, known, 1)
            likely = f"; did you mean {near[0]}?" if near else ""
            warnings.append(f"{name} is not a setting of parallel-mcp and is ignored{likely}")
    return warnings


def _unsafe(settings: Settings) -> list[str]:
    if settings.sandbox or not values.is_plain_http(settings.base_url):
        return []
    return ["PARALLEL_BASE_URL is plain http: the key, questions and answers can be read in transit. Use https"]
