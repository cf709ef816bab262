"""A research run's sources as RIS, for reference managers."""

from parallel_mcp.models import Research
from parallel_mcp.report.bibliography import Entry, entries


def ris(research: Research) -> str:
    """One `ELEC` record per source. Lines end in CR LF, as the format requires. Encoding: UTF-8."""
    return "".join(_record(entry) for entry in entries(research))


def _record(entry: Entry) -> str:
    tags = [
        ("TY", "ELEC"),
        ("ID", entry.key),
        ("TI", entry.title),
        ("PB", entry.site),
        ("UR", entry.url),
        ("Y2", entry.accessed.strftime("%Y/%m/%d")),
        *(("N1", excerpt) for excerpt in entry.excerpts),
        ("ER", ""),
    ]
    return "".join(f"{tag}  - {value}\r\n" for tag, value in tags if value or tag == "ER")
