"""Pictures of the command line in a real terminal: `python docs/pictures/take.py` (or `nox -s pictures`).

Each command runs in tmux, 80 and 120 columns wide, against the sandbox; what the terminal then shows is saved as an
SVG, in the colours of a light and a dark terminal. If chromium is on the path, each is also saved as a PNG in the
folder given as the first argument.
"""

import html
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.color import Color
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

HERE = Path(__file__).parent
QUESTION = "How does the with statement use a context manager?"
SCHEMA = (
    '{"type":"object","properties":{"context_manager":{"type":"string"},'
    '"asynchronous_context_manager":{"type":"string"}}}'
)

COMMANDS = {
    "research": f'parallel-mcp research --sandbox "{QUESTION}"',
    "fields": f"parallel-mcp research --sandbox --output-schema '{SCHEMA}' \"What is a context manager?\"",
    "history": "parallel-mcp history --sandbox",
    "doctor": "parallel-mcp doctor --sandbox",
    "failure": "parallel-mcp answer 'Why is the sky blue?'",
    "help": "parallel-mcp --help",
}
WIDTHS = (80, 120)
HEIGHT = 100
DONE = "the-command-is-done"

_ANSI = [(0, 0, 0), (205, 60, 60), (40, 150, 80), (160, 120, 0), (60, 110, 210), (160, 80, 170), (0, 140, 150)]
THEMES = {
    "dark": TerminalTheme((24, 24, 27), (222, 222, 222), [*_ANSI, (200, 200, 200)]),
    "light": TerminalTheme((255, 255, 255), (32, 32, 32), [*_ANSI, (90, 90, 90)]),
}
CELL, LINE, EDGE = 8.4, 19, 16

NO_BREAK = "\u00a0"
"""A blank that no SVG renderer collapses."""


def main() -> None:
    """Take every picture."""
    png = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory() as home:
        for width in WIDTHS:
            for name, command in COMMANDS.items():
                shown = terminal(command, width, home)
                for theme, colours in THEMES.items():
                    picture = HERE / f"{name}-{width}-{theme}.svg"
                    picture.write_text(svg(shown, width, colours), "utf-8")
                    if png is not None:
                        as_png(picture, png / f"{picture.stem}.png")


def terminal(command: str, width: int, home: str) -> str:
    """What a terminal of this width shows after a command has ended, with the escapes for colours."""
    # A server of its own for each: one that is ending would take the next command with it.
    tmux = ["tmux", "-L", f"pictures-{time.monotonic_ns()}", "-f", "/dev/null"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"HOME": home, "XDG_DATA_HOME": home, "PATH": path, "LANG": "C.UTF-8"}
    shell = f"printf '$ %s\\n' {_quoted(command)}; {command} || printf '(exit %s)' $?; printf {DONE}; sleep 60"
    size = ["-x", str(width), "-y", str(HEIGHT)]
    subprocess.run([*tmux, "new-session", "-d", *size, shell], check=True, env={**environment, "SHELL": "/bin/sh"})
    try:
        give_up = time.monotonic() + 60
        while DONE not in _captured(tmux):
            if time.monotonic() > give_up:
                raise SystemExit(f"{command} did not end")
            time.sleep(0.2)
        shown = _captured(tmux, "-e").partition(DONE)[0].rstrip()
        if "Traceback" in shown or "CRITICAL" in shown:
            raise SystemExit(f"{command} failed:\n{shown}")
        return shown
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)


def _captured(tmux: list[str], *options: str) -> str:
    command = [*tmux, "capture-pane", "-p", *options]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _quoted(command: str) -> str:
    return "'" + command.replace("'", "'\\''") + "'"


def svg(shown: str, width: int, theme: TerminalTheme) -> str:
    """The terminal's contents as an SVG, in a font that the reader has."""
    lines = list(Text.from_ansi(shown).split("\n", allow_blank=True))
    size = (round(width * CELL + 2 * EDGE), len(lines) * LINE + 2 * EDGE)
    rows = "\n".join(
        f'<text x="{EDGE}" y="{EDGE + 14 + number * LINE}">{"".join(_spans(line, theme))}</text>'
        for number, line in enumerate(lines)
        if line.plain.strip()
    )
    font = "font-family:ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;font-size:14px;white-space:pre"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" width="{size[0]}">\n'
        f'<rect width="100%" height="100%" rx="6" fill="{theme.background_color.hex}"/>\n'
        f'<g style="{font}" fill="{theme.foreground_color.hex}">\n{rows}\n</g>\n</svg>\n'
    )


def _spans(line: Text, theme: TerminalTheme) -> Iterator[str]:
    from rich.console import Console

    column = 0
    for segment in line.render(Console(width=1000, color_system="truecolor")):
        text = segment.text.rstrip("\n")
        style = segment.style or Style()
        if text:
            place = f'x="{EDGE + column * CELL:g}" textLength="{len(text) * CELL:g}"'
            yield f"<tspan {place}{_look(style, theme)}>{html.escape(text).replace(' ', NO_BREAK)}</tspan>"
        column += len(text)


def _look(style: Style, theme: TerminalTheme) -> str:
    colour = style.color.get_truecolor(theme).hex if style.color is not None else ""
    return "".join(
        [
            f' fill="{colour}"' if isinstance(style.color, Color) and colour else "",
            ' font-weight="bold"' if style.bold else "",
            ' font-style="italic"' if style.italic else "",
            ' opacity="0.6"' if style.dim else "",
            ' text-decoration="underline"' if style.underline else "",
        ]
    )


def as_png(picture: Path, target: Path) -> None:
    """The same picture as a PNG, for viewers without SVG."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("chromium is not on the path")
    text = picture.read_text("utf-8")
    width, height = text.partition('viewBox="0 0 ')[2].partition('"')[0].split()
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},{int(height) + 90}"]
    subprocess.run([chromium, *options, f"--screenshot={target}", picture.as_uri()], check=True, capture_output=True)


if __name__ == "__main__":
    main()
