"""Which answers have been delivered before, so that a first delivery is never called old."""

import time
from collections import OrderedDict
from dataclasses import dataclass, field

from parallel_mcp.research import ResearchRun

_MOST = 4_096


@dataclass(slots=True)
class Deliveries:
    """The last few thousand runs whose answers this process has delivered."""

    _began: float = field(default_factory=time.monotonic)
    _handed_out: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def first(self, row: ResearchRun, *, by_id: bool) -> bool:
        """Record a delivery, and return whether it is the run's first, as far as this process can know.

        A run that ended before this process began, and is found by its question, was delivered by another process.
        """
        if row.answer is None:
            return True
        known = row.research_id in self._handed_out
        self._handed_out[row.research_id] = None
        if len(self._handed_out) > _MOST:
            self._handed_out.popitem(last=False)
        age = row.read_at - (row.finished_at or row.read_at)
        return not known and (by_id or age <= time.monotonic() - self._began)
