"""Updates that EKS itself carried out on a cluster, its add-ons and node groups (ListUpdates).

Called by `kube.changes`. EKS lists ids only, one list per add-on and node group, so the number of requests is
bounded: https://docs.aws.amazon.com/eks/latest/APIReference/API_ListUpdates.html
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import anyio

from aiops_shared.aws.eks_cluster import EksCluster
from aiops_shared.aws.listing import listed, required
from aiops_shared.errors import AiopsError

MOST_LISTS, MOST_UPDATES, AT_ONCE = 30, 60, 6


@dataclass(frozen=True, slots=True)
class EksUpdate:
    """One update: of the cluster, or of the add-on or node group that is named."""

    update_id: str
    at: datetime
    kind: str  # Cluster, Addon, Nodegroup
    name: str
    type: str
    status: str
    parameters: tuple[tuple[str, str], ...] = ()
    errors: tuple[str, ...] = ()


async def updates_of(eks: EksCluster, since: datetime, until: datetime) -> tuple[list[EksUpdate], list[str]]:
    """Updates begun in the span, and what could not be asked. Raises AiopsError when nothing could."""
    problems: list[str] = []
    subjects: list[tuple[str, str]] = [("Cluster", eks.name)]
    lists: list[tuple[str, str, str]] = []

    async def names(kind: str, operation: str, key: str) -> None:
        try:
            found = await listed(eks, "eks", operation, key, at_most=100, clusterName=eks.name)
            subjects.extend((kind, str(name)) for name in found.items)
        except AiopsError as error:
            problems.append(f"{key}: {error.wire()[:200]}")

    async def ids(kind: str, name: str) -> None:
        try:
            found = await listed(
                eks, "eks", "list_updates", "updateIds", at_most=100, **_about(eks, kind, name)
            )
            lists.extend((kind, name, str(one)) for one in found.items)
        except AiopsError as error:
            if kind == "Cluster":
                raise
            problems.append(f"updates of {kind} {name}: {error.wire()[:200]}")

    await ids("Cluster", eks.name)
    await _all(
        [
            partial(names, "Addon", "list_addons", "addons"),
            partial(names, "Nodegroup", "list_nodegroups", "nodegroups"),
        ]
    )
    await _all([partial(ids, kind, name) for kind, name in subjects[1:MOST_LISTS]])
    if len(lists) > MOST_UPDATES or len(subjects) > MOST_LISTS:
        problems.append(f"only {MOST_UPDATES} of {len(lists)} updates were read")
    found: list[EksUpdate] = []

    async def read(kind: str, name: str, update_id: str) -> None:
        try:
            answer = await eks.call("eks", "describe_update", updateId=update_id, **_about(eks, kind, name))
            told = required(answer, "update", "AWS eks describe_update")
        except AiopsError as error:
            problems.append(f"update {update_id}: {error.wire()[:200]}")
            return
        if (one := _update(kind, name, told)) is not None and since <= one.at <= until:
            found.append(one)

    await _all([partial(read, *one) for one in lists[:MOST_UPDATES]])
    return sorted(found, key=lambda one: (one.at, one.update_id), reverse=True), problems[:3]


def _about(eks: EksCluster, kind: str, name: str) -> dict[str, str]:
    key = {"Addon": "addonName", "Nodegroup": "nodegroupName"}.get(kind)
    return {"name": eks.name} | ({key: name} if key else {})


async def _all(acts: list[Callable[[], Awaitable[None]]]) -> None:
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def one(act: Callable[[], Awaitable[None]]) -> None:
        async with limiter:
            await act()

    async with anyio.create_task_group() as tasks:
        for act in acts:
            tasks.start_soon(one, act)


def _update(kind: str, name: str, told: dict[str, Any]) -> EksUpdate | None:
    at = told.get("createdAt")
    if not isinstance(at, datetime):
        return None
    parameters = [(str(one.get("type")), str(one.get("value"))) for one in told.get("params") or []]
    errors = [f"{one.get('errorCode')}: {one.get('errorMessage')}" for one in told.get("errors") or []]
    return EksUpdate(
        update_id=str(told.get("id") or ""),
        at=at.astimezone(UTC),
        kind=kind,
        name=name,
        type=str(told.get("type") or ""),
        status=str(told.get("status") or ""),
        parameters=tuple(parameters),
        errors=tuple(errors),
    )
