"""One of several processes leads: a Kubernetes Lease, as client-go's leader election holds it.

Called by `eks-aiops forward`, so that one of its replicas sends. After k8s.io/client-go,
tools/leaderelection/leaderelection.go: a lease whose record did not change for its duration, by this
machine's own clock, may be taken; writes carry the resourceVersion that was read, so one of two takers loses.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

import anyio

from aiops_shared.clock import Clock
from aiops_shared.errors import AccessDeniedError, AiopsError, ConflictError, NotFoundError

DURATION_S: Final = 15
RENEW_S: Final = 5.0
Obj = dict[str, Any]


class LeaseWrites:
    """What the guard on the wire is shown: our own Lease is the only object that is written with it."""


class Leases(Protocol):
    """What of a cluster's API is needed."""

    async def get(self, kind: str, namespace: str, name: str, *, suggest: bool = True) -> Obj:
        """One object."""
        ...

    async def create(self, obj: Obj, *, dry_run: bool, permit: object | None = None) -> Obj:
        """Create it."""
        ...

    async def replace(
        self, obj: Obj, *, subresource: str = "", dry_run: bool, permit: object | None = None
    ) -> Obj:
        """Put it in place, if it still is what was read."""
        ...


@dataclass
class Leader:
    """One candidate. Where no Lease can be had, every candidate leads, and that is said once."""

    kube: Leases
    clock: Clock
    me: str
    say: Callable[[str], None]
    namespace: str = "aiops-system"
    name: str = "eks-aiops-forward"
    leads: bool = field(default=False, init=False)
    _seen: tuple[str, float] = field(default=("", 0.0), init=False)  # of the record: version, our time
    _renewed_at: float = field(default=0.0, init=False)
    _unable: bool = field(default=False, init=False)

    async def run(self) -> None:
        """Try, hold, until cancelled."""
        while True:
            await self.once()
            await anyio.sleep(RENEW_S)

    async def once(self) -> bool:
        """One look at the lease; whether this candidate leads now."""
        before = self.leads
        try:
            self.leads = await self._held()
            self._renewed_at = anyio.current_time() if self.leads else self._renewed_at
        except (AccessDeniedError, NotFoundError) as error:
            if not self._unable:
                self.say(f"no lease {self.namespace}/{self.name} ({error}): every forwarder sends")
            self._unable = self.leads = True
        except ConflictError:
            self.leads = False
        except AiopsError as error:  # the API server does not answer: lead on only as long as the lease lasts
            self.leads = before and anyio.current_time() - self._renewed_at < DURATION_S - RENEW_S
            self.say(f"lease: {error}")
        if self.leads is not before:
            self.say(f"{self.me} {'leads' if self.leads else 'leads no more'}")
        return self.leads

    async def release(self) -> None:
        """Let another take it at once. Errors do not matter: it runs out."""
        if not self.leads or self._unable:
            return
        self.leads = False
        try:
            lease = await self.kube.get("Lease", self.namespace, self.name, suggest=False)
            if (lease.get("spec") or {}).get("holderIdentity") == self.me:
                lease["spec"] = {**lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
                await self.kube.replace(lease, dry_run=False, permit=LeaseWrites())
        except AiopsError:
            return

    async def _held(self) -> bool:
        try:
            lease = await self.kube.get("Lease", self.namespace, self.name, suggest=False)
        except NotFoundError:
            now = await self.clock.now()
            metadata = {"name": self.name, "namespace": self.namespace}
            kind = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}
            await self.kube.create({**kind, "spec": self._spec({}, now)}, dry_run=False, permit=LeaseWrites())
            return True
        spec = lease.get("spec") or {}
        holder = str(spec.get("holderIdentity") or "")
        if holder not in {"", self.me} and not self._is_over(lease, spec):
            return False
        lease["spec"] = self._spec(spec, await self.clock.now())
        await self.kube.replace(lease, dry_run=False, permit=LeaseWrites())
        return True

    def _is_over(self, lease: Obj, spec: Obj) -> bool:
        """Whether its record stood still for its whole duration, as this machine saw it."""
        version, now = str((lease.get("metadata") or {}).get("resourceVersion", "")), anyio.current_time()
        if version != self._seen[0]:
            self._seen = (version, now)
        duration = spec.get("leaseDurationSeconds")
        return now - self._seen[1] >= (duration if isinstance(duration, int) else DURATION_S)

    def _spec(self, old: Obj, now: datetime) -> Obj:
        moment = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        mine = old.get("holderIdentity") == self.me
        turns = old.get("leaseTransitions")
        return {
            "holderIdentity": self.me,
            "leaseDurationSeconds": DURATION_S,
            "acquireTime": old.get("acquireTime") if mine else moment,
            "renewTime": moment,
            "leaseTransitions": (turns if isinstance(turns, int) else 0) + (0 if mine else 1),
        }
