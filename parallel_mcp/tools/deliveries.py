"""Which answers were handed out before: a first delivery is never called old."""

import time
from collections import OrderedDict
from dataclasses import dataclass, field

from parallel_mcp.research import ResearchRun

_MOST = 4_096


@dataclass(slots=True)
class Deliveries:
    """The runs whose answer this process has handed out, the last few thousand of them."""

    _began: float = field(default_factory=time.monotonic)
    _handed_out: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def first(self, row: ResearchRun, *, by_id: bool) -> bool:
        """Whether a run's answer is handed out for the first time, as far as this process can know; notes that it is.

        What ended before this process began, and is found by its question, was handed out by another.
        """
        if row.answer is None:
            return True
        known = row.research_id in self._handed_out
        self._handed_out[row.research_id] = None
        if len(self._handed_out) > _MOST:
            self._handed_out.popitem(last=False)
        age = row.read_at - (row.finished_at or row.read_at)
        return not known and (by_id or age <= time.monotonic() - self._began)
