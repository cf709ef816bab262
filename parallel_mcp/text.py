"""What text from outside may be shown, and where."""

import re

# C0 and C1 controls but for newline and tab, lone surrogates, and the bidirectional overrides, which let
# text pose as other text in a terminal.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def clean(text: str, limit: int | None = None) -> str:
    """Text from outside, without control characters and terminal escapes; newlines and tabs stay.

    `limit` is in characters; a longer text is cut and ends in an ellipsis.
    """
    if limit is not None and len(text) > limit:
        return _UNSAFE.sub("", text[: limit - 1]).rstrip() + "…"
    return _UNSAFE.sub("", text)
