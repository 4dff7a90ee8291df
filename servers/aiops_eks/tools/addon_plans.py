"""plan_addon_change: from the wish to change an EKS add-on to a stored, judged plan. Changes nothing."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from fastmcp.tools import Tool
from pydantic import Field

from aiops_eks.models.changes import PlannedChange, Resolve
from aiops_eks.tools.plans import Reason
from aiops_shared.errors import InvalidInputError
from aiops_shared.params import PLANS, Cluster, ObjectName

if TYPE_CHECKING:
    from aiops_eks.tools.addon_desk import AddonDesk

_FORMS = {
    "name": re.compile(r"[a-z0-9][a-z0-9_-]{0,99}"),
    "version": re.compile(r"v?[0-9][A-Za-z0-9._+-]{0,80}"),
    "role": re.compile(
        r"([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?=)?arn:aws[a-z-]{0,20}:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,200}"
    ),
}
_ADVICE = {
    "name": "for example vpc-cni",
    "version": "for example v1.20.4-eksbuild.2",
    "role": "an IAM role's ARN, or serviceaccount=ARN",
}
Version = Annotated[str | None, Field(description="Absent: EKS's default")]
Configuration = Annotated[
    str | None, Field(max_length=20_000, description="JSON, replaces all values; {} for none")
]
Role = Annotated[str | None, Field(description="ARN (IRSA) or serviceaccount=ARN (Pod Identity)")]


def _checked(**given: str | None) -> None:
    """Raises InvalidInputError for a value of a form AWS would not take (a pattern costs tokens)."""
    for word, value in given.items():
        if value and not _FORMS[word].fullmatch(value):
            raise InvalidInputError(word, "is not of its form", _ADVICE[word])


@dataclass(frozen=True)
class AddonPlanTools:
    """The tool."""

    desk: "AddonDesk"

    async def plan_addon_change(
        self,
        action: Literal["create", "update", "delete"],
        name: ObjectName,
        version: Version = None,
        configuration: Configuration = None,
        resolve_conflicts: Annotated[Resolve | None, Field(description="Absent: none")] = None,
        role: Role = None,
        preserve: Annotated[bool | None, Field(description="delete: keep what it runs")] = None,
        cluster: Cluster = None,
        reason: Reason = None,
    ) -> PlannedChange:
        """Plan to install, upgrade, configure or delete an EKS add-on (CoreDNS, CNI, CSI, …).

        Changes nothing. Shows compatible versions, prerequisites, conflicts with self-managed
        installs.
        """
        from aiops_eks.planning.addons_scene import AddonWish

        _checked(name=name, version=version, role=role)
        account, _, arn = (role or "").rpartition("=arn:")
        wish = AddonWish(
            action=action,
            name=name,
            version=version or "",
            configuration=configuration,
            resolve=resolve_conflicts,
            role=f"arn:{arn}" if account else role or "",
            service_account=account,
            preserve=preserve,
        )
        return await self.desk.plan(cluster, wish, reason or "")

    def tools(self) -> list[Tool]:
        """The tools of this module."""
        return [Tool.from_function(self.plan_addon_change, annotations=PLANS, tags={"plan"})]
