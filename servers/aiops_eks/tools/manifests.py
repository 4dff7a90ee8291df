"""The tool that scans manifests, sent or live, and repairs them.

A large manifest takes a second or more of pure computing, so it is parsed and scanned in a worker thread, two
at a time and within a deadline: the loop answers others meanwhile. What was repaired is then dry-run by the
API server where a cluster and the right to do so are there; a dry run stores nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import anyio
import anyio.to_thread
from fastmcp.tools import Tool
from pydantic import Field

from aiops_eks.diagnosis.result import Ask
from aiops_eks.diagnosis.scanning.checking import Policy, ScanReport
from aiops_shared.errors import InvalidInputError, NotConfiguredError
from aiops_shared.params import READS, AnyKind, AnyName, AnyNamespace, Cluster

if TYPE_CHECKING:
    from aiops_eks.diagnosis.scanning.organisation import RuleBook
    from aiops_eks.diagnosis.scanning.reporting import Scanned

Obj = dict[str, Any]
Manifest = Annotated[
    str | None, Field(max_length=1_100_000, description="YAML, up to 500 documents; or give kind and name")
]

SCAN_S = 30.0
SCANS_AT_ONCE = 2
MOST_REFUSALS = 5


class LiveObjects(Protocol):
    """Reads one live object; fulfilled by `clients.facts.FactsReader`."""

    async def live(self, ask: Ask) -> Obj:
        """The object as its owner would write it. Raises NotFoundError with the nearest names."""
        ...


class Verdict(Protocol):
    """What an API server said; fulfilled by `clients.trial_runs.Trial`."""

    @property
    def validation(self) -> str:
        """server_dry_run or schema_only, and why."""
        ...

    @property
    def refusals(self) -> tuple[str, ...]:
        """Objects that it would not take, in its words."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What it warned of."""
        ...


class Trials(Protocol):
    """Dry-runs objects; fulfilled by `clients.trial_runs.TrialRuns`."""

    async def tried(self, cluster: str | None, namespace: str, objects: tuple[Obj, ...]) -> Verdict:
        """What the API server says of them."""
        ...


class Rules(Protocol):
    """The organisation's rules; fulfilled by `clients.scan_rules.RuleFiles`."""

    def book(self) -> "RuleBook":
        """The rules in force. Raises NotConfiguredError with file and line when one is broken."""
        ...


@dataclass(frozen=True)
class ManifestTools:
    """The tool about manifests."""

    objects: LiveObjects
    trials: Trials | None = None
    rules: Rules | None = None
    places: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(SCANS_AT_ONCE))

    async def scan_manifest(
        self,
        manifest: Manifest = None,
        cluster: Cluster = None,
        namespace: AnyNamespace = None,
        kind: AnyKind = None,
        name: AnyName = None,
        policy: Annotated[
            Policy, Field(description="Pod Security Standard; custom: the organisation's rules only")
        ] = "restricted",
        fix: Annotated[
            bool, Field(description="Return the repaired YAML too, dry-run where possible")
        ] = False,
    ) -> ScanReport:
        """Scan YAML or a live object for security and reliability faults, with a patched YAML on request.

        Use it before plan_manifest, or to harden what runs; nothing is applied.
        """
        if manifest:
            if kind or name:
                raise InvalidInputError("scan_manifest", "both a manifest and a name", "give one of them")
            sent = manifest
            scanned = await self._aside(lambda: _sent(sent, policy, fix, self._book(policy)))
        elif not kind or not name:
            raise InvalidInputError("scan_manifest", "nothing to scan", "give manifest, or kind and name")
        else:
            ask = Ask(cluster=cluster, namespace=namespace or "", kind=kind, name=name)
            live = await self.objects.live(ask)
            scanned = await self._aside(lambda: _live(live, policy, fix, self._book(policy)))
        if self.trials is None or not (cluster or fix) or (not fix and not manifest):
            return scanned.report
        tried = await self.trials.tried(cluster, namespace or "", scanned.wished)
        return _validated(scanned.report, tried)

    def _book(self, policy: Policy) -> "RuleBook":
        from aiops_eks.diagnosis.scanning.organisation import NO_RULES

        book = self.rules.book() if self.rules is not None else NO_RULES
        if policy == "custom" and not book.rules:
            raise NotConfiguredError(
                "policy custom", "no rules are configured", "the operator sets AIOPS_SCAN_RULES_DIR"
            )
        return book

    async def _aside(self, scan: "Callable[[], Scanned]") -> "Scanned":
        """Scan in a thread. Raises InvalidInputError when it takes longer than SCAN_S seconds."""
        with anyio.move_on_after(SCAN_S):
            return await anyio.to_thread.run_sync(scan, abandon_on_cancel=True, limiter=self.places)
        raise InvalidInputError("manifest", f"takes longer than {SCAN_S:.0f} s to scan", "send fewer objects")

    def tools(self) -> list[Tool]:
        """The tools of this module."""
        return [Tool.from_function(self.scan_manifest, annotations=READS, tags={"read"})]


def _validated(report: ScanReport, tried: Verdict) -> ScanReport:
    """The report with the API server's word; what it refuses does not pass."""
    refused = [f"the API server refuses {text}" for text in tried.refusals[:MOST_REFUSALS]]
    if len(tried.refusals) > MOST_REFUSALS:
        refused.append(f"the API server refuses {len(tried.refusals) - MOST_REFUSALS} more")
    warned = [f"the API server warns: {text}" for text in tried.warnings[:MOST_REFUSALS]]
    return report.model_copy(
        update={
            "validation": tried.validation,
            "verdict": "fail" if refused else report.verdict,
            "warnings": (*report.warnings, *refused, *warned),
        }
    )


def _sent(manifest: str, policy: Policy, fix: bool, rules: "RuleBook") -> "Scanned":
    from aiops_eks.diagnosis.scanning.placing import sheet  # the checks: loaded by the first scan (D31)
    from aiops_eks.diagnosis.scanning.reporting import report

    return report(sheet(manifest), policy, fix=fix, rules=rules)


def _live(obj: Obj, policy: Policy, fix: bool, rules: "RuleBook") -> "Scanned":
    from aiops_eks.diagnosis.scanning.placing import live_sheet
    from aiops_eks.diagnosis.scanning.reporting import report

    return report(live_sheet(obj), policy, fix=fix, rules=rules)
