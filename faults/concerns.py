"""R1-R23 one by one, as the safety page has them: what is injected, what must hold, where that is proved.

Called by `faults.__main__`. A proof is a part of this page or a test (`file::test`) that carries the row's
number as a mark; both are looked up, so that a test that was renamed or marked otherwise is seen here. What
takes each control away, and whether a test sees it, is on docs/proofs.md.
"""

from dataclasses import dataclass, field

from evals.figures import Row
from proofs.markers import tests_of

_STORMS = "faults/test_runs_in_storms.py"
_THROTTLED = "faults/test_kube_throttled.py"
_FORGOTTEN = "faults/test_kube_forgotten.py"
_EXECUTOR = "faults/test_executor_faults.py"
_UPGRADES = "faults/test_upgrades.py"
_SOP_RUNS = "faults/test_sop_runs.py"
_CROWD = "faults/test_kube_crowd.py"
_TOKENS = "faults/test_kube_tokens.py"
_WATCHING = "cluster/product/test_watching.py"
_LEAVING = "remote/test_leaving_a_write.py"
_LEAVING_RUN = "remote/test_leaving_a_run.py"
_RUNS_LAB = "sop/runs/test_runs_lab.py"
_WHOLE = "eks/test_the_whole_promise.py"
_DOORS = "remote/test_doors.py"
_AUDIT = "faults/test_audit_faults.py"


@dataclass(frozen=True)
class Concern:
    """One row of the fault table. `gap`: what is not proved of it, said plainly."""

    number: int
    injected: str
    holds: str
    parts: tuple[str, ...] = ()  # of this page
    tests: tuple[str, ...] = field(default=())  # below tests/
    gap: str = ""


CONCERNS = (
    Concern(
        1,
        "429 with Retry-After to 10, 50, 100 % for 60 s",
        "asked waits ± 20 %, at most 5 tries, then a clear error; nothing twice",
        ("stops", "wires"),
        (
            f"{_THROTTLED}::test_through_a_minute_of_throttling_each_change_happens_once_and_waits_are_those_asked_for",
            f"{_STORMS}::test_a_run_ends_well_whichever_of_its_calls_meets_the_fault",
        ),
    ),
    Concern(
        2,
        "500, 503, a reset before and after the change",
        "read back before it is sent again",
        ("stops",),
        (
            f"{_EXECUTOR}::test_a_write_whose_answer_is_lost_happens_exactly_once",
            f"{_STORMS}::test_a_run_ends_well_whichever_of_its_calls_meets_the_fault",
        ),
    ),
    Concern(
        3,
        "a byte at a time, a stall of 30 s",
        "a deadline for each call, the worker is freed, other reads go on",
        ("wires",),
        (
            "faults/test_kube_slow.py::test_other_reads_go_on_while_one_stalls",
            f"{_STORMS}::test_a_run_ends_well_whichever_of_its_calls_meets_the_fault",
        ),
        "a byte at a time is played at the connection, faster than once a second, not in a whole run",
    ),
    Concern(
        4,
        "410 in the middle of a list and of a watch",
        "read anew once, no duplicates, no silent gap",
        (),
        (
            f"{_FORGOTTEN}::test_a_list_forgotten_half_way_is_read_again_once_without_duplicates",
            f"{_WATCHING}::test_a_list_whose_history_is_thrown_away_half_way_comes_whole_and_without_duplicates",
        ),
    ),
    Concern(
        5,
        "the token ends after call k, for every k; then a second refusal",
        "renewed once and on at k; refused again: a pause, and on at k",
        ("wires",),
        (
            f"{_TOKENS}::test_a_token_that_ends_after_any_step_is_renewed_once_and_the_run_goes_on",
            f"{_STORMS}::test_a_run_whose_token_is_refused_for_good_after_any_call_pauses_and_goes_on_there",
        ),
    ),
    Concern(
        6,
        "throttled, ExpiredToken, 5xx, half an answer, region down",
        "backs off within 60 s, half an answer is called one",
        ("stops", "wires"),
        (
            "shared/aws/test_clients.py::test_each_answer_of_aws_becomes_the_error_that_says_what_to_do",
            "eks/cluster_views/test_addons.py::test_half_an_answer_is_a_gap_and_no_empty_cluster",
        ),
    ),
    Concern(
        7,
        "kill -9 before and after intent, effect, outcome and on the way back, for each step; 200 at random",
        "goes on within 30 s, nothing lost, nothing twice, right books",
        ("kills", "moments"),
        (
            f"{_SOP_RUNS}::test_a_killed_process_s_run_is_taken_over_and_nothing_happens_twice",
            "faults/test_crash.py::test_a_killed_process_is_carried_on_and_every_effect_happens_once",
        ),
    ),
    Concern(
        8,
        "the database away 0-40 s, cut, full, read-only",
        "no action without a durable intent; the run goes on; reads answer; health says so",
        ("stops", "wires"),
        (
            f"{_STORMS}::test_a_run_whose_store_cannot_be_written_goes_on_without_a_restart",
            f"{_STORMS}::test_while_the_store_cannot_be_written_nothing_begins_and_reads_go_on",
            f"{_DOORS}::test_a_state_store_that_does_not_answer_makes_the_server_not_ready_and_says_nothing_else",
        ),
        "a full disk under PostgreSQL is not played: its server ends itself then, as one that is away",
    ),
    Concern(
        9,
        "the audit's disk full (a file system of 1 MB), EFBIG, read-only",
        "refused before the effect; reads go on; no restart needed",
        ("wires",),
        (
            f"{_AUDIT}::test_a_really_full_disk_refuses_writes_goes_on_reading_and_recovers",
            f"{_STORMS}::test_a_run_whose_store_cannot_be_written_goes_on_without_a_restart",
        ),
    ),
    Concern(
        10,
        "a clock 5 min off, an hour back, an hour that comes twice",
        "approvals and leases live by the database's time; nothing is done, answered or counted twice",
        (),
        (
            f"{_STORMS}::test_a_clock_that_jumps_in_a_run_ends_no_question_early_and_lets_none_be_answered_twice",
            f"{_STORMS}::test_an_hour_that_comes_twice_is_nothing_to_a_run",
            "faults/test_clock_faults.py::test_whatever_another_process_s_clock_says_each_effect_happens_once",
            "shared/guardrails/test_limits.py::test_a_clock_that_jumps_back_lowers_no_count",
        ),
        "on SQLite the machine's clock is the only one: set forward, it ends approvals and leases early",
    ),
    Concern(
        11,
        "two operators, same SOP and target, same instant, 100 rounds",
        "one runs, the other gets its id; other targets beside it",
        ("crowds",),
        ("sop/runs/test_desk.py::test_a_second_start_on_the_same_target_gets_the_first_one_s_id",),
    ),
    Concern(
        12,
        "the same key twice",
        "the same run, one effect",
        ("crowds",),
        ("sop/runs/test_desk.py::test_the_same_key_gives_the_same_run_and_other_arguments_are_refused",),
    ),
    Concern(
        13,
        "an eviction that a budget forbids",
        "Eviction API alone, waits to its deadline, names pods and budget, uncordons",
        ("kills",),  # disk-pressure-logs drains past a budget
        ("eks/test_node_plans_lab.py::test_f7d_a_drain_that_a_budget_stops_uncordons_and_escalates",),
    ),
    Concern(
        14,
        "the check after a change fails; the process that undoes is killed",
        "undone once, in reverse order, verified; else a person, loudly",
        (),
        (
            f"{_EXECUTOR}::test_a_failed_gate_undoes_all_targets_in_reverse_order_once",
            f"{_SOP_RUNS}::test_a_way_back_that_a_failed_check_began_is_taken_over_and_goes_on_in_reverse_order",
            f"{_WHOLE}::test_ten_replicas_with_a_bad_image_stop_after_one_pod_and_are_undone",
        ),
    ),
    Concern(
        15,
        "somebody edits between change and way back",
        "compared, stopped, asked",
        (),
        (f"{_WHOLE}::test_an_undo_is_refused_when_somebody_changed_it_since",),
    ),
    Concern(
        16,
        "the object is made again under its name",
        "refused by its uid",
        (),
        (f"{_EXECUTOR}::test_an_object_recreated_before_the_execution_is_refused",),
    ),
    Concern(
        17,
        "an approval expires in the middle of a run",
        "pauses without an effect, goes on with a new one",
        (),
        (f"{_RUNS_LAB}::test_an_approval_that_expired_or_a_freeze_pauses_the_run_and_it_goes_on_afterwards",),
    ),
    Concern(
        18,
        "the client leaves in the middle of a call, and of its run, over HTTP",
        "its call stops; an effect under way ends and is recorded; the run ends once",
        (),
        (
            "remote/test_drain.py::test_clients_that_leave_take_their_calls_with_them_and_leave_nothing_behind",
            f"{_LEAVING_RUN}::test_a_run_whose_client_leaves_over_http_goes_on_ends_and_was_started_once",
            f"{_LEAVING}::test_a_change_whose_caller_leaves_has_its_effect_once_and_get_action_tells_how_it_ended",
        ),
    ),
    Concern(
        19,
        "asleep (SIGSTOP) 10 s and 60 s while acting",
        "its next write is refused by the fence",
        ("stops",),
        (f"{_EXECUTOR}::test_a_stale_worker_is_refused_at_its_next_write",),
    ),
    Concern(
        20,
        "5,000 nodes, 150,000 pods",
        "pages of 500, under 512 MB, a part is called one; figures: docs/sizing.md",
        (),
        (f"{_CROWD}::test_every_answer_over_a_huge_cluster_is_paged_small_and_says_what_it_left_out",),
    ),
    Concern(
        21,
        "a source that fails, one of several clusters down",
        "the rest answers, the missing one is named",
        (),
        (
            "sop/investigations/test_investigating.py::test_any_source_may_fail_and_is_named",
            "eks/test_several_clusters.py::test_one_cluster_that_fails_is_a_warning_and_the_others_answer",
        ),
    ),
    Concern(
        22,
        "SIGTERM in the middle of a step",
        "takes nothing new, hands over in less than 30 s, cuts nothing in half",
        ("stops",),
        (
            "remote/test_drain.py::test_runs_are_handed_over_beside_the_drain_and_not_after_it",
            "sop/runs/test_worker.py::test_a_worker_listens_and_ends_in_order_at_sigterm",
        ),
    ),
    Concern(
        23,
        "an upgrade with runs in flight",
        "old runs end, or are refused clearly",
        (),
        (
            f"{_UPGRADES}::test_a_run_of_an_older_schema_is_carried_to_its_end_by_the_newer_program",
            f"{_UPGRADES}::test_an_older_program_says_no_to_the_runs_of_a_newer_one_and_changes_nothing",
        ),
        "the older program is played by the newer one's file with what was added taken away",
    ),
)


def rows(seed: int) -> list[Row]:
    """One row each; met where every proof that is named is found under its number."""
    del seed
    return [_row(one) for one in CONCERNS]


def _row(one: Concern) -> Row:
    marked = {test.partition("[")[0] for test in tests_of(f"R{one.number}")}
    gone = [test for test in one.tests if f"tests/{test}" not in marked]
    where = [f"part `{part}`" for part in one.parts]
    where += [f"`{test.partition('::')[0]}` ({_sentence(test)})" for test in one.tests]
    said = f"{'; '.join(where)}; marked R{one.number} in all: {len(marked)} tests"
    if one.gap:
        said += f". Not: {one.gap}"
    if gone:
        said += f". GONE: {', '.join(gone)}"
    return Row(f"R{one.number}: {one.injected}", one.holds, said, bool(marked) and not gone)


def _sentence(test: str) -> str:
    return test.partition("::")[2].removeprefix("test_").replace("_", " ")
