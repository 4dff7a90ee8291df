"""What a large bill and a large cluster cost to read: 400 accounts, 20 services, 13 months, 5,000 pods.

All in a lab in a process of its own. Warm: every settled day is kept in the state store. `billed` is what
Cost Explorer would charge for: a repeated question must not ask it anything.
"""

import statistics
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from tempfile import TemporaryDirectory
from typing import Any

from bench.listing import this_moment
from bench.rows import Row, met, told
from bench.talking import Child, talking
from bench.tokens import tokens

PODS, DAYS, ROUNDS, MOST_CALLS = 5000, 395, 5, 60
MB = 1_000_000
LAB = [sys.executable, "-m", "bench.crowded_lab", str(PODS), "owners", "bill"]
SERVER = [sys.executable, "-m", "eks_aiops", "cost"]


def paying(base: Mapping[str, str]) -> list[Row]:
    """The rows of one lab."""
    with (
        told("  a bill of 400 accounts, 5,000 pods"),
        talking(LAB, base) as lab,
        TemporaryDirectory() as state,
    ):
        environment = {
            **base,
            **{name: value for name, value in lab.hear().items() if name != "cluster"},
            "AIOPS_STATE_DIR": state,
            "AIOPS_COST_MAX_BILLED_REQUESTS": "1000",
        }
        return [*_tools(environment), *_reader(environment)]


def _tools(environment: Mapping[str, str]) -> list[Row]:
    end = this_moment().date()
    months = {"group_by": "account", "period": f"{end - timedelta(days=DAYS)}/{end - timedelta(days=1)}"}
    rows: list[Row] = []
    for title, arguments in (
        ("get_costs by account, 13 months of 400 accounts", months),
        ("get_costs by workload, 5,000 pods", {"group_by": "workload", "cluster": "my-cluster"}),
    ):
        with talking(SERVER, environment) as server:
            server.greet()
            rows += _measured(title, arguments, server)
    return rows


def _measured(title: str, arguments: Mapping[str, Any], server: Child) -> list[Row]:
    cold_ms, first = _timed(server, arguments)
    again = [_timed(server, arguments) for _ in range(ROUNDS)]
    warm_ms, last = statistics.median(ms for ms, _ in again), again[-1][1]
    billed = (first["structuredContent"]["billed_requests"], last["structuredContent"]["billed_requests"])
    size, peak = tokens(last["content"][0]["text"]), server.peak_bytes / MB
    return [
        (f"{title}: warm", "<= 2,000 ms", f"{warm_ms:.0f} ms (first {cold_ms:.0f} ms)", met(warm_ms, 2000)),
        (f"{title}: peak memory", "<= 300 MB", f"{peak:.0f} MB", met(peak, 300)),
        (
            f"{title}: billed requests when repeated",
            "0",
            f"{billed[1]} (first {billed[0]})",
            met(billed[1], 0),
        ),
        (f"{title}: tokens", "<= 1,500 tokens", f"{size} tokens", met(size, 1500)),
    ]


def _timed(server: Child, arguments: Mapping[str, Any]) -> tuple[float, dict[str, Any]]:
    began = time.perf_counter()
    answer = server.call("get_costs", **arguments)
    return 1000 * (time.perf_counter() - began), answer


def _reader(environment: Mapping[str, str]) -> list[Row]:
    """Accounts by services: the whole grid, as no tool asks for it at once."""
    end = this_moment().date()
    span = [str(day) for day in (end - timedelta(days=DAYS), end)]
    command = [sys.executable, "-m", "bench.billed_reading", *span]
    requests = 0
    with talking(command, environment) as cold:
        for _ in range(MOST_CALLS):
            found = _asked(cold)
            requests += int(found["requests"])
            if not found["error"]:
                break
    with talking(command, environment) as warm:
        rounds = [_asked(warm) for _ in range(ROUNDS)]
        peak = warm.peak_bytes / MB
    if error := rounds[-1]["error"]:
        return [("400 accounts x 20 services x 395 days", "", f"not measured: {error[:80]}", "")]
    ms, last = statistics.median(float(one["ms"]) for one in rounds), rounds[-1]
    title = f"{last['keys']:,} keys x {last['days']} days of a bill, the reader alone"
    return [
        (f"{title}: warm", "<= 2,000 ms", f"{ms:.0f} ms", met(ms, 2000)),
        (f"{title}: peak memory", "<= 300 MB", f"{peak:.0f} MB", met(peak, 300)),
        (
            f"{title}: billed requests when repeated",
            "0",
            f"{last['requests']} (first {requests})",
            met(float(last["requests"]), 0),
        ),
    ]


def _asked(child: Child) -> dict[str, Any]:
    child.say({})
    return child.hear()
