"""`include=addons`: what is installed and how it does, what could be updated, what is missing and its price.

Installed means an EKS add-on or a self-managed install seen in the cluster: neither counts as missing. What
EKS Auto Mode brings itself does not either. Present is not enough: a DEGRADED add-on is said first.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from aiops_eks.clients.aws_addons import AwsAddons
from aiops_eks.clients.cluster_views.base import Scene, Section
from aiops_eks.clients.gathering import gathered
from aiops_eks.clients.installs import Install, Installs, installs
from aiops_eks.models.addon_roles import MORE, ROLES, known_as, names_to_look_for
from aiops_eks.models.aws_addons import CatalogueAddon, ClusterUpdate, InstalledAddon, Read
from aiops_shared.errors import AiopsError
from aiops_shared.results import Evidence

RECENT = timedelta(days=7)
MOST_SHOWN = 40
ISSUE_CHARS = 140
BROKEN = frozenset({"DEGRADED", "CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED"})


@dataclass(slots=True)
class _Found:
    """What the sources said."""

    installed: Read[InstalledAddon]
    catalogue: Read[CatalogueAddon]
    updates: Read[ClusterUpdate]
    own: Installs
    auto_mode: bool
    version: str

    @property
    def offered(self) -> dict[str, CatalogueAddon]:
        return {one.name: one for one in self.catalogue.items}

    @property
    def self_managed(self) -> dict[str, Install]:
        """Add-on -> the workload that does its work without EKS."""
        managed = {one.name for one in self.installed.items}
        seen: dict[str, Install] = {}
        for one in self.own.found:
            name = known_as(one.words)
            if name and name not in managed:
                seen.setdefault(name, one)
        return seen


async def addons(scene: Scene) -> Section:
    """The section. A source that fails is a warning in it."""
    section = Section()
    found = await _read(scene)
    section.warnings += [
        f"coverage_gap: addons: {gap}"
        for gap in (*found.installed.gaps, *found.catalogue.gaps, *found.updates.gaps, *found.own.gaps)
    ]
    _installed_table(section, found, scene)
    _self_managed_table(section, found)
    missing = _missing(found)
    _missing_table(section, found, missing, full=scene.full)
    _updates_table(section, found, scene)
    section.says = _said(found, missing)
    section.evidence.append(
        Evidence(
            source="eks",
            query=f"ListAddons, DescribeAddon, DescribeAddonVersions (Kubernetes {found.version or 'any'})",
            says=f"{len(found.installed.items)} installed",
        )
    )
    return section


async def _read(scene: Scene) -> _Found:
    version = str(scene.cluster.get("version") or "")
    found = _Found(Read(known=False), Read(known=False), Read(), Installs(), _auto_mode(scene), version)
    if scene.aws is None:  # said already, once for all parts
        found.own = await installs(scene.kube, names_to_look_for())
        return found
    eks = AwsAddons(scene.aws)

    async def aws_side() -> None:
        found.installed = await eks.installed()
        found.updates = await _updates(eks, found.installed.items, scene)

    async def offers() -> None:
        found.catalogue = await eks.catalogue(version)

    async def own() -> None:
        found.own = await installs(scene.kube, names_to_look_for())

    for outcome in await gathered([aws_side, offers, own]):
        if isinstance(outcome, AiopsError):
            raise outcome
    return found


def _auto_mode(scene: Scene) -> bool:
    return (scene.cluster.get("computeConfig") or {}).get("enabled") is True


async def _updates(eks: AwsAddons, installed: Iterable[InstalledAddon], scene: Scene) -> Read[ClusterUpdate]:
    """Updates of add-ons that are not well or were touched within a week; asking all is a call each."""
    names = [
        one.name
        for one in installed
        if not one.works or (one.modified_at is not None and scene.now - one.modified_at < RECENT)
    ]
    outcomes = await gathered([partial(eks.updates, addon=name) for name in names])
    reads = [one for one in outcomes if isinstance(one, Read)]
    return Read(
        tuple(update for read in reads for update in read.items[: 1 if not scene.full else 10]),
        tuple(dict.fromkeys(gap for read in reads for gap in read.gaps)),
    )


def _installed_table(section: Section, found: _Found, scene: Scene) -> None:
    ranked = sorted(found.installed.items, key=lambda one: (one.works, one.name))
    section.table(
        "addons",
        ("addon", "category", "role", "owner", "version", "status", "issues", "update"),
        (
            (
                one.name,
                _category(one.name, found),
                ROLES[one.name].role if one.name in ROLES else "",
                one.owner or (found.offered[one.name].owner if one.name in found.offered else ""),
                one.version,
                one.status,
                scene.redact("; ".join(str(issue) for issue in one.issues))[:ISSUE_CHARS] or None,
                _update(one, found, full=scene.full),
            )
            for one in ranked[:MOST_SHOWN]
        ),
    )


def _category(name: str, found: _Found) -> str:
    if name in ROLES:
        return ROLES[name].category
    return found.offered[name].category if name in found.offered else ""


def _update(one: InstalledAddon, found: _Found, *, full: bool) -> str | None:
    """What could replace the version: said as EKS offers it, never guessed when the catalogue is unknown."""
    offered = found.offered.get(one.name)
    if offered is None:
        return None
    newer = offered.newer_than(one.version)
    if not offered.offers(one.version):
        some = ", ".join(newer if full else newer[:3])
        return f"not offered for {found.version}; compatible: {some}"
    if not newer:
        return None
    return ", ".join(newer) if full else (offered.default if offered.default in newer else newer[0])


def _self_managed_table(section: Section, found: _Found) -> None:
    if not found.self_managed:
        return
    section.table(
        "addons_self_managed",
        ("addon", "workload", "version", "ready"),
        (
            (name, one.where, one.version, f"{one.ready}/{one.wanted}")
            for name, one in sorted(found.self_managed.items())
        ),
    )


def _missing(found: _Found) -> list[str]:
    """Known add-ons that nothing in the cluster stands for, those most needed first."""
    if not found.installed.known:
        return []
    there = {one.name for one in found.installed.items} | set(found.self_managed)
    offered = set(found.offered) if found.catalogue.known else set(ROLES)
    absent = [
        one
        for one in ROLES.values()
        if one.name not in there and one.name in offered and not (found.auto_mode and one.in_auto_mode)
    ]
    return [one.name for one in sorted(absent, key=lambda one: (one.weight, one.category, one.name))]


def _missing_table(section: Section, found: _Found, missing: list[str], *, full: bool) -> None:
    shown = [name for name in missing if full or ROLES[name].weight < MORE]
    if not missing:
        return
    section.table(
        "addons_missing",
        ("category", "addon", "owner", "without_it", "version"),
        (
            (
                ROLES[name].category,
                name,
                ROLES[name].owner,
                ROLES[name].without,
                found.offered[name].default if name in found.offered else None,
            )
            for name in shown
        ),
    )
    if len(shown) < len(missing):
        rest = [name for name in missing if name not in shown]
        section.warnings.append(
            f"{len(rest)} more add-ons that only some clusters need are not installed"
            " (detail=full lists them)"
        )
    if found.own.gaps:
        section.warnings.append(
            "addons_missing may name add-ons that run self-managed: the cluster could not be searched"
        )


def _updates_table(section: Section, found: _Found, scene: Scene) -> None:
    shown = [
        one
        for one in found.updates.items
        if scene.full or one.status != "Successful" or (one.at and scene.now - one.at < RECENT)
    ]
    if not shown:
        return
    section.table(
        "addon_updates",
        ("addon", "status", "since", "to", "errors"),
        (
            (
                one.of.removeprefix("addon "),
                one.status,
                one.at.isoformat(timespec="minutes") if one.at else None,
                dict(one.wanted).get("AddonVersion"),
                scene.redact("; ".join(str(error) for error in one.errors))[:ISSUE_CHARS] or None,
            )
            for one in shown[:MOST_SHOWN]
        ),
    )


def _said(found: _Found, missing: list[str]) -> str:
    if not found.installed.known:
        return "add-ons unknown"
    parts = [f"{len(found.installed.items)} EKS add-ons"]
    ill = [one for one in found.installed.items if not one.works]
    for one in sorted(ill, key=lambda one: (one.status not in BROKEN, one.name))[:2]:
        code = f" ({one.issues[0].code})" if one.issues else ""
        parts.append(f"{one.name} {one.status}{code}")
    failed = [one for one in found.updates.items if one.status == "Failed"]
    parts += [f"update of {one.of.removeprefix('addon ')} failed" for one in failed[:1]]
    behind = [one.name for one in found.installed.items if _update(one, found, full=False)]
    if behind:
        parts.append(f"update available: {', '.join(behind[:3])}" + (" …" if len(behind) > 3 else ""))
    needed = [name for name in missing if ROLES[name].weight < MORE]
    if needed:
        parts.append(f"{len(needed)} missing, {_worst_missing(needed)}")
    return ", ".join(parts)


def _worst_missing(needed: list[str]) -> str:
    """The lack that costs answers most: one that the cluster cannot work without, else evidence."""
    core = [name for name in needed if ROLES[name].weight == 0]
    evidence = [name for name in needed if "evidence" in ROLES[name].without]
    name = (core or evidence or needed)[0]
    return f"e.g. {name}: {ROLES[name].without}"
