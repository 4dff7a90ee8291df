"""What the suite promised while it was built, in the order of its parts, and what holds each promise.

`rows` are beginnings of row names on a measured page of docs; `tests` are tests whose passing is the
proof. `proofs.targets` looks all of them up. A promise is added here when it is made.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise: what it is about, what is promised, and where that is seen to hold."""

    area: str
    what: str
    page: str = ""  # a measured page of docs
    rows: tuple[str, ...] = field(default=())  # its rows begin so
    tests: tuple[str, ...] = field(default=())  # file::name under tests


_B, _H = "benchmarks.md", "benchmarks-http.md"
_EVAL, _SOP, _COST, _OBS = (
    "evaluation.md",
    "evaluation-sop.md",
    "evaluation-cost.md",
    "evaluation-observability.md",
)
_LIST, _DIAG = "unhealthy_only list", "diagnose the cluster"
_WHOLE = "eks/test_the_whole_promise.py::"

FOUNDATION = (
    Promise("foundation", "the demo ends 0 within 3 minutes after set-up", _B, ("demo, set-up apart",)),
    Promise("foundation", "each answer of the demo fits its budget of tokens", _B, ("answer in the demo",)),
    Promise(
        "foundation",
        "cold start at most 1.15 x a minimal FastMCP server's",
        _B,
        ("cold start to first tools/list: eks-aiops",),
    ),
    Promise(
        "foundation",
        "tools/list of each server within its budget (D28)",
        _B,
        ("memory and tools/list: eks-aiops",),
        ("contracts/test_budgets.py::test_every_listing_fits_its_budget",),
    ),
    Promise("foundation", "the gate costs at most 2 ms a call (p50)", _B, ("gate per call",)),
    Promise(
        "foundation",
        "read-only mode, a stale or edited plan, a forged approval, a wrong sentence: refused, no effect",
        tests=(
            _WHOLE + "test_a_write_in_read_only_mode_is_refused",
            _WHOLE + "test_a_plan_is_stale_when_a_field_that_it_writes_or_reasons_from_was_changed",
            _WHOLE + "test_a_plan_edited_in_the_database_is_found",
            _WHOLE + "test_a_plan_is_executed_once_and_again_is_the_same_action",
            _WHOLE + "test_an_approval_written_into_the_database_by_hand_counts_for_nothing",
            _WHOLE + "test_a_wrong_confirm_is_refused_letter_by_letter",
        ),
    ),
)
REAL = (
    Promise(
        "real control plane",
        "kubectl says the same on the lab and on a real API server",
        tests=("cluster/kubectl/test_same_words.py::test_both_say_the_same_or_the_difference_is_listed",),
    ),
    Promise(
        "real control plane",
        "drain, cordon, budgets and undo on a real API server",
        tests=(
            "cluster/product/test_nodes.py::test_a_drain_respects_the_budget_of_a_real_api_server_and_ends_ready_elsewhere",
        ),
    ),
    Promise(
        "real control plane",
        "worlds give the same findings on a real API server",
        _EVAL,
        ("worlds with the same findings on a real API server",),
    ),
    Promise(
        "large lists",
        "5,000 pods: at most 1.5 x the same requests raw",
        _B,
        (
            f"{_LIST}, 5,000 simulated pods and 60 broken: time",
            f"{_LIST}, 5,000 pods and 60 broken on a real kube-apiserver: time",
        ),
    ),
    Promise(
        "large lists",
        "5,000 pods: at most 140 MB and 1,500 tokens",
        _B,
        (
            f"{_LIST}, 5,000 simulated pods and 60 broken: peak",
            f"{_LIST}, 5,000 simulated pods and 60 broken: tokens",
        ),
    ),
    Promise(
        "large lists",
        "60 planted faults among 5,060 pods, with state and cause, in one call",
        _B,
        ("60 faults of 5,060 pods, replicas fail alike: ours, sensitive reads on, one call",),
    ),
)
DIAGNOSIS = (
    Promise("diagnosis", "the cause at rank 1 in at least 95 %", _EVAL, ("rank-1 recall",)),
    Promise(
        "diagnosis", "no false alarm on look-alikes, recovered worlds and controls", _EVAL, ("false alarms",)
    ),
    Promise(
        "diagnosis",
        "5,000 pods, 60 broken: all named in one answer of at most 4,000 tokens",
        _B,
        ("60 faults of 5,060 pods, replicas fail alike: ours, sensitive reads on, diagnose",),
    ),
    Promise(
        "diagnosis",
        "5,000 pods: at most 3 x the same requests raw, 150 MB",
        _B,
        (
            f"{_DIAG}, 5,000 simulated pods and 60 broken: time",
            f"{_DIAG}, 5,000 simulated pods and 60 broken: peak",
            f"{_DIAG}, 5,000 pods and 60 broken on a real kube-apiserver: time",
        ),
    ),
    Promise(
        "diagnosis",
        "20,000 pods: time and memory bounded",
        _B,
        (
            f"{_LIST}, 20,000 simulated pods and 60 broken: time",
            f"{_DIAG}, 20,000 simulated pods and 60 broken: time",
        ),
    ),
    Promise(
        "eks",
        "three clusters in two accounts answer one call",
        tests=(
            "eks/test_several_clusters.py::test_three_clusters_in_two_accounts_answer_one_list_and_no_client_serves_another_region",
        ),
    ),
    Promise(
        "eks",
        "the rights used are the rights given, both ways",
        tests=("eks/test_rights_used.py::test_the_rights_used_are_the_rights_given",),
    ),
)
OBSERVABILITY = (
    Promise(
        "observability",
        "anomalies, leaks, change points, forecasts, templates, alert groups at their targets",
        _OBS,
        ("",),
    ),
    Promise(
        "observability",
        "four weeks judged within 1 s and 300 MB",
        _B,
        ("detect_anomalies, 8,064 points", "forecast_metric, 672 hours"),
    ),
    Promise(
        "observability",
        "backends agree within 2 %",
        tests=(
            "observability/test_parity_metrics.py",
            "observability/test_parity_logs.py",
            "observability/test_parity_outages.py",
        ),
    ),
)
COST = (
    Promise("cost", "causes of bills that moved, fleets that hold every pod", _COST, ("",)),
    Promise(
        "cost",
        "400 accounts over 13 months, 5,000 pods: at most 2 s warm, 300 MB, no second billed request",
        _B,
        ("get_costs by account", "get_costs by workload"),
    ),
)
SOP = (
    Promise(
        "sop",
        "root cause at rank 1 in at least 95 % of the stories, none where nothing is wrong",
        _SOP,
        ("root cause at rank 1", "a cause named where nothing is wrong"),
    ),
    Promise(
        "sop",
        "killed at every point: nothing twice, nothing lost, taken over within 10 s",
        "faults.md",
        ("sqlite", "postgresql"),
    ),
    Promise(
        "sop", "10,000 events in a minute, none lost", "faults.md", ("10,000 events", "… kept, of those sent")
    ),
    Promise(
        "sop",
        "50 runs at once, two operators at once, the same request twice",
        "faults.md",
        ("sqlite: 50 runs", "postgresql: 50 runs", "R11, ", "R12, "),
    ),
    Promise(
        "sop", "a step costs at most 20 ms on SQLite, 30 ms on PostgreSQL", _B, ("engine overhead a step",)
    ),
    Promise("sop", "from an event to its first effect at most 3 s", _B, ("event to first effect",)),
)
REMOTE = (
    Promise(
        "remote",
        "the official conformance suite ends 0 on all five endpoints",
        tests=(
            "clients/test_conformance.py::test_the_suite_exits_with_0_and_nothing_fails_or_passes_that_should_not",
        ),
    ),
    Promise(
        "remote",
        "tokens, doors, scopes",
        tests=(
            "remote/test_tokens.py::test_a_token_that_is_not_ours_is_401_and_says_where_to_get_one",
            "remote/test_doors.py::test_every_route_without_a_token_is_401",
        ),
    ),
    Promise(
        "remote",
        "three replicas are one server and one may die",
        tests=("remote/test_replicas.py::test_three_replicas_are_one_server_and_one_may_die",),
    ),
    Promise("remote", "stdio: p95 below 100 ms over the upstream", _H, ("stdio, one client",)),
    Promise(
        "remote",
        "100 clients: 150 cheap reads a second, p95 below 500 ms, no error",
        _H,
        ("HTTP 2026-07-28, 100 clients", "HTTP 2025-11-25, 100 clients"),
    ),
    Promise(
        "remote",
        "idle clients, aborts and overload leave nothing behind",
        _H,
        ("500 idle clients", "1,000 calls", "4x overload"),
    ),
    Promise(
        "remote",
        "real clients work: SDKs, inspector, Claude Code, Strands",
        tests=(
            "clients/test_real_clients.py::test_a_client_lists_diagnoses_and_is_refused_a_write",
            "clients/test_claude_code.py::test_a_scripted_run_reads_without_asking_and_may_not_write_by_itself",
            "agents/test_strands.py::test_an_agent_finds_plans_is_approved_executes_and_looks_again",
        ),
    ),
    Promise(
        "remote",
        "the wheel and the npm package launch from an empty machine",
        tests=(
            "launch/test_launches.py::test_uvx_serves_what_the_wheel_holds",
            "launch/test_launches.py::test_npx_serves_through_uvx",
        ),
    ),
)
PROOF = (
    Promise(
        "proof", "every threat and fault has a test that its control's removal turns red", "proofs.md", ("",)
    ),
    Promise("proof", "at least 10,000 hostile calls: no crash, no write, no leak", "fuzzing.md", ("",)),
    Promise(
        "proof",
        "every scenario by every pattern: right cause, no forbidden action",
        "evaluation-patterns.md",
        ("",),
    ),
    Promise("proof", "21 of 23 everyday sentences find their tool", "evaluation-routing.md", ("",)),
    Promise("proof", "R1 to R23", "faults.md", tuple(f"R{number}: " for number in range(1, 24))),
    Promise(
        "proof",
        "sizes: 5,000 nodes, 150,000 pods, 200 clusters, 1,000 engineers",
        _B,
        ("5,000 nodes", "200 clusters", "1,000 callers"),
    ),
)
PROMISES = (*FOUNDATION, *REAL, *DIAGNOSIS, *OBSERVABILITY, *COST, *SOP, *REMOTE, *PROOF)
