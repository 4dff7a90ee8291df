"""How pods are printed: kubectl's READY, STATUS and RESTARTS (pkg/printers/internalversion, printPod)."""

from dataclasses import dataclass
from datetime import datetime

from aiops_lab.kube.columns.printer import NONE, Cells, Printer, age, columns, spoken
from aiops_lab.kube.wire import Obj, dig, name_of, parse_time

_TERMINAL = frozenset({"Succeeded", "Failed"})


@dataclass
class _Tally:
    """What is counted on the way through the container statuses."""

    reason: str
    ready: int = 0
    total: int = 0
    restarts: int = 0
    last_restart: datetime | None = None
    initializing: bool = False
    running: bool = False

    def count(self, status: Obj) -> None:
        self.restarts += int(status.get("restartCount") or 0)
        ended = parse_time(dig(status, "lastState", "terminated", "finishedAt"))
        if ended and (self.last_restart is None or ended > self.last_restart):
            self.last_restart = ended


def _cells(pod: Obj, now: datetime) -> Cells:
    tally = summary(pod)
    restarts = str(tally.restarts)
    if tally.restarts and tally.last_restart:
        restarts += f" ({spoken((now - tally.last_restart).total_seconds())} ago)"
    ips = dig(pod, "status", "podIPs", 0, "ip") or dig(pod, "status", "podIP")
    return [
        name_of(pod),
        f"{tally.ready}/{tally.total}",
        tally.reason,
        restarts,
        age(pod, now),
        ips or NONE,
        dig(pod, "spec", "nodeName", default=NONE),
        dig(pod, "status", "nominatedNodeName", default=NONE),
        _gates(pod),
    ]


PODS = Printer(
    columns(
        "Name", "Ready", "Status", "Restarts", "Age", wide=("IP", "Node", "Nominated Node", "Readiness Gates")
    ),
    _cells,
)


def summary(pod: Obj) -> _Tally:
    """READY, STATUS and RESTARTS of a pod as kubectl derives them."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    tally = _Tally(
        status.get("reason") or status.get("phase") or "Unknown", total=len(spec.get("containers") or [])
    )
    if any(c.get("reason") == "SchedulingGated" for c in status.get("conditions") or []):
        tally.reason = "SchedulingGated"
    sidecars = {c["name"] for c in spec.get("initContainers") or [] if c.get("restartPolicy") == "Always"}
    tally.total += len(sidecars)
    lasting = _count_init(tally, spec, status, sidecars)
    if not tally.initializing or _is_true(status, "Initialized"):
        tally.restarts, tally.last_restart = lasting.restarts, lasting.last_restart
        _count_main(tally, status)
    if "deletionTimestamp" in pod["metadata"]:
        if status.get("reason") == "NodeLost":
            tally.reason = "Unknown"
        elif status.get("phase") not in _TERMINAL:
            tally.reason = "Terminating"
    return tally


def _count_init(tally: _Tally, spec: Obj, status: Obj, sidecars: set[str]) -> _Tally:
    """Count init containers up to the first unfinished one; returns what lasting sidecars add."""
    lasting = _Tally("")
    for index, one in enumerate(status.get("initContainerStatuses") or []):
        tally.count(one)
        if one.get("name") in sidecars:
            lasting.count(one)
        ended, waiting = dig(one, "state", "terminated"), dig(one, "state", "waiting", "reason")
        if ended is not None and ended.get("exitCode") == 0:
            continue
        if one.get("name") in sidecars and one.get("started"):
            tally.ready += 1 if one.get("ready") else 0
            continue
        if ended is not None:
            tally.reason = f"Init:{_ending(ended)}"
        elif waiting and waiting != "PodInitializing":
            tally.reason = f"Init:{waiting}"
        else:
            tally.reason = f"Init:{index}/{len(spec.get('initContainers') or [])}"
        tally.initializing = True
        break
    return lasting


def _count_main(tally: _Tally, status: Obj) -> None:
    for one in reversed(status.get("containerStatuses") or []):
        tally.count(one)
        ended = dig(one, "state", "terminated")
        if waiting := dig(one, "state", "waiting", "reason"):
            tally.reason = waiting
        elif ended is not None:
            tally.reason = _ending(ended)
        elif one.get("ready") and dig(one, "state", "running") is not None:
            tally.running = True
            tally.ready += 1
    if tally.reason == "Completed" and tally.running:
        tally.reason = "Running" if _is_true(status, "Ready") else "NotReady"


def _ending(ended: Obj) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def _is_true(status: Obj, condition: str) -> bool:
    return any(
        c.get("type") == condition and c.get("status") == "True" for c in status.get("conditions") or []
    )


def _gates(pod: Obj) -> str:
    gates = dig(pod, "spec", "readinessGates", default=[])
    met = sum(_is_true(pod.get("status") or {}, gate.get("conditionType", "")) for gate in gates)
    return f"{met}/{len(gates)}" if gates else NONE
