"""R1-R23 one by one: whether each concerns runs of SOPs, and where it is proved. Called by `faults.__main__`.

A proof is a part of this page or a test, given as `file::test`; that the test is there is looked up, so that
a renamed one is seen here.
"""

from dataclasses import dataclass, field
from pathlib import Path

from evals.figures import Row

TESTS = Path(__file__).resolve().parents[1] / "tests"


@dataclass(frozen=True)
class Concern:
    """One row of the fault table. `gap`: what is not proved of it, said plainly."""

    number: int
    what: str
    here: str = ""  # part of this page
    tests: tuple[str, ...] = field(default=())
    gap: str = ""
    runs: bool = True


CONCERNS = (
    Concern(
        1,
        "API 429 with Retry-After",
        "stops",
        ("faults/test_kube_tools_under_fire.py::test_a_change_on_a_throttled_api_happens_once",),
        "for two answers in a run, not for 60 s at 10, 50 and 100 %",
    ),
    Concern(
        2,
        "connection reset before and after commit",
        "stops",
        (
            "faults/test_executor_faults.py::test_a_write_whose_answer_is_lost_happens_exactly_once",
            "eks/test_disk_lab.py::test_what_a_dead_process_sent_is_found_and_not_sent_again",
        ),
    ),
    Concern(
        3,
        "timeout, slow body, slow watch",
        "",
        ("faults/test_executor_faults.py::test_a_write_that_arrives_after_its_deadline_is_recognised",),
        "a stalled call inside a whole run is not played here",
    ),
    Concern(
        4,
        "410 Gone on list and watch",
        "",
        ("cluster/product/test_watching.py::test_a_list_whose_history_is_thrown_away_half_way",),
        runs=False,
    ),
    Concern(
        5,
        "token expires in the middle of a run",
        "",
        ("cluster/product/test_rights.py::test_a_token_that_the_server_takes_no_more_is_renewed_once",),
        "not after step k of a run for every k",
    ),
    Concern(
        6,
        "AWS throttles, expired credentials, region down",
        "stops",
        ("eks/test_disk_lab.py::test_a_command_that_is_throttled_lost_or_never_ends",),
        "in a run only throttling; the rest at the tools",
    ),
    Concern(
        7,
        "kill -9 at every point",
        "kills",
        ("faults/test_sop_runs.py::test_a_killed_process_s_run_is_taken_over_and_nothing_happens_twice",),
    ),
    Concern(
        8,
        "database gone, restarted, slow",
        "stops",
        ("shared/state/test_store.py::test_a_database_that_can_not_be_reached_says_so_without_the_password",),
        "0-20 s in a run, not 40 s; read-only and a full disk at the store only",
    ),
    Concern(
        9,
        "audit disk full, fsync error",
        "",
        ("faults/test_audit_faults.py::test_a_full_disk_refuses_writes_before_the_effect",),
        "at the executor, which every step of a run goes through, not in a whole run",
    ),
    Concern(
        10,
        "clock skew, jump back, DST",
        "",
        ("shared/guardrails/test_limits.py::test_a_clock_that_jumps_back_lowers_no_count",),
        "not in a whole run",
    ),
    Concern(
        11,
        "two operators, same SOP and target",
        "crowds",
        ("sop/runs/test_desk.py::test_a_second_start_on_the_same_target_gets_the_first_one_s_id",),
    ),
    Concern(
        12,
        "same request twice",
        "crowds",
        ("sop/runs/test_desk.py::test_the_same_key_gives_the_same_run_and_other_arguments_are_refused",),
    ),
    Concern(
        13,
        "drain partly blocked by a PDB",
        "kills",  # disk-pressure-logs drains past a budget
        ("eks/test_node_plans_lab.py::test_f7d_a_drain_that_a_budget_stops_uncordons_and_escalates",),
    ),
    Concern(
        14,
        "verification fails after the change",
        "",
        (
            "faults/test_executor_faults.py::test_a_failed_gate_undoes_all_targets_in_reverse_order_once",
            "eks/test_the_whole_promise.py::test_ten_replicas_with_a_bad_image_stop_after_one_pod_and_are_undone",
        ),
        "on this page ways back are asked for by a person; one begun by a failed check is tested, not killed",
    ),
    Concern(
        15,
        "rollback target gone or changed",
        "",
        ("eks/test_the_whole_promise.py::test_an_undo_is_refused_when_somebody_changed_it_since",),
    ),
    Concern(
        16,
        "object made again under its name",
        "",
        ("faults/test_executor_faults.py::test_an_object_recreated_before_the_execution_is_refused",),
    ),
    Concern(
        17,
        "approval expires in the middle of a run",
        "",
        ("sop/runs/test_runs_lab.py::test_an_approval_that_expired_or_a_freeze_pauses_the_run",),
    ),
    Concern(
        18,
        "client disconnects in the middle of a call",
        "",
        ("sop/runs/test_desk.py::test_a_run_is_handed_over_when_its_process_ends",),
        "a client that leaves while its run goes on over HTTP is not played in a whole run",
    ),
    Concern(
        19,
        "lease lost while acting",
        "stops",
        ("faults/test_sop_runs.py::test_a_stopped_process_keeps_its_run_and_goes_on_when_it_wakes",),
        "10 s asleep past a lease of 6 s, not 60 s",
    ),
    Concern(
        20,
        "huge cluster",
        "",
        ("eks/cluster_views/test_nodes.py::test_two_thousand_nodes_fit_one_answer",),
        runs=False,
    ),
    Concern(
        21,
        "an upstream half broken",
        "",
        ("sop/investigations/test_investigating.py::test_any_source_may_fail_and_is_named",),
    ),
    Concern(
        22,
        "SIGTERM during a run",
        "stops",
        ("sop/runs/test_worker.py::test_a_worker_listens_and_ends_in_order_at_sigterm",),
    ),
    Concern(
        23,
        "upgrade with runs in flight",
        "",
        (
            "faults/test_upgrades.py::test_a_run_of_an_older_schema_is_carried_to_its_end_by_the_newer_program",
            "faults/test_upgrades.py::test_an_older_program_says_no_to_the_runs_of_a_newer_one_and_changes_nothing",
        ),
        "the older program is played by the newer one's file with what was added taken away",
    ),
)


def rows(seed: int) -> list[Row]:
    """One row each; met where a proof is named and found."""
    del seed
    return [_row(one) for one in CONCERNS]


def _row(one: Concern) -> Row:
    gone = [test for test in one.tests if not _there(test)]
    where = [f"part `{one.here}`"] if one.here else []
    where += [
        f"`tests/{test.partition('::')[0]}` ({test.partition('::')[2].replace('_', ' ')})"
        for test in one.tests
    ]
    said = "; ".join(where) or "nowhere"
    if one.gap:
        said += f". Not: {one.gap}"
    if gone:
        said += f". GONE: {', '.join(gone)}"
    wanted = "concerns runs" if one.runs else "concerns reading, not runs"
    return Row(f"R{one.number}: {one.what}", wanted, said, bool(where) and not gone)


def _there(test: str) -> bool:
    file, _, name = test.partition("::")
    path = TESTS / file
    return path.exists() and f"def {name}" in path.read_text(encoding="utf-8")
