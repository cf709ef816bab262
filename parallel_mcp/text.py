"""Makes text from outside safe to show."""

import re

_SURROGATE = re.compile("[\ud800-\udfff]")

# Form feeds, vertical tabs, lone carriage returns and NEL separate words.
_BLANK = re.compile(r"\r(?!\n)|[\x0b\x0c\x85]")

# C0 and C1 controls except newline and tab, and lone surrogates; then characters that disguise text as other text:
# direction marks, overrides and isolates, and the invisible tag characters.
_UNSAFE = re.compile(
    r"[\x00-\x08\x0d-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]"
)
_ANY = re.compile(f"{_BLANK.pattern}|{_UNSAFE.pattern}")


def clean(text: str, limit: int | None = None) -> str:
    """Text from outside without control characters, terminal escapes and invisible marks. Newlines and tabs stay.

    A text longer than `limit` characters is cut and ends in an ellipsis.
    """
    if limit is not None and len(text) > limit:
        return clean(text[: limit - 1]).rstrip() + "…"
    if text.isprintable():
        # Ordinary text on one line. This check is a hundred times faster than the patterns.
        return text
    return _UNSAFE.sub("", _BLANK.sub(" ", text)) if _ANY.search(text) else text


def paired(text: str) -> str:
    """Text with its surrogate pairs joined into characters. A lone half becomes U+FFFD.

    Halves come from streams that split between two UTF-16 units, and no encoder accepts them.
    """
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def escaped_separators(line: bytes) -> bytes:
    """Escape U+2028, U+2029 and U+0085 in UTF-8 JSON. Some clients split lines at them, and then wait forever."""
    for separator in ("\u2028", "\u2029", "\x85"):
        line = line.replace(separator.encode(), f"\\u{ord(separator):04x}".encode())
    return line
