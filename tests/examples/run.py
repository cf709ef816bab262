"""Installs frameworks and runs their examples: python -m tests.examples.run [NAME ...]

Without names, all of them. The newest release of each is installed into its own folder among the machine's temporary
files, and run over stdio and HTTP. The exit status is 1 if one falls short of what the README promises.
"""

import sys

import anyio

from tests.examples.play import Example, examples, play


async def _faults(example: Example) -> list[str]:
    found = []
    for transport in ("stdio", "http"):
        played = await play(example, transport)
        faults = played.faults()
        verdict = "NOT MET" if faults else f"ok, shown: {played.channel}"
        print(f"{example.title:28} {transport:6} {verdict}", flush=True)
        found += faults
    return found


def main() -> None:
    """Run the command."""
    known = examples()
    names = sys.argv[1:] or list(known)
    if unknown := set(names) - set(known):
        sys.exit(f"{', '.join(sorted(unknown))}: not among {', '.join(known)}")
    failed = 0
    for name in names:
        known[name].install()
        faults = anyio.run(_faults, known[name])
        failed += bool(faults)
        print(*(f"    {fault}" for fault in faults), sep="\n", end="\n" if faults else "", flush=True)
    print(f"{len(names) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
