"""Volumes and load balancers of a change: their lines, and what of them cannot be known beforehand.

Called by `estimate_reading`. A storage class says the type of volume, IOPS and throughput (the EBS CSI
driver's parameters); a claim without one gets the cluster's default class, as the API server does.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aiops_cost.analysis.estimating import Line
from aiops_cost.analysis.price_lists import cost_of
from aiops_cost.clients.estimate_shapes import Billed, Change, Claim
from aiops_cost.clients.fleet_shapes import number
from aiops_cost.clients.price_book import PriceBook
from aiops_cost.models.money import HOURS_PER_MONTH, NANO
from aiops_shared.errors import AiopsError, NotFoundError
from aiops_shared.kube.shapes import mapping, meta, text
from aiops_shared.results.wording import quotable

if TYPE_CHECKING:
    from aiops_shared.kube.api import KubeApi

Obj = dict[str, Any]
EBS, OLD_EBS, AUTO_EBS = "ebs.csi.aws.com", "kubernetes.io/aws-ebs", "ebs.csi.eks.amazonaws.com"
DEFAULT = "storageclass.kubernetes.io/is-default-class"
KINDS = frozenset({"gp2", "gp3", "io1", "io2", "st1", "sc1"})
# What a gp3 volume has without being paid for (EBS user guide, "General Purpose SSD volumes").
FREE_IOPS, FREE_MIBPS = 3000, 125
NAMES = {
    "alb": "an Application Load Balancer",
    "nlb": "a Network Load Balancer",
    "clb": "a Classic Load Balancer",
}


@dataclass(frozen=True, slots=True)
class _Sold:
    """A storage class as it is billed. `kind` empty: not EBS."""

    name: str
    kind: str
    iops: float = 0.0
    iops_per_gib: float = 0.0
    mibps: float = 0.0
    why_not: str = ""


@dataclass
class StoragePricer:
    """Prices volumes and balancers of one change after the other."""

    book: PriceBook
    kube: "KubeApi"
    region: str
    lines: list[Line] = field(default_factory=list)
    unpriced: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)
    dates: set[str] = field(default_factory=set)
    _classes: dict[str | None, _Sold] = field(default_factory=dict)

    async def price(self, change: Change, before: Billed, after: Billed) -> None:
        """The lines of one object. Raises what prices raise without a kept copy."""
        was = {claim.name: claim for claim in before.claims}
        will = {claim.name: claim for claim in after.claims}
        for name in {**was, **will}:
            await self._volume(change, was.get(name), will.get(name))
        if before.balancer != after.balancer:
            for kind, sign in ((before.balancer, -1), (after.balancer, 1)):
                if kind:
                    await self._balancer(change, kind, sign)

    async def _volume(self, change: Change, was: Claim | None, will: Claim | None) -> None:
        old = await self._monthly(change, was)
        new = await self._monthly(change, will)
        if old is None or new is None:
            return
        if will is None and was is not None and change.kind == "StatefulSet":
            self.assumptions.append("volumes of a StatefulSet that goes are deleted too")
        amount = new[0] - old[0]
        if amount or not was:
            self.lines.append(
                Line(f"{change.label}: {_words(was, will)}", amount, amount, _how(old[1], new[1]))
            )

    async def _monthly(self, change: Change, claim: Claim | None) -> tuple[int, str] | None:
        """A claim's volumes a month, and how; None where it cannot be known."""
        if claim is None or not claim.count:
            return 0, ""
        sold = await self._sold(claim.storage_class)
        if not sold.kind or not claim.gib:
            why = sold.why_not or "it asks for no storage"
            self.unpriced.append(f"volume {quotable(claim.name)} of {change.label}: {why}")
            return None
        parts = [(sold.kind, float(claim.gib), "GiB")]
        if sold.kind == "gp3":
            parts += [("gp3_iops", max(0.0, sold.iops - FREE_IOPS), "IOPS")] if sold.iops else []
            more = max(0.0, sold.mibps - FREE_MIBPS)
            parts += [("gp3_throughput", more / 1024, "GiB/s")] if more else []
        if sold.kind in {"io1", "io2"}:
            parts.append((f"{sold.kind}_iops", sold.iops or sold.iops_per_gib * claim.gib, "IOPS"))
        total, said = 0, []
        for kind, quantity, unit in parts:
            if quantity:
                price = await self.book.other(kind, self.region)
                self.dates.add(price.as_of)
                exact = Decimal(repr(quantity)) * claim.count
                total += (
                    cost_of(price.tiers, exact)
                    if price.tiers
                    else int((exact * price.nano_usd).to_integral_value())
                )
                times = f"{claim.count} x " if claim.count > 1 else ""
                said.append(f"{times}{quantity:g} {unit} x ${price.nano_usd / NANO:.6g} ({kind})")
        return total, " + ".join(said)

    async def _balancer(self, change: Change, kind: str, sign: int) -> None:
        price = await self.book.other(f"{kind}_hour", self.region)
        self.dates.add(price.as_of)
        amount = sign * price.nano_usd * HOURS_PER_MONTH
        how = f"{'-' if sign < 0 else ''}${price.nano_usd / NANO:.6g} x {HOURS_PER_MONTH} h"
        self.lines.append(Line(f"{change.label}: {NAMES[kind]}", amount, amount, how))
        unit = await self.book.other("clb_gb" if kind == "clb" else f"{kind}_lcu", self.region)
        self.warnings.append(
            f"{NAMES[kind]} also costs ${unit.nano_usd / NANO:.6g} per {unit.unit}, by its traffic, and"
            " public IPv4 addresses where it faces the internet"
        )

    async def _sold(self, name: str | None) -> _Sold:
        if name not in self._classes:
            self._classes[name] = await self._read(name)
        return self._classes[name]

    async def _read(self, name: str | None) -> _Sold:
        if name == "":
            return _Sold("", "", why_not="it wants a volume that exists already")
        if name is not None and quotable(name) != name:
            return _Sold("", "", why_not="its storage class's name is none")
        try:
            if name is not None:
                return _sold(await self.kube.get("storageclasses.storage.k8s.io", "", name))
            found = [one async for one in self.kube.every("storageclasses.storage.k8s.io")]
        except NotFoundError as error:
            return _Sold(name or "", "", why_not=f"no storage class {quotable(name or '')}; {error.hint}")
        except AiopsError as error:
            return _Sold(name or "", "", why_not=f"its storage class was not read: {error.wire()}")
        chosen = [one for one in found if mapping(meta(one).get("annotations")).get(DEFAULT) == "true"]
        if not chosen:
            return _Sold("", "", why_not="it names no storage class and the cluster has no default one")
        newest = max(chosen, key=lambda one: text(meta(one).get("creationTimestamp")))
        return _sold(newest)


def _sold(obj: Obj) -> _Sold:
    """A StorageClass (aws-ebs-csi-driver, docs/parameters.md)."""
    name, maker = text(meta(obj).get("name")), text(obj.get("provisioner"))
    said = {key.lower(): value for key, value in mapping(obj.get("parameters")).items()}
    if maker not in {EBS, OLD_EBS, AUTO_EBS}:
        return _Sold(
            name, "", why_not=f"class {quotable(name)} is of {quotable(maker)}: billed by what is stored"
        )
    kind = text(said.get("type")) or ("gp2" if maker == OLD_EBS else "gp3")
    if kind not in KINDS:
        return _Sold(name, "", why_not=f"class {quotable(name)} makes {quotable(kind)} volumes")
    return _Sold(
        name, kind, number(said.get("iops")), number(said.get("iopspergb")), number(said.get("throughput"))
    )


def _words(was: Claim | None, will: Claim | None) -> str:
    def one(claim: Claim | None) -> str:
        if claim is None:
            return "none"
        return f"{claim.count} x {claim.gib} GiB" if claim.count != 1 else f"{claim.gib} GiB"

    return f"volume {one(was)} -> {one(will)}" if was else f"volume {one(will)}"


def _how(old: str, new: str) -> str:
    return f"({new or '0'}) - ({old})" if old else new
