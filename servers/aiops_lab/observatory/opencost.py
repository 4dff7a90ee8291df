"""OpenCost's allocation API over the world's nodes and pods: `/allocation/compute` as far as it is asked.

Parameters and fields as in https://opencost.io/docs/integrations/api. Nodes cost their list price, split into
CPU and memory by OpenCost's default prices; a pod costs what it asks for; what nobody asks for is `__idle__`.
A parameter that is not simulated is refused.
"""

from datetime import datetime
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from aiops_lab.billing.price_table import PriceTable
from aiops_lab.billing.splits import Held, Machine, held, machines
from aiops_lab.observatory.ports import HasWorld

CPU_USD, RAM_USD = 0.031611, 0.004237  # an hour of a core and of a GiB: opencost, configs/default.json
AGGREGATE: Final = "cluster,namespace,controllerKind,controller"
_KNOWN = {"window", "aggregate", "includeIdle", "accumulate"}
CLUSTER_ID = "cluster-one"  # OpenCost's default


def opencost_app(observatory: HasWorld) -> Starlette:
    """The room."""

    async def compute(request: Request) -> Response:
        asked = dict(request.query_params)
        wrong = set(asked) - _KNOWN
        if wrong or asked.get("aggregate") != AGGREGATE or "," not in asked.get("window", ""):
            return JSONResponse({"code": 400, "message": f"not simulated: {asked}"}, status_code=400)
        since, until = (datetime.fromisoformat(one) for one in asked["window"].split(","))
        return JSONResponse({"code": 200, "data": [_allocations(observatory, since, until, asked)]})

    return Starlette(routes=[Route("/allocation/compute", compute)])


def _allocations(observatory: HasWorld, since: datetime, until: datetime, asked: dict[str, str]) -> Any:
    account = observatory.account
    prices = account.area(PriceTable)
    found = list(machines(account.objects("Node")))  # rooms run in the lab's loop
    pods = held(account.objects("Pod"), found)
    made: dict[str, dict[str, Any]] = {}
    idle = [0.0, 0.0]
    rates = {one.name: _rates(one, float(prices.hour(one.kind))) for one in found}
    for one in found:
        idle[0] += rates[one.name][0] * one.cores * one.hours(since, until)
        idle[1] += rates[one.name][1] * one.seen_bytes / 2**30 * one.hours(since, until)
    for pod in pods:
        cpu = rates[pod.machine.name][0] * pod.cores * pod.hours(since, until)
        ram = rates[pod.machine.name][1] * pod.memory_bytes / 2**30 * pod.hours(since, until)
        idle[0], idle[1] = idle[0] - cpu, idle[1] - ram
        row = made.setdefault(_name(pod), _row(_name(pod), _about(pod)))
        _add(row, cpu, ram)
    if asked.get("includeIdle") == "true":
        name = f"{CLUSTER_ID}/__idle__"
        _add(made.setdefault(name, _row(name, {"cluster": CLUSTER_ID})), idle[0], idle[1])
    return made


def _rates(machine: Machine, price: float) -> tuple[float, float]:
    """USD an hour of a core and of a GiB of this machine."""
    gib = machine.seen_bytes / 2**30
    usual = CPU_USD * machine.cores + RAM_USD * gib
    return CPU_USD * price / usual, RAM_USD * price / usual


def _kind(pod: Held) -> tuple[str, str]:
    if pod.deployment:
        return "deployment", pod.deployment
    return pod.owner_kind.lower(), pod.owner


def _name(pod: Held) -> str:
    kind, owner = _kind(pod)
    return f"{CLUSTER_ID}/{pod.namespace}/{kind}/{owner}"


def _about(pod: Held) -> dict[str, str]:
    kind, owner = _kind(pod)
    return {
        "cluster": CLUSTER_ID,
        "namespace": pod.namespace,
        "controllerKind": kind,
        "controller": owner,
    }


def _row(name: str, about: dict[str, str]) -> dict[str, Any]:
    costs = ("cpuCost", "gpuCost", "ramCost", "pvCost", "networkCost", "loadBalancerCost", "sharedCost")
    more = ("externalCost", "totalCost", "cpuCostAdjustment", "ramCostAdjustment")
    return {"name": name, "properties": about, **dict.fromkeys((*costs, *more), 0.0)}


def _add(row: dict[str, Any], cpu: float, ram: float) -> None:
    row["cpuCost"] += cpu
    row["ramCost"] += ram
    row["totalCost"] += cpu + ram
