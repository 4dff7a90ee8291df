"""The tool that scans a manifest, sent or live, and repairs it.

A large manifest takes seconds of pure computing, so it is parsed and scanned in a worker thread, two at a
time and within a deadline: the loop answers others meanwhile.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Protocol

import anyio
import anyio.to_thread
from fastmcp.tools import Tool
from pydantic import Field

from aiops_eks.diagnosis.result import Ask
from aiops_eks.diagnosis.scanning.checking import Policy, ScanReport
from aiops_eks.diagnosis.scanning.subjects import Obj, flattened
from aiops_shared.errors import InvalidInputError
from aiops_shared.kube.manifests import load_some
from aiops_shared.params import READS, AnyKind, AnyName, AnyNamespace, Cluster

Manifest = Annotated[
    str | None, Field(max_length=1_100_000, description="YAML, up to 500 documents; or give kind and name")
]


SCAN_S = 30.0
SCANS_AT_ONCE = 2


class LiveObjects(Protocol):
    """Reads one live object; fulfilled by `clients.facts.FactsReader`."""

    async def live(self, ask: Ask) -> Obj:
        """The object as its owner would write it. Raises NotFoundError with the nearest names."""
        ...


@dataclass(frozen=True)
class ManifestTools:
    """The tool about manifests."""

    objects: LiveObjects
    places: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(SCANS_AT_ONCE))

    async def scan_manifest(
        self,
        manifest: Manifest = None,
        cluster: Cluster = None,
        namespace: AnyNamespace = None,
        kind: AnyKind = None,
        name: AnyName = None,
        policy: Annotated[Policy, Field(description="Pod Security Standard")] = "restricted",
        fix: Annotated[bool, Field(description="Return the repaired YAML too")] = False,
    ) -> ScanReport:
        """Scan YAML or a live object for security and reliability faults, with a patched YAML on request.

        Use it before plan_manifest, or to harden what runs; nothing is applied.
        """
        if manifest:
            if kind or name:
                raise InvalidInputError("scan_manifest", "both a manifest and a name", "give one of them")
            return await self._aside(partial(_sent, manifest, policy, fix=fix))
        if not kind or not name:
            raise InvalidInputError("scan_manifest", "nothing to scan", "give manifest, or kind and name")
        ask = Ask(cluster=cluster, namespace=namespace or "", kind=kind, name=name)
        live = await self.objects.live(ask)
        return await self._aside(partial(_report, [live], policy, fix=fix))

    async def _aside(self, scan: Callable[[], ScanReport]) -> ScanReport:
        """Scan in a thread. Raises InvalidInputError when it takes longer than SCAN_S seconds."""
        with anyio.move_on_after(SCAN_S):
            return await anyio.to_thread.run_sync(scan, abandon_on_cancel=True, limiter=self.places)
        raise InvalidInputError("manifest", f"takes longer than {SCAN_S:.0f} s to scan", "send fewer objects")

    def tools(self) -> list[Tool]:
        """The tools of this module."""
        return [Tool.from_function(self.scan_manifest, annotations=READS, tags={"read"})]


def _report(objects: list[Obj], policy: Policy, *, fix: bool, omitted: int = 0) -> ScanReport:
    from aiops_eks.diagnosis.scanning.scan import report  # the checks: loaded by the first scan (D31)

    return report(objects, policy, fix=fix, omitted=omitted)


def _sent(manifest: str, policy: Policy, *, fix: bool) -> ScanReport:
    documents, omitted = load_some(manifest)
    return _report(_objects(documents), policy, fix=fix, omitted=omitted)


def _objects(documents: list[Obj]) -> list[Obj]:
    objects = flattened(documents)
    if not objects:
        raise InvalidInputError("manifest", "holds no object", "give YAML with apiVersion, kind and metadata")
    unnamed = next(
        (place for place, obj in enumerate(objects, 1) if not isinstance(obj.get("kind"), str)), None
    )
    if unnamed is not None:
        raise InvalidInputError(
            "manifest", f"object {unnamed} has no kind", "give apiVersion, kind and metadata"
        )
    return objects
