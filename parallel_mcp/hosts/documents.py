"""Changes one member of a configuration file and leaves every other byte of it alone.

JSON is read with comments and trailing commas, as most hosts do, and edited as text, because no library writes it
back unchanged. TOML and YAML go through libraries that do. Every change is verified by reading it back.
"""

import io
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any, Final

import json5
import tomlkit
from json5.loader import ModelLoader
from json5.model import JSONArray, JSONObject
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from parallel_mcp.compat.json_five import span
from parallel_mcp.hosts.table import Format

ABSENT: Final = object()
"""The value of a member that does not exist, or is to be removed."""

Keys = tuple[str | int, ...]
"""The path to a member: names in objects, positions in lists. The position after a list's last item appends."""


class DocumentError(ValueError):
    """A file that cannot be parsed, or cannot be changed without touching the rest of it."""


def read(text: str, kind: Format) -> dict[str, Any]:
    """The whole document as plain data. An empty file is an empty object."""
    if not text.lstrip("\ufeff").strip():
        return {}
    try:
        found = _READ[kind](text.lstrip("\ufeff"))
    except (ValueError, YAMLError) as error:
        raise DocumentError(f"it is not valid {kind.upper()}: {str(error).splitlines()[0]}") from None
    if not isinstance(found, dict):
        raise DocumentError(f"its {kind.upper()} is not an object")
    return found


def value(document: Any, keys: Keys) -> Any:
    """The value at these keys, or ABSENT."""
    found = document
    for key in keys:
        try:
            found = found[key]
        except (KeyError, IndexError, TypeError):
            return ABSENT
    return found


def change(text: str, kind: Format, keys: Keys, wanted: Any) -> str:
    """The text with `wanted` at these keys, or without the keys if it is ABSENT."""
    before = read(text, kind)
    if value(before, keys) == wanted:
        return text
    expected = replaced(before, keys, wanted)
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    newline = "\r\n" if "\r\n" in text else "\n"
    changed = _CHANGE[kind](text.removeprefix(mark).replace("\r\n", "\n"), keys, wanted)
    found = read(changed, kind)
    if found != expected and (wanted is not ABSENT or found != _without_empty(expected, keys[:-1])):
        raise DocumentError("it could not be changed without touching the rest of it")
    return mark + changed.replace("\n", newline)


def replaced(document: Any, keys: Keys, wanted: Any) -> Any:
    """A copy of plain data with the change made."""
    head, *rest = keys
    if not isinstance(document, list if isinstance(head, int) else Mapping):
        raise DocumentError("it has something else where the servers belong")
    members: dict[Any, Any] = dict(enumerate(document)) if isinstance(head, int) else dict(document)
    if rest:
        members[head] = replaced(members.get(head, {}), tuple(rest), wanted)
    elif wanted is ABSENT:
        members.pop(head, None)
    else:
        members[head] = wanted
    return [*members.values()] if isinstance(head, int) else members


def _without_empty(document: Any, keys: Keys) -> Any:
    """Without the mapping that a removal emptied: in TOML, an empty table without a header cannot be written."""
    return document if not keys or value(document, keys) else replaced(document, keys, ABSENT)


# JSON


def _plain_spaces(text: str) -> str:
    """Replace the two line separators that JSON allows in strings and json5 does not. Positions do not change."""
    return text.translate({0x2028: " ", 0x2029: " "})


def _read_json(text: str) -> Any:
    """Try the fast parser first: a host that keeps its history in the same file has megabytes of it."""
    try:
        return json.loads(text)
    except ValueError:
        return json5.loads(_plain_spaces(text))


def _json(text: str, keys: Keys, wanted: Any) -> str:
    if not text.strip():
        return json.dumps(replaced({}, keys, wanted), indent=2, ensure_ascii=False) + "\n"
    place = json5.loads(_plain_spaces(text), loader=ModelLoader()).value
    depth = 0
    for key in keys[:-1]:
        index = _index(place, key)
        if index is None or not isinstance(place.values[index], _Holder):
            break
        place, depth = place.values[index], depth + 1
    if wanted is ABSENT:
        return _without(text, place, keys[-1]) if depth == len(keys) - 1 else text
    key, *inside = keys[depth:]
    return _with(text, place, key, replaced({}, tuple(inside), wanted) if inside else wanted)


_Holder = JSONObject | JSONArray


def _index(place: _Holder, key: str | int) -> int | None:
    """The index of a member. If a name is repeated, the last one counts."""
    if isinstance(place, JSONArray):
        return key if isinstance(key, int) and key < len(place.values) else None
    names = [getattr(name, "characters", None) or getattr(name, "name", None) for name in place.keys]
    return len(names) - 1 - names[::-1].index(key) if key in names else None


def _member_spans(place: _Holder) -> list[tuple[int, int]]:
    """The span of each member, from its name (in a list, from its value) to the end of its value."""
    starts = place.keys if isinstance(place, JSONObject) else place.values
    return [(span(start)[0], span(end)[1]) for start, end in zip(starts, place.values, strict=True)]


def _with(text: str, place: _Holder, key: str | int, wanted: Any) -> str:
    start, end = span(place)
    members, unit = _member_spans(place), _unit(text)
    index = _index(place, key)
    if index is not None:
        at, to = span(place.values[index])
        return text[:at] + _dumped(wanted, _margin(text, members[index][0]), unit) + text[to:]
    outer = _margin(text, start)
    inner = _margin(text, members[0][0]) if members else outer + unit
    name = f"{json.dumps(key)}: " if isinstance(key, str) else ""
    member = f"\n{inner}{name}{_dumped(wanted, inner, unit)}"
    if not members:
        # Anything between the braces, usually comments, stays in front.
        between = text[start + 1 : end - 1].rstrip()
        return text[: start + 1] + between + member + f"\n{outer}" + text[end - 1 :]
    comma = place.trailing_comma
    at = span(comma)[1] if comma else members[-1][1]
    # A comment on the rest of the line belongs to the member before it.
    comment = _LINE_COMMENT.match(text, at, end)
    rest = comment.end() if comment else at
    tail = text[rest:]
    if comma:
        member += ","
    elif rest > at:
        text = text[:at] + "," + text[at:]
        rest += 1
    else:
        member = "," + member
    if "\n" not in text[start:end]:
        tail = f"\n{outer}" + tail.lstrip(" ")
    return text[:rest] + member + tail


_LINE_COMMENT = re.compile(r"(?:[ \t]*/\*[^\n]*?\*/)*[ \t]*(?://[^\n]*)?(?=\n)")
_COMMA = re.compile(r"//[^\n]*|/\*.*?\*/|(,)", re.DOTALL)


def _comma(text: str, start: int, end: int) -> int:
    """The position of the comma between two members, ignoring commas inside comments."""
    return next(found.start() for found in _COMMA.finditer(text, start, end) if found[1])


def _without(text: str, place: _Holder, key: str | int) -> str:
    index = _index(place, key)
    if index is None:
        return text
    members = _member_spans(place)
    start, end = members[index]
    if index + 1 < len(members):
        end = _comma(text, end, members[index + 1][0]) + 1
    elif place.trailing_comma:
        end = span(place.trailing_comma)[1]
    elif index:
        # Remove the comma in front, and keep any comment after it.
        comma = _comma(text, members[index - 1][1], start)
        text = text[:comma] + text[comma + 1 :]
        start, end = start - 1, end - 1
    before, after = text[:start], text[end:]
    if not before[before.rfind("\n") + 1 :].strip() and not after.partition("\n")[0].strip():
        return before[: before.rfind("\n") + 1].removesuffix("\n") + after[after.find("\n") :]
    return before + after.lstrip(" ")


def _margin(text: str, at: int) -> str:
    """The whitespace at the start of this line."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip())]


def _unit(text: str) -> str:
    """One step of indentation, taken from the first indented line."""
    for line in text.splitlines():
        margin = line[: len(line) - len(line.lstrip())]
        if margin and line.strip():
            return margin
    return "  "


def _dumped(wanted: Any, margin: str, unit: str) -> str:
    return json.dumps(wanted, indent=unit, ensure_ascii=False).replace("\n", "\n" + margin)


# TOML and YAML


def _toml(text: str, keys: Keys, wanted: Any) -> str:
    document = tomlkit.parse(text)
    _put(document, keys, wanted, lambda: tomlkit.table(is_super_table=True))
    return tomlkit.dumps(document)


# The indents of mappings and sequences, and the offset of the dash.
_YAML_LAYOUTS = ((2, 2, 0), (2, 4, 2), (4, 2, 0), (4, 4, 0), (4, 4, 2), (4, 6, 4))


def _yaml(text: str, keys: Keys, wanted: Any) -> str:
    layout = next((layout for layout in _YAML_LAYOUTS if _dumped_yaml(text, layout) == text), _YAML_LAYOUTS[0])
    return _dumped_yaml(text, layout, lambda document: _put(document, keys, wanted, dict))


def _dumped_yaml(text: str, layout: tuple[int, int, int], put: Callable[[Any], None] = lambda _: None) -> str:
    writer = YAML()
    writer.preserve_quotes, writer.width = True, 4096
    writer.indent(*layout)
    document = writer.load(text) or {}
    put(document)
    out = io.StringIO()
    writer.dump(document, out)
    return out.getvalue()


def _put(document: Any, keys: Keys, wanted: Any, new: Callable[[], Any]) -> None:
    place = document
    for key in keys[:-1]:
        if key not in place:
            if wanted is ABSENT:
                return
            place[key] = new()
        place = place[key]
    if wanted is ABSENT:
        place.pop(keys[-1], None)
    else:
        place[keys[-1]] = wanted


_READ: Mapping[Format, Callable[[str], Any]] = {
    "json": _read_json,
    "toml": tomllib.loads,
    "yaml": lambda text: YAML(typ="safe", pure=True).load(text),
}
_CHANGE: Mapping[Format, Callable[[str, Keys, Any], str]] = {"json": _json, "toml": _toml, "yaml": _yaml}
