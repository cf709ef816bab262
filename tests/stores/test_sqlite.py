"""Everything that can go wrong with a file, for real."""

import os
import shutil
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import anyio
import pytest

from parallel_mcp.errors import StoreFailed
from parallel_mcp.stores import sqlite_writer
from parallel_mcp.stores.sqlite import SQLiteStore
from tests.support.stores import ALICE, added, answered, asked, content_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "research.sqlite3"


@asynccontextmanager
async def opened(path: Path | None) -> AsyncIterator[SQLiteStore]:
    store = SQLiteStore(path)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_writer, "BUSY_SECONDS", 0.2)


# The file and its folder


async def test_the_file_is_for_its_user_only(path: Path) -> None:
    before = os.umask(0)
    try:
        async with opened(path) as store:
            await added(store, asked())
            found = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert found.pop("research.sqlite3") == 0o600
    assert set(found.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_rows_are_utf_8_as_they_were_written(path: Path) -> None:
    async with opened(path) as store:
        row = await added(store, asked("Größe? 漢字 🎈"))
        await store.finish(row.research_id, "one", answered("Höhe. 漢字 🎈"))
    with closing(sqlite3.connect(path)) as raw:
        raw.text_factory = bytes
        (question, answer), *_ = raw.execute("SELECT question, answer FROM research").fetchall()
    assert "Größe? 漢字 🎈".encode() in question
    assert "Höhe. 漢字 🎈".encode() in answer


async def test_a_list_does_not_read_what_the_answers_say(path: Path) -> None:
    async with opened(path) as store:
        row = await added(store, asked())
        await store.finish(row.research_id, "one", answered())
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("UPDATE research SET answer = 'unreadable'")
        assert [listed.status for listed in await store.list(ALICE)] == ["completed"]
        with pytest.raises(StoreFailed):
            await store.get(row.research_id, ALICE)


async def test_a_store_that_is_not_used_makes_no_file(path: Path) -> None:
    async with opened(path):
        pass
    assert not path.parent.exists()


async def test_rows_are_there_after_the_process_was_killed(path: Path) -> None:
    code = (
        "import anyio, os, pathlib, sys\n"
        "from parallel_mcp.stores.sqlite import SQLiteStore\n"
        "from tests.support.stores import asked, answered\n"
        "async def main():\n"
        "    store = SQLiteStore(pathlib.Path(sys.argv[1]))\n"
        "    for number in range(20):\n"
        "        row, _ = await store.add_or_join(asked(f'Question {number}'))\n"
        "        await store.finish(row.research_id, 'one', answered(f'Answer {number}'))\n"
        "    os.kill(os.getpid(), 9)\n"
        "anyio.run(main)\n"
    )
    killed = await anyio.run_process([sys.executable, "-c", code, str(path)], check=False)
    assert killed.returncode == -9, killed.stderr.decode()
    async with opened(path) as store:
        rows = [await store.get(row.research_id, ALICE) for row in await store.list(ALICE)]
    assert [content_of(row) for row in rows] == [f"Answer {number}" for number in reversed(range(20))]


async def test_many_processes_share_one_file(path: Path) -> None:
    code = (
        "import anyio, pathlib, sys\n"
        "from parallel_mcp.errors import BudgetReached\n"
        "from parallel_mcp.stores.sqlite import SQLiteStore\n"
        "from tests.support.stores import ALICE, asked\n"
        "async def main():\n"
        "    store, entries = SQLiteStore(pathlib.Path(sys.argv[1])), []\n"
        "    for number in range(25):\n"
        "        try:\n"
        "            new = asked(f'Question {number}', holder=sys.argv[2], budget=0.2)\n"
        "            entries.append((await store.add_or_join(new))[1])\n"
        "        except BudgetReached:\n"
        "            entries.append('refused')\n"
        "    await store.close()\n"
        "    print(*entries)\n"
        "anyio.run(main)\n"
    )
    entries: list[str] = []

    async def work(number: int) -> None:
        done = await anyio.run_process([sys.executable, "-c", code, str(path), f"worker {number}"], input=b"go\n")
        entries.extend(done.stdout.decode().split())

    async with anyio.create_task_group() as group:
        for number in range(4):
            group.start_soon(work, number)
    # Twenty rows fit into the budget, whoever adds them. All four are refused the other five questions.
    assert {kind: entries.count(kind) for kind in ("added", "joined", "refused")} == {
        "added": 20,
        "joined": 60,
        "refused": 20,
    }
    async with opened(path) as store:
        assert [line.requests for line in await store.spent(ALICE)] == [20]


# Another program holds it


async def test_a_file_that_another_program_holds_is_a_clear_error_and_works_later(
    path: Path, short_patience: None
) -> None:
    async with opened(path) as store:
        row = await added(store, asked())
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(StoreFailed, match="another program has locked the file"):
                await store.get(row.research_id, ALICE)
            with pytest.raises(StoreFailed, match="another program has locked the file"):
                await store.finish(row.research_id, "one", answered())
            other.execute("ROLLBACK")
        assert content_of(await store.finish(row.research_id, "one", answered())) == "Because."


async def test_a_file_that_is_held_from_the_start_works_later(path: Path, short_patience: None) -> None:
    async with opened(path) as store:
        path.parent.mkdir()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(StoreFailed, match="another program has locked the file"):
                await store.add_or_join(asked())
            other.execute("ROLLBACK")
        await added(store, asked())


async def test_a_call_waits_for_a_file_that_is_held_for_a_while(path: Path) -> None:
    async with opened(path) as store:
        row = await added(store, asked())
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
            other.execute("BEGIN EXCLUSIVE")
            async with anyio.create_task_group() as group:
                group.start_soon(store.finish, row.research_id, "one", answered())
                with anyio.move_on_after(0.3):
                    await store.get(row.research_id, ALICE)
                other.execute("ROLLBACK")
        assert content_of(await store.get(row.research_id, ALICE)) == "Because."


async def test_a_cancelled_call_does_not_wait_for_the_file(path: Path) -> None:
    async with opened(path) as store:
        row = await added(store, asked())
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with anyio.move_on_after(0.2) as bound:
                await store.get(row.research_id, ALICE)
            other.execute("ROLLBACK")
        assert bound.cancelled_caught


async def test_a_cancelled_charge_was_either_made_or_not(path: Path) -> None:
    async with opened(path) as store:
        made = 0

        async def charge() -> None:
            nonlocal made
            await store.charge(ALICE, "base", 0.01, None)
            made += 1

        for checkpoints in range(40):
            async with anyio.create_task_group() as group:
                group.start_soon(charge)
                for _ in range(checkpoints):
                    await anyio.lowlevel.checkpoint()
                group.cancel_scope.cancel()
        lines = sum(line.requests for line in await store.spent(ALICE))
    assert lines == made


# The disk


async def fill(store: SQLiteStore) -> list[str]:
    """Ask until the disk is full. Returns the ids that were stored."""
    ids: list[str] = []
    with pytest.raises(StoreFailed, match="the disk is full"):
        while True:
            ids.append((await added(store, asked(f"{len(ids)} " + "x" * 5000))).research_id)
    return ids


async def test_a_full_disk_is_a_clear_error_and_nothing_stored_is_lost(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 500_000)
    async with opened(small_disk / "research.sqlite3") as store:
        ids = await fill(store)
        assert ids
        assert len(await store.list(ALICE, limit=5000)) == len(ids)
        with pytest.raises(StoreFailed, match="the disk is full"):
            await store.check()
        with pytest.raises(StoreFailed, match="the disk is full"):
            for row_id in ids:
                await store.finish(row_id, "one", answered("x" * 50_000))
        ballast.unlink()
        await store.check()
        assert content_of(await store.finish(ids[-1], "one", answered())) == "Because."
    async with opened(small_disk / "research.sqlite3") as store:
        assert len(await store.list(ALICE, limit=5000)) == len(ids)


async def test_a_file_that_may_not_grow_is_a_clear_error_and_nothing_stored_is_lost(path: Path) -> None:
    async with opened(path) as store:
        await added(store, asked())
        assert store._file._connection is not None
        store._file._connection.execute("PRAGMA max_page_count = 40")
        ids = await fill(store)
        assert len(await store.list(ALICE, limit=5000)) == len(ids) + 1
        store._file._connection.execute("PRAGMA max_page_count = 4000")
        assert content_of(await store.finish(ids[-1], "one", answered())) == "Because."


async def test_a_damaged_file_is_a_clear_error_and_is_left_alone(path: Path) -> None:
    async with opened(path) as store:
        row = await added(store, asked())
    file = anyio.Path(path)
    whole = await file.read_bytes()
    damaged = bytes(4096) + whole[4096:]
    await file.write_bytes(damaged)
    async with opened(path) as store:
        for _ in range(2):
            with pytest.raises(StoreFailed, match=r"damaged or is not a SQLite file\. Move it"):
                await store.get(row.research_id, ALICE)
            with pytest.raises(StoreFailed, match="damaged or is not a SQLite file"):
                await store.add_or_join(asked("Another"))
        assert await file.read_bytes() == damaged
        assert [beside.name for beside in path.parent.iterdir()] == [path.name]
        await file.write_bytes(whole)
        assert await store.get(row.research_id, ALICE) is not None


async def test_a_file_that_was_replaced_is_read_and_not_the_one_before(path: Path, tmp_path: Path) -> None:
    async with opened(path) as store:
        row = await added(store, asked())
    shutil.copy(path, tmp_path / "copy")
    async with opened(path) as store:
        await store.forget(ALICE, row.research_id)
        os.replace(tmp_path / "copy", path)
        for rest in ("-wal", "-shm"):
            path.with_name(path.name + rest).unlink(missing_ok=True)
        assert await store.get(row.research_id, ALICE) is not None


async def test_a_file_that_was_deleted_is_made_again(path: Path) -> None:
    async with opened(path) as store:
        await added(store, asked())
        shutil.rmtree(path.parent)
        row = await added(store, asked())
    async with opened(path) as store:
        assert await store.get(row.research_id, ALICE) is not None


async def test_the_database_of_another_program_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE research (mine TEXT)")
    before = await anyio.Path(path).read_bytes()
    async with opened(path) as store:
        with pytest.raises(StoreFailed, match="belongs to another program"):
            await store.list(ALICE)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)
    assert len(await anyio.Path(path).read_bytes()) == len(before)


async def test_the_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    async with opened(path) as store:
        await added(store, asked())
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 99")
    async with opened(path) as store:
        with pytest.raises(StoreFailed, match="newer parallel-mcp; upgrade this one"):
            await store.list(ALICE)


async def test_a_row_that_cannot_be_read_is_a_clear_error_and_the_others_are_there(path: Path) -> None:
    async with opened(path) as store:
        broken, whole = await added(store, asked("Broken")), await added(store, asked("Whole"))
        with closing(sqlite3.connect(path)) as other, other:
            other.execute("UPDATE research SET question = '{' WHERE id = ?", (broken.research_id,))
        with pytest.raises(StoreFailed, match="this version cannot read a row"):
            await store.get(broken.research_id, ALICE)
        assert await store.get(whole.research_id, ALICE) is not None


async def test_a_folder_that_cannot_be_made_is_a_clear_error(path: Path) -> None:
    path.parent.write_text("This is a file.")
    async with opened(path) as store:
        with pytest.raises(StoreFailed, match=r"PARALLEL_MCP_STORE"):
            await store.add_or_join(asked())
        path.parent.unlink()
        await added(store, asked())


def let_in(folder: Path) -> None:
    """Let everybody enter a folder and pytest's own folders above it."""
    for there in (folder, *folder.parents):
        if "pytest" in str(there):
            there.chmod(there.stat().st_mode | 0o011)


async def test_a_folder_that_is_not_writable_is_a_clear_error(tmp_path: Path) -> None:
    # Without the rights of root, who may write anywhere.
    code = (
        # Import the event loop now, since the next user may not be allowed to read it.
        "import anyio, os, pathlib, sys\n"
        "import anyio._backends._asyncio\n"
        "from parallel_mcp.errors import StoreFailed\n"
        "from parallel_mcp.stores.sqlite import SQLiteStore\n"
        "from tests.support.stores import asked\n"
        "if os.geteuid() == 0:\n"
        "    os.chdir(sys.argv[1])\n"
        "    os.setgid(65534)\n"
        "    os.setuid(65534)\n"
        "async def main():\n"
        "    store = SQLiteStore(pathlib.Path(sys.argv[2]))\n"
        "    try:\n"
        "        await store.add_or_join(asked())\n"
        "    except StoreFailed as error:\n"
        "        print(error)\n"
        "anyio.run(main)\n"
    )
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o555)
    async with opened(tmp_path / "file.sqlite3") as store:
        await added(store, asked())
    (tmp_path / "file.sqlite3").chmod(0o444)
    let_in(tmp_path)
    for name in (folder / "new.sqlite3", tmp_path / "file.sqlite3"):
        done = await anyio.run_process([sys.executable, "-c", code, str(tmp_path), str(name)])
        said = done.stdout.decode()
        assert any(why in said for why in ("Permission denied", "not writable", "belongs to another user")), said
        assert "PARALLEL_MCP_STORE" in said


async def test_every_folder_on_the_way_is_made_for_this_user_only(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c" / "r.sqlite3"
    async with opened(path) as store:
        await store.list(ALICE)
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in list(path.parents)[:3]] == [0o700] * 3


@pytest.mark.parametrize("beside", ["", "-wal", "-shm"])
async def test_a_link_is_not_followed(tmp_path: Path, beside: str) -> None:
    target = tmp_path / "elsewhere"
    target.write_bytes(b"")
    path = tmp_path / "r.sqlite3"
    path.with_name(path.name + beside).symlink_to(target)
    async with opened(path) as store:
        with pytest.raises(StoreFailed, match="is a link"):
            await store.list(ALICE)
    assert target.read_bytes() == b""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away")
async def test_a_file_of_another_user_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite3"
    path.touch(0o666)
    os.chown(path, 65534, 65534)
    async with opened(path) as store:
        with pytest.raises(StoreFailed, match="belongs to another user"):
            await store.list(ALICE)
    assert path.stat().st_size == 0
