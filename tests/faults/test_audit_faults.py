"""An audit that somebody altered, a disk that is full, a process that died between intent and outcome."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from aiops_shared.errors import AuditDownError
from aiops_shared.guardrails.audit import Audit
from aiops_shared.guardrails.audit_chain import Anchor, anchors_in
from aiops_shared.settings import StateSettings
from aiops_shared.state import Keys
from tests.shared.guardrails.audits import ANN, Books, books
from tests.shared.guardrails.stores import FullDisk


@pytest.fixture
def ten(tmp_path: Path) -> Iterator[Books]:
    with books(tmp_path) as one:
        yield one


# T15: altered.


@pytest.mark.threat("T15")
@pytest.mark.row("S33")
@pytest.mark.parametrize(
    ("statements", "first_bad", "says"),
    [
        (["UPDATE audit SET body = replace(body, 'scale', 'ScalE') WHERE seq = 5"], 5, "not what was signed"),
        (["UPDATE audit SET actor = 'somebody' WHERE seq = 4"], 4, "columns do not say"),
        (["UPDATE audit SET mac = prev WHERE seq = 3"], 3, "not what was signed"),
        (["DELETE FROM audit WHERE seq = 6"], 6, "missing"),
        (["DELETE FROM audit WHERE seq = 1"], 1, "missing"),
        (["DELETE FROM audit WHERE seq >= 8"], 8, "tail was cut off"),
        (["DELETE FROM audit"], 1, "tail was cut off"),
        (
            [
                "UPDATE audit SET seq = 100 WHERE seq = 4",
                "UPDATE audit SET seq = 4 WHERE seq = 5",
                "UPDATE audit SET seq = 5 WHERE seq = 100",
            ],
            4,
            "does not follow",
        ),
        (["DELETE FROM audit_head"], 10, "head of the chain is missing"),
        (["DELETE FROM audit WHERE seq > 8", "UPDATE audit_head SET seq = 8"], 9, "not what was sealed"),
    ],
    ids=["edited", "column", "mac", "deleted", "first", "tail", "all", "reordered", "no-head", "head-forged"],
)
async def test_an_altered_audit_is_named_at_its_first_bad_record(
    ten: Books, statements: list[str], first_bad: int, says: str
) -> None:
    await ten.actions(5)
    assert (await ten.audit.verify()).holds
    ten.tamper(*statements)
    report = await ten.audit.verify()
    assert report.first_bad == first_bad
    assert says in report.reason


@pytest.mark.threat("T15")
async def test_a_tail_cut_off_together_with_its_head_shows_against_the_log(
    ten: Books, caplog: pytest.LogCaptureFixture
) -> None:
    await ten.actions(49)
    ten.tamper("CREATE TABLE old_head AS SELECT * FROM audit_head")
    await ten.actions(2)
    # Whoever kept an old head can put it back with the old tail; only the second place knows better.
    ten.tamper(
        "DELETE FROM audit WHERE seq > (SELECT seq FROM old_head)",
        "DELETE FROM audit_head",
        "INSERT INTO audit_head SELECT * FROM old_head",
    )
    assert (await ten.audit.verify()).holds
    anchors = anchors_in(record.getMessage() for record in caplog.records)
    report = await ten.audit.verify(anchors)
    assert (report.first_bad, anchors[0].seq) == (99, 100)
    assert "tail was cut off" in report.reason


@pytest.mark.threat("T15")
async def test_a_chain_signed_with_another_key_is_not_ours(tmp_path: Path) -> None:
    with books(tmp_path) as one:
        await one.actions(1)
    free(tmp_path / "state.key")
    with books(tmp_path) as one:
        assert (await one.audit.verify()).first_bad == 1


@pytest.mark.threat("T15")
async def test_two_processes_append_to_one_chain(tmp_path: Path) -> None:
    with books(tmp_path) as one, books(tmp_path) as two:

        def work(some: Books) -> None:
            for number in range(20):
                intent = partial(some.audit.intent_in, caller=ANN, action_id=f"act-{number}", says={})
                some.store.run_now(intent)

        threads = [threading.Thread(target=work, args=(some,)) for some in (one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        report = await one.audit.verify()
    assert (report.holds, report.records) == (True, 40)


# R9: full.


async def change(audit: Audit, effects: list[str]) -> None:
    """Intent, then effect, as everything that changes something does it."""
    await audit.intent(ANN, "act-2", {})
    effects.append("happened")


async def append_much(audit: Audit) -> None:
    for number in range(100):
        await audit.intent(ANN, f"more-{number}", {"fill": "y" * 20_000})


@pytest.mark.fault("R9")
@pytest.mark.threat("T15")
async def test_a_full_disk_refuses_writes_before_the_effect_and_recovers_without_a_restart(
    tmp_path: Path,
) -> None:
    store = FullDisk(StateSettings(dir=tmp_path))
    effects: list[str] = []
    with books(tmp_path, store) as one:
        await one.actions(1)
        store.full = True
        with pytest.raises(AuditDownError, match="disk is full") as caught:
            await change(one.audit, effects)
        assert caught.value.code == "audit_down"
        assert len(await one.audit.show()) == 2
        await one.audit.journal(ANN, "list_clusters", {})
        store.full = False
        await one.actions(1)
        assert (await one.audit.verify()).holds
    assert effects == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 1 MB."""
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(disk)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def free(filler: Path) -> None:
    filler.unlink()


def largest_file(directory: Path) -> int:
    return max(path.stat().st_size for path in directory.iterdir())


@pytest.mark.fault("R9")
@pytest.mark.threat("T15")
async def test_a_really_full_disk_refuses_writes_goes_on_reading_and_recovers(small_disk: Path) -> None:
    with books(small_disk / "state") as one:
        await one.actions(1)
        fill(small_disk / "filler")
        refused = 0
        for number in range(60):  # what SQLite still has room for in its own files is used up first
            try:
                await one.audit.intent(ANN, f"more-{number}", {"fill": "y" * 20_000})
            except AuditDownError:
                refused += 1
        assert refused > 0
        held = len(await one.audit.show(limit=1000))
        assert held == (await one.audit.verify()).records
        free(small_disk / "filler")
        await one.actions(1)
        report = await one.audit.verify()
    assert (report.holds, report.records) == (True, held + 2)


@pytest.mark.fault("R9")
async def test_a_write_error_of_the_system_refuses_and_recovers(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with books(tmp_path) as one:
        await one.actions(1)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file(tmp_path), hard))
        try:
            with pytest.raises(AuditDownError):
                await append_much(one.audit)
            assert await one.audit.show()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        await one.actions(1)
        assert (await one.audit.verify()).holds


@pytest.mark.fault("R9")
def test_a_commit_that_fails_with_a_record_in_it_says_that_the_audit_is_down(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with books(tmp_path) as one:
        intent = partial(one.audit.intent_in, caller=ANN, action_id="act", says={"fill": "y" * 20_000})
        one.store.run_now(intent)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file(tmp_path), hard))
        try:
            with pytest.raises(AuditDownError):
                repeat(partial(one.store.run_now, intent), 100)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        one.store.run_now(intent)


def repeat(call: Callable[[], object], times: int) -> None:
    for _ in range(times):
        call()


# R7: killed.

_CHILD = """
import asyncio, sys
from pathlib import Path
from aiops_shared.clock import SystemClock
from aiops_shared.guardrails.audit import Audit
from aiops_shared.guardrails.models import Caller
from aiops_shared.settings import StateSettings
from aiops_shared.state import Keys, StateStore

async def main():
    settings = StateSettings(dir=Path(sys.argv[1]))
    audit = Audit(StateStore(settings), Keys(settings), SystemClock())
    seq = await audit.intent(Caller(name="ann"), "act-1", {"step": "scale"})
    print(seq, flush=True)
    sys.stdin.read()

asyncio.run(main())
"""


def killed_after_its_intent(directory: Path) -> bytes:
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        assert child.stdout is not None
        said = child.stdout.readline()
        child.send_signal(signal.SIGKILL)
    return said


@pytest.mark.threat("T15")
@pytest.mark.slow
async def test_a_process_killed_between_intent_and_outcome_is_reported_unknown(tmp_path: Path) -> None:
    assert killed_after_its_intent(tmp_path) == b"1\n"
    with books(tmp_path) as one:
        report = await one.audit.verify()
        assert (report.holds, report.records, report.unknown) == (True, 1, (1,))
        await one.audit.outcome(1, ANN, "act-1", {"says": "read back: applied"})
        assert (await one.audit.verify()).unknown == ()


def let_others_read(file: Path) -> None:
    file.chmod(0o644)


@pytest.mark.threat("T15")
async def test_without_its_key_nothing_is_recorded_and_nothing_may_happen(tmp_path: Path) -> None:
    settings = StateSettings(dir=tmp_path)
    Keys(settings).derive("audit")
    let_others_read(tmp_path / "state.key")
    with books(tmp_path) as one, pytest.raises(AuditDownError, match="others can read it"):
        await one.audit.intent(ANN, "act-1", {})


def test_an_anchor_reads_back_from_a_log_line() -> None:
    anchor = Anchor(seq=200, mac="ab" * 32)
    assert anchors_in([f"2026-11-22 WARNING aiops.audit {anchor}", "other"]) == (anchor,)
