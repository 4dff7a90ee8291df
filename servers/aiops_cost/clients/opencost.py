"""Costs by workload as OpenCost tells them, held against the bill.

The second of the sources, when `AIOPS_COST_OPENCOST_URL` is set. OpenCost prices nodes and volumes by list
prices or its own settings, so what the bill has more or less for them is a row of its own; what it knows
nothing of (logs, control plane, …) stands as the bill has it. API: https://opencost.io/docs/integrations/api
(`/allocation/compute`, window, aggregate, includeIdle; answers are sets of allocations by name).
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import httpx

from aiops_cost.analysis.allocation import (
    IDLE,
    SYSTEM,
    SYSTEM_NAMESPACES,
    Allocation,
    Owner,
    allocate,
    shared,
)
from aiops_cost.analysis.charges import Charge, Of, charges_of
from aiops_cost.analysis.fleet import Fleet
from aiops_cost.clients.allocation_source import Asked, Divided, unsettled_of
from aiops_cost.models.money import nano
from aiops_shared.errors import AnswerTooLargeError, NotFoundError, UpstreamError
from aiops_shared.http.answers import broken, deadline, pieces
from aiops_shared.http.client import make_client
from aiops_shared.kube.shapes import mapping, text
from aiops_shared.results import Evidence

if TYPE_CHECKING:
    from aiops_cost.clients.allocation_logs import LogShares
    from aiops_cost.clients.allocation_own import OwnAllocation

THING: Final = "OpenCost"
PATH: Final = "/allocation/compute"
DIFFERENCE: Final = "bill minus OpenCost's prices"
MOST_BYTES, TIMEOUT_S = 32 * 1024**2, 20.0
# What of an allocation is which part here. Adjustments are OpenCost's own corrections of the same.
_PARTS: Mapping[str, tuple[str, ...]] = {
    "cpu": ("cpuCost", "cpuCostAdjustment"),
    "memory": ("ramCost", "ramCostAdjustment"),
    "other": ("gpuCost", "gpuCostAdjustment", "sharedCost", "externalCost"),
    "storage": ("pvCost", "pvCostAdjustment"),
    "network": ("networkCost", "networkCostAdjustment", "loadBalancerCost", "loadBalancerCostAdjustment"),
}
_PRICED = frozenset({Of.INSTANCES, Of.VOLUMES, Of.FARGATE_CPU, Of.FARGATE_MEMORY})
_NETWORK = frozenset({"load balancers", "data transfer", "NAT gateways"})


class OpenCost:
    """Fulfils `allocation_source.Source`."""

    name = "opencost"

    def __init__(self, url: str, own: "OwnAllocation") -> None:
        self._url = url
        self._own = own

    async def divided(self, asked: Asked) -> Divided:
        """One cluster's costs by owner. Raises NotFoundError where OpenCost has none of this cluster,
        UpstreamError, UpstreamTimeoutError.
        """
        window = ",".join(f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in asked.window)
        params = {"window": window, "aggregate": "cluster,namespace,controllerKind,controller"}
        params |= {"includeIdle": "true", "accumulate": "true"}
        sets = _sets(await self._get(params))
        rows = [one for each in sets for one in each.values() if _of_cluster(one, asked)]
        if not rows:
            raise NotFoundError(f"OpenCost's costs of {asked.name}", f"none of {asked.period}")
        made = Allocation()
        for one in rows:
            _add(made, mapping(one))
        bill, why = await self._own.bill(asked)
        evidence = Evidence(
            source=f"OpenCost {self._url}",
            query=f"{PATH}?{'&'.join(f'{key}={value}' for key, value in params.items())}",
            says=f"{len(rows)} allocations",
        )
        if bill is None:
            return Divided(
                source=self.name,
                method="OpenCost's allocation by its own prices, not held against a bill",
                allocation=made,
                evidence=(evidence,),
                warnings=(f"no bill: {why}"[:300],),
            )
        charges = list(charges_of(bill))
        logs, shares = await self._own.logs_of(asked)
        priced = _reconciled(made, [*charges, *logs], shares)
        return Divided(
            source=self.name,
            method=f"OpenCost's allocation by its own prices; {priced}",
            allocation=made,
            unsettled=unsettled_of(bill),
            currency=bill.currency,
            evidence=(evidence, *shares.evidence),
            warnings=shares.warnings,
        )

    async def _get(self, params: Mapping[str, str]) -> Any:
        import orjson

        body = bytearray()
        async with make_client(
            self._url, timeout_s=TIMEOUT_S, upstream="opencost", plain_http=True
        ) as client:
            try:
                with deadline(THING, TIMEOUT_S):
                    async with client.stream("GET", PATH, params=params) as answer:
                        async for piece in pieces(answer, THING, MOST_BYTES):
                            body += piece
                            if len(body) > MOST_BYTES:
                                raise AnswerTooLargeError(THING, f"more than {MOST_BYTES} bytes")
            except httpx.TransportError as error:
                raise broken(THING, error) from error
        if answer.status_code != httpx.codes.OK:
            raise UpstreamError(THING, f"answered {answer.status_code}", "check AIOPS_COST_OPENCOST_URL")
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise UpstreamError(THING, "answered with something that is no JSON") from error


def _sets(answer: Any) -> list[dict[str, Any]]:
    found = mapping(answer).get("data")
    if not isinstance(found, list):
        raise UpstreamError(THING, "answered without allocations", "is this OpenCost's API (port 9003)?")
    return [one for one in found if isinstance(one, dict)]


def _of_cluster(one: Any, asked: Asked) -> bool:
    """OpenCost's cluster id is a setting of its own: it counts when several clusters could be meant."""
    cluster = text(mapping(mapping(one).get("properties")).get("cluster"))
    return (
        not cluster
        or cluster == asked.name
        or (asked.alone and cluster in {"cluster-one", "default-cluster"})
    )


def _owner(one: Mapping[str, Any]) -> Owner:
    about, name = mapping(one.get("properties")), text(one.get("name"))
    if "__idle__" in name:
        return shared(IDLE)
    namespace, kind = text(about.get("namespace")), text(about.get("controllerKind"))
    controller = text(about.get("controller"))
    if namespace in SYSTEM_NAMESPACES or kind.lower() == "daemonset":
        return shared(SYSTEM)
    if not namespace:
        return shared(name.strip("_")[:60] or "unallocated")
    return namespace, _KINDS.get(kind.lower(), kind or "Pod"), controller or "(pods without a workload)"


_KINDS = {
    one.lower(): one for one in ("Deployment", "StatefulSet", "Job", "CronJob", "ReplicaSet", "Rollout")
}


def _add(made: Allocation, one: Mapping[str, Any]) -> None:
    owner = _owner(one)
    for part, fields in _PARTS.items():
        found = sum((_amount(one.get(field)) for field in fields), 0)
        made.add(owner, part, found)


def _amount(value: Any) -> int:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return 0
    return nano(Decimal(repr(float(value))))


def _reconciled(made: Allocation, charges: Iterable[Charge], shares: "LogShares") -> str:
    """Add what only the bill knows, and the difference for what both price."""
    listed = list(charges)
    priced, network = made.total, any(row.get("network") for row in made.rows.values())
    both = [one for one in listed if one.of in _PRICED or (network and one.label in _NETWORK)]
    rest = allocate([one for one in listed if one not in both], Fleet((), ()), 1.0, shares.shares)
    for owner, parts in rest.rows.items():
        for part, amount in parts.items():
            made.add(owner, part, amount)
    billed = sum(one.amount for one in both)
    made.add(shared(DIFFERENCE), "other", billed - priced)
    return f"the bill has {billed / 1e9:,.2f} for what it prices at {priced / 1e9:,.2f}"
