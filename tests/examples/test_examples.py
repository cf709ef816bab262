"""The examples that need no more than the tests. `nox -s examples` runs the others."""

import sys
from dataclasses import replace

import pytest

from tests.examples.play import EXAMPLES, Example, examples, play

ALL = examples()


@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_the_plain_python_sdk_gets_through(transport: str) -> None:
    played = await play(replace(ALL["python_sdk"], python=sys.executable), transport)
    assert not played.faults(), "\n".join(played.faults())
    assert played.channel == "text"


def test_every_example_is_in_the_table_and_the_other_way_round() -> None:
    assert {example.file for example in ALL.values()} == set(EXAMPLES.glob("with_*"))


@pytest.mark.parametrize("example", ALL.values(), ids=lambda example: example.name)
def test_an_example_is_short_and_says_what_to_install(example: Example) -> None:
    lines = example.file.read_text("utf-8").splitlines()
    assert len(lines) <= 40
    (command,) = [line.replace('"', "") for line in lines[:4] if "install " in line]
    assert command.partition("install ")[2].split() == [*example.pip, *example.npm]
