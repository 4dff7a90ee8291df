"""The store: transactions, private files, and two processes that start at once."""

import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import IntegrityError, StatementError

from aiops_shared.errors import NotConfiguredError, UnreachableError
from aiops_shared.settings import StateSettings
from aiops_shared.state import StateStore
from aiops_shared.state.schema import leases
from aiops_shared.state.times import database_now, exclusive

NOW = datetime(2026, 11, 22, 2, 0, 0, 123_456, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    store = StateStore(StateSettings(dir=tmp_path / "state"))
    yield store
    store.close()


def lease(conn: Connection, name: str, at: datetime = NOW) -> None:
    conn.execute(leases.insert().values(name=name, owner="me", fence=1, expires_at=at))


def held(conn: Connection) -> list[str]:
    return list(conn.execute(select(leases.c.name).order_by(leases.c.name)).scalars())


async def test_work_that_returns_is_kept_and_work_that_raises_is_undone(store: StateStore) -> None:
    def failing(conn: Connection) -> None:
        lease(conn, "b")
        raise ZeroDivisionError

    await store.run(lambda conn: lease(conn, "a"))
    with pytest.raises(ZeroDivisionError):
        await store.run(failing)
    assert await store.read(held) == ["a"]


@pytest.mark.threat("T6")
async def test_values_of_a_statement_stand_in_no_log_and_in_no_error(
    store: StateStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sqlalchemy.engine")
    await store.run(lambda conn: lease(conn, "words-of-a-caller"))
    with pytest.raises(IntegrityError) as error:
        await store.run(lambda conn: lease(conn, "words-of-a-caller"))
    assert "INSERT INTO leases" in caplog.text
    assert "words-of-a-caller" not in f"{caplog.text} {error.value}"


async def test_a_broken_constraint_is_an_answer_for_the_caller(store: StateStore) -> None:
    await store.run(lambda conn: lease(conn, "a"))
    with pytest.raises(IntegrityError):
        await store.run(lambda conn: lease(conn, "a"))


async def test_times_come_back_exact_aware_and_in_utc(store: StateStore) -> None:
    tokyo = NOW.astimezone(timezone(timedelta(hours=9)))
    await store.run(lambda conn: lease(conn, "a", tokyo))
    assert await store.read(lambda conn: conn.execute(select(leases.c.expires_at)).scalar_one()) == NOW
    with pytest.raises(StatementError, match="needs a time zone"):
        await store.run(lambda conn: lease(conn, "b", NOW.replace(tzinfo=None)))


async def test_durable_commits_are_synced_and_others_need_not_be(store: StateStore) -> None:
    def synchronous(conn: Connection) -> int:
        return int(conn.exec_driver_sql("PRAGMA synchronous").scalar_one())

    assert await store.run(synchronous) == 2  # FULL
    assert await store.run(synchronous, durable=False) == 1  # NORMAL


async def test_sqlite_runs_with_wal_foreign_keys_and_a_busy_timeout(store: StateStore) -> None:
    def pragmas(conn: Connection) -> list[object]:
        names = ("journal_mode", "foreign_keys", "busy_timeout")
        return [conn.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]

    assert await store.read(pragmas) == ["wal", 1, 10_000]


async def test_readers_do_not_wait_for_a_writer_and_see_no_half_of_it(store: StateStore) -> None:
    inside, leave = threading.Event(), threading.Event()

    def writing(conn: Connection) -> None:
        lease(conn, "a")
        inside.set()
        leave.wait(10)

    writer = threading.Thread(target=lambda: store.run_now(writing))
    writer.start()
    inside.wait(10)
    try:
        assert await store.read(held) == []
    finally:
        leave.set()
        writer.join()
    assert await store.read(held) == ["a"]


def test_of_two_writers_the_second_sees_what_the_first_wrote(store: StateStore, tmp_path: Path) -> None:
    other = StateStore(StateSettings(dir=tmp_path / "state"))

    def count_up(conn: Connection) -> None:
        exclusive(conn, "count")
        number = conn.execute(select(func.count()).select_from(leases)).scalar_one()
        lease(conn, f"n{number}")

    def work(some: StateStore) -> None:
        for _ in range(15):
            some.run_now(count_up, durable=False)

    threads = [threading.Thread(target=work, args=(some,)) for some in (store, other, store)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.read_now(held)) == 45
    other.close()


def test_files_are_private(store: StateStore, tmp_path: Path) -> None:
    store.run_now(lambda conn: lease(conn, "a"))
    directory = tmp_path / "state"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()} == {0o600}


def test_rights_of_others_on_an_existing_file_are_taken_away(store: StateStore, tmp_path: Path) -> None:
    file = tmp_path / "state" / "state.db"
    file.parent.mkdir(mode=0o700)
    file.touch(0o644)
    store.run_now(lambda conn: lease(conn, "a"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_directory_that_everybody_may_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(NotConfiguredError, match="every user of this machine"):
        StateStore(StateSettings(dir=tmp_path)).read_now(held)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("hunter2", "not a database URL"),
        ("mysql://u:hunter2@db/x", "mysql is not served"),
        ("sqlite://", "in memory"),
    ],
)
def test_a_url_that_can_not_be_used_is_refused_without_showing_it(url: str, says: str) -> None:
    with pytest.raises(NotConfiguredError, match=says) as caught:
        StateStore(StateSettings(url=url)).read_now(held)
    assert "hunter2" not in str(caught.value)


@pytest.mark.fault("R8")
def test_a_database_that_can_not_be_reached_says_so_without_the_password() -> None:
    store = StateStore(StateSettings(url="postgresql://u:hunter2@127.0.0.1:9/x"))
    with pytest.raises(UnreachableError, match="state store") as caught:
        store.read_now(held)
    assert "hunter2" not in str(caught.value)


@pytest.mark.fault("R8")
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    file.write_bytes(b"no database" * 1000)
    with pytest.raises(UnreachableError, match="not a database"):
        StateStore(StateSettings(dir=tmp_path)).read_now(held)
    assert file.read_bytes() == b"no database" * 1000


def test_the_database_says_the_time(store: StateStore) -> None:
    now = store.read_now(database_now)
    assert abs((datetime.now(UTC) - now).total_seconds()) < 60  # noqa: TID251  # compared with the real clock


_CHILD = """
import sys
from pathlib import Path
from aiops_shared.settings import StateSettings
from aiops_shared.state import Keys, StateStore
settings = StateSettings(dir=Path(sys.argv[1]))
sys.stdin.readline()
store = StateStore(settings)
store.run_now(lambda conn: conn.exec_driver_sql(
    "INSERT INTO leases VALUES (?, 'x', 1, 1)", (sys.argv[2],)))
print(Keys(settings).derive("audit").hex())
"""


@pytest.mark.slow
def test_processes_that_start_at_once_on_nothing_share_one_schema_and_one_key(tmp_path: Path) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(tmp_path / "state"), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    answers = [child.communicate(timeout=25)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0, 0]
    assert len(set(answers)) == 1
    store = StateStore(StateSettings(dir=tmp_path / "state"))
    assert store.read_now(held) == ["0", "1", "2"]
    store.close()


_LOOK = """
import sys
from pathlib import Path
from aiops_shared.settings import StateSettings
from aiops_shared.state import StateStore
store = StateStore(StateSettings(dir=Path(sys.argv[1])))
store.read_now(lambda conn: None)
store.close()
"""


@pytest.mark.slow
@pytest.mark.fault("R8")
def test_a_second_store_of_a_process_does_not_give_up_the_locks_of_the_first(tmp_path: Path) -> None:
    """Else another process takes the database for closed and removes its WAL: disk I/O errors follow."""
    first, second = (StateStore(StateSettings(dir=tmp_path)) for _ in range(2))
    first.run_now(lambda conn: lease(conn, "a"))
    second.read_now(lambda conn: None)
    subprocess.run([sys.executable, "-c", _LOOK, str(tmp_path)], check=True)
    assert (tmp_path / "state.db-wal").exists()
    first.run_now(lambda conn: lease(conn, "b"))
    assert second.read_now(held) == ["a", "b"]
    second.close()
    first.close()
