"""An API key that no repr and no traceback shows."""

from dataclasses import dataclass, field
from urllib.parse import quote

from parallel_mcp import errors


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that no repr and no traceback shows."""

    value: str = field(repr=False)

    def bearer(self) -> dict[str, str]:
        """The header with the key. Raises KeyRefused if it cannot be sent in a header."""
        if not (self.value and self.value.isascii() and self.value.isprintable()):
            raise errors.KeyRefused("it was not sent, because it has characters that a key cannot have")
        return {"authorization": f"Bearer {self.value}"}

    def hide(self, text: str) -> str:
        """The text without the key, in any spelling. A key shorter than a real one is left alone."""
        if len(self.value) >= 8:
            for spelling in (self.value, repr(self.value)[1:-1], quote(self.value, safe="")):
                text = text.replace(spelling, "[key]")
        return text
