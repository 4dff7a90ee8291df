"""The tool that scans a manifest, sent or live, and repairs it."""

from dataclasses import dataclass
from typing import Annotated, Protocol

from fastmcp.tools import Tool
from pydantic import Field

from aiops_eks.diagnosis.scanning.checking import Policy, ScanReport
from aiops_eks.diagnosis.scanning.scan import report
from aiops_eks.diagnosis.scanning.subjects import Obj, flattened
from aiops_eks.diagnosis.scope import Ask
from aiops_shared.errors import InvalidInputError
from aiops_shared.kube.manifests import load_some
from aiops_shared.params import READS, AnyKind, AnyName, AnyNamespace, Cluster

Manifest = Annotated[
    str | None, Field(max_length=1_100_000, description="YAML, up to 500 documents; or give kind and name")
]


class LiveObjects(Protocol):
    """Reads one live object; fulfilled by `clients.facts.FactsReader`."""

    async def live(self, ask: Ask) -> Obj:
        """The object as its owner would write it. Raises NotFoundError with the nearest names."""
        ...


@dataclass(frozen=True)
class ManifestTools:
    """The tool about manifests."""

    objects: LiveObjects

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
            documents, omitted = load_some(manifest)
            return report(_objects(documents), policy, fix=fix, omitted=omitted)
        if not kind or not name:
            raise InvalidInputError("scan_manifest", "nothing to scan", "give manifest, or kind and name")
        ask = Ask(cluster=cluster, namespace=namespace or "", kind=kind, name=name)
        return report([await self.objects.live(ask)], policy, fix=fix)

    def tools(self) -> list[Tool]:
        """The tools of this module."""
        return [Tool.from_function(self.scan_manifest, annotations=READS, tags={"read"})]


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
