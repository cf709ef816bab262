"""Splits the bytes of an event stream into events."""

from typing import NamedTuple

from parallel_mcp.chat.values import decoded

_MOST_LINES = 1_000


class Event(NamedTuple):
    """One server-sent event. `name` is empty if it has none."""

    name: str
    data: str


class Events:
    """Takes the bytes of an event stream and returns its events. Linear in time, however long a line is.

    More lenient than the specification, so that nothing is lost: an event counts even if the stream ends before its
    blank line, and so do chunks without a blank line between them.
    """

    def __init__(self) -> None:
        self.garbled = False
        self._rest: list[bytes] = []
        self._after_cr = False
        self._name = ""
        self._data: list[str] = []

    def feed(self, part: bytes) -> list[Event]:
        """The events that these bytes complete."""
        if self._after_cr and part:
            part = part.removeprefix(b"\n")
            self._after_cr = False
        if b"\n" not in part and b"\r" not in part:
            self._rest.append(part)
            return []
        self._after_cr = part.endswith(b"\r")
        lines = b"".join((*self._rest, part)).splitlines()
        self._rest = [] if part.endswith((b"\n", b"\r")) else [lines.pop()]
        events: list[Event] = []
        for line in lines:
            if line:
                self._line(line)
                if len(self._data) == _MOST_LINES and self._are_chunks():
                    events += self._dispatched()
            elif len(self._data) == 1:
                events.append(Event(self._name, self._data.pop()))
                self._name = ""
            else:
                events += self._dispatched()
        return events

    def end(self) -> list[Event]:
        """The events that the end of the stream completes."""
        last = b"".join(self._rest)
        self._rest = []
        self._line(last)
        return self._dispatched()

    def _line(self, line: bytes) -> None:
        if line.startswith(b"data: {"):
            # Nearly every line is like this, and the general case costs four times as much.
            try:
                self._data.append(line[6:].decode())
                return
            except UnicodeDecodeError:
                pass
        name, _, value = self._decoded(line).partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._name = value

    def _dispatched(self) -> list[Event]:
        name, data, are_chunks = self._name, self._data, self._are_chunks()
        self._name, self._data = "", []
        if are_chunks:
            return [Event(name, line) for line in data]
        return [Event(name, "\n".join(data))] if data else []

    def _are_chunks(self) -> bool:
        return len(self._data) > 1 and all(line.startswith(("{", "[DONE]")) for line in self._data)

    def _decoded(self, line: bytes) -> str:
        text, garbled = decoded(line)
        self.garbled = self.garbled or garbled
        return text
