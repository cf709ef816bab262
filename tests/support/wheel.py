"""Checks that the wheel contains the package, its license and nothing else: `python tests/support/wheel.py WHEEL`."""

import sys
import zipfile


def check(path: str) -> None:
    """Raise SystemExit, naming what does not belong in the wheel or what is missing."""
    names = zipfile.ZipFile(path).namelist()
    foreign = [name for name in names if not name.startswith(("parallel_mcp/", "parallel_mcp-"))]
    tests = [name for name in names if "test" in name.rpartition("/")[2]]
    missing = {"parallel_mcp/py.typed", "parallel_mcp/stores/redis.lua"} - set(names)
    if foreign or tests or missing:
        raise SystemExit(f"{path}: does not belong: {foreign + tests}; missing: {sorted(missing)}")


if __name__ == "__main__":
    check(sys.argv[1])
