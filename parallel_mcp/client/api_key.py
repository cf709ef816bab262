"""An API key that no representation and no traceback shows."""

from dataclasses import dataclass, field
from urllib.parse import quote

from parallel_mcp import errors


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that no representation and no traceback shows."""

    value: str = field(repr=False)

    def bearer(self) -> dict[str, str]:
        """The header that carries it. Raises KeyRefused where no header can."""
        if not (self.value and self.value.isascii() and self.value.isprintable()):
            raise errors.KeyRefused("it was not sent, because it has characters that a key cannot have")
        return {"authorization": f"Bearer {self.value}"}

    def hide(self, text: str) -> str:
        """A text without it, however it is written; one shorter than a real key is left alone."""
        if len(self.value) >= 8:
            for spelling in (self.value, repr(self.value)[1:-1], quote(self.value, safe="")):
                text = text.replace(spelling, "[key]")
        return text
