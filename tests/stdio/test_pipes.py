"""Pipes whose writer writes at once what there is room for."""

import os
import threading
from collections.abc import Iterator

import pytest

from parallel_mcp.stdio import pipes


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    os.close(read)


def test_what_fits_is_written_before_put_returns(pipe: tuple[int, int]) -> None:
    read, write = pipe
    writer = pipes.Writer(write, eager=True)
    writer.put(b"one\n")
    writer.put(b"two\n")
    os.set_blocking(read, False)
    assert os.read(read, 100) == b"one\ntwo\n"
    writer.close()


def test_what_does_not_fit_follows_in_its_order_and_holds_nobody_up(pipe: tuple[int, int]) -> None:
    read, write = pipe
    writer = pipes.Writer(write, eager=True)
    sent = [bytes([number]) * 100_000 + b"\n" for number in range(32, 42)]
    for data in sent:
        writer.put(data)  # Would never return if it waited: nobody reads yet.
    found = [line for batch in _until(read, len(b"".join(sent))) for line in batch]
    assert found == sent
    writer.close()


def _until(fd: int, size: int) -> Iterator[list[bytes]]:
    for batch in pipes.lines(fd):
        yield batch
        size -= sum(map(len, batch))
        if size <= 0:
            return


def test_a_held_writer_writes_nothing_before_release(pipe: tuple[int, int]) -> None:
    read, write = pipe
    writer = pipes.Writer(write, held=True, eager=True)
    writer.put(b"one\n")
    assert writer.take_back(b"one\n")
    writer.put(b"two\n")
    writer.release()
    assert os.read(read, 100) == b"two\n"
    writer.close()


def test_a_pipe_that_nobody_reads_any_more_is_noticed() -> None:
    read, write = os.pipe()
    broken = threading.Event()
    writer = pipes.Writer(write, eager=True, broken=broken.set)
    os.close(read)
    writer.put(b"one\n")
    assert broken.wait(10)
