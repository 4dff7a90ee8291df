"""A node with pods in a file: fulfils `Effects` and `Sweeper`, counts evictions, and fails as it is told.

A budget holds back the pods of `held`; failures of evictions are planted under the verb `evict`.
"""

from dataclasses import dataclass, field
from typing import Any

import anyio.lowlevel

from aiops_shared.errors import AiopsError, UnreachableError
from aiops_shared.guardrails.models import ObjectRef, Part, Round, Step
from aiops_shared.guardrails.permits import Permit
from tests.fakes.worlds import FakeWorld, ref_of

BUDGET = "PodDisruptionBudget shop/web (0 of 3 may be disrupted)"


def node(name: str = "n1") -> dict[str, Any]:
    """A node as a server returns it."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
        "spec": {"providerID": "aws:///a/i"},
    }


def pod(name: str, on: str = "n1") -> dict[str, Any]:
    """A pod on a node."""
    about = {"name": name, "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": {"nodeName": on}}


@dataclass
class FakeRack(FakeWorld):
    """Nodes and their pods."""

    held: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)  # the budget's no comes as an answer to the eviction
    forbidden: AiopsError | None = None
    unlistable: AiopsError | None = None
    unlisted: int = 0  # so many looks meet an API that does not answer
    looks: int = 0

    def on(self, node: str) -> list[dict[str, Any]]:
        """The pods of a node, in order of their names."""
        pods = [body for body in self.everything().values() if body["kind"] == "Pod"]
        return sorted((p for p in pods if p["spec"]["nodeName"] == node), key=lambda p: p["metadata"]["name"])

    def evicted(self) -> list[str]:
        """Pods in the order in which they were evicted, as the world itself counts them."""
        return [what.rpartition("/")[2] for verb, what, _ in self.effects() if verb == "evict"]

    async def parts(self, ref: ObjectRef, step: Step) -> Round:
        await anyio.lowlevel.checkpoint()
        self.looks += 1
        if self.unlisted > 0:
            self.unlisted -= 1
            raise UnreachableError("api server", "500 Internal Server Error")
        if self.unlistable is not None:
            raise self.unlistable
        pods = self.on(ref.name)
        free = [each for each in pods if each["metadata"]["name"] not in self.held]
        names = ", ".join(each["metadata"]["name"] for each in pods if each not in free)
        return Round(
            left=frozenset(each["metadata"]["uid"] for each in pods),
            todo=tuple(Part(ref=ref_of(each), uid=each["metadata"]["uid"]) for each in free[:1]),
            says=f"waiting for {BUDGET}: {names}" if names else "",
        )

    async def carry_part(self, ref: ObjectRef, step: Step, part: Part, permit: Permit) -> str:
        permit.covers(ref)
        if self.forbidden is not None:
            raise self.forbidden
        if part.ref.name in self.refused:
            return "Cannot evict pod as it would violate the pod's disruption budget."

        def effect() -> None:
            self._precondition(part.ref, {"metadata": {"uid": part.uid}}, uid_only=True)
            self.drop(part.ref)

        inner = Permit(permit.action_id, permit.plan_digest, permit.targets | {part.ref}, permit.fence)
        await self._effect("evict", part.ref, step.name, inner, effect)
        return ""
