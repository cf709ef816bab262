"""Two thousand histories of thirty or more steps, over every store. See `machine.py`."""

import asyncio

from tests.support.redis_server import redis_running
from tests.support.store_machine import at_once, drive, in_a_file, in_memory, in_redis, long_enough


def test_sqlite_in_memory_keeps_every_promise() -> None:
    assert long_enough(drive(in_memory(), at_once))


def test_sqlite_in_a_file_keeps_every_promise() -> None:
    assert long_enough(drive(in_a_file(), at_once))


def test_redis_keeps_every_promise() -> None:
    with redis_running("--appendonly", "no") as server, asyncio.Runner() as runner:
        assert long_enough(drive(in_redis(server.socket_url), runner.get_loop().run_until_complete))
