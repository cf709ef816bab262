"""Builds, checks and packs the files of a release into `dist/`: `python -m tests.bundles.release [TAG]`.

It publishes nothing. A tag must match the version that all files have.
"""

import hashlib
import shutil
import subprocess
import sys
from importlib.metadata import version

from tests.bundles import NODE, ROOT

NAME = "parallel-mcp"
DIST = ROOT / "dist"


def main(tag: str) -> int:
    """Build. The exit status says whether it can be released."""
    own = version(NAME)
    if tag and tag != f"v{own}":
        print(f"The tag is {tag}, and everything else says {own}.")
        return 1
    notes = (ROOT / "CHANGELOG.md").read_text("utf-8").split("\n## ")
    if tag and any(part.startswith("Unreleased") and "- " in part for part in notes):
        print("CHANGELOG.md has lines that are not released: put them under the version's heading.")
        return 1
    shutil.rmtree(DIST, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "build", "--installer", "uv", "--outdir", str(DIST)], cwd=ROOT, check=True)
    archives = sorted(str(path) for path in DIST.iterdir())
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *archives], check=True)
    bundle = DIST / f"{NAME}-{own}.mcpb"
    for arguments in (["validate", "manifest.json"], ["pack", ".", str(bundle)]):
        subprocess.run([NODE / "mcpb", *arguments], cwd=ROOT, check=True)
    for path in sorted(DIST.iterdir()):
        print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.stat().st_size:>8}  {path.name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
