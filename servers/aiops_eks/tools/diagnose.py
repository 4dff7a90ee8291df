"""The tool that says why something is broken."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from fastmcp.tools import Tool

from aiops_eks.diagnosis.result import Ask, Diagnosis
from aiops_shared.errors import InvalidInputError
from aiops_shared.params import READS, AnyKind, AnyName, AnyNamespace, Clusters

if TYPE_CHECKING:
    from aiops_eks.diagnosis.scope import Gathered


class FactsSource(Protocol):
    """Gathers facts; fulfilled by `clients.facts.FactsReader`."""

    async def gather(self, ask: Ask) -> "Gathered":
        """The facts of the scope. Raises NotFoundError for an object that is not there."""
        ...

    async def several(self, ask: Ask, words: tuple[str, ...]) -> Diagnosis:
        """The diagnosis of the clusters that names or globs mean."""
        ...


@dataclass(frozen=True)
class DiagnoseTools:
    """The tool about causes."""

    facts: FactsSource

    async def diagnose(
        self,
        cluster: Clusters = None,
        namespace: AnyNamespace = None,
        kind: AnyKind = None,
        name: AnyName = None,
    ) -> Diagnosis:
        """Find why pods, nodes or volumes are broken or keep restarting (CrashLoopBackOff, OOMKilled,
        Pending, NotReady, …): root causes in clusters, a namespace or one pod, ranked, with evidence and next
        step.

        Use it first: it reads status, events, previous logs and references.
        """
        if bool(kind) != bool(name):
            raise InvalidInputError(
                "kind and name", "only one of them is given", "give both for one object, none for a namespace"
            )
        ask = Ask(namespace=namespace or "", kind=kind or "", name=name or "")
        if isinstance(cluster, tuple):
            return await self.facts.several(ask, cluster)
        from aiops_eks.diagnosis.answering import answer  # the rules: loaded by the first question (D31)

        ask = replace(ask, cluster=cluster)
        return answer(await self.facts.gather(ask))

    def tools(self) -> list[Tool]:
        """The tools of this module."""
        return [Tool.from_function(self.diagnose, annotations=READS, tags={"read"})]
