"""What EKS is doing to add-ons right now: `account.area(AddonChanges)`.

An operation of `addon_changes` begins a change; every look at an add-on first settles what world time has
brought to its end, so nothing needs a timer. What runs in the cluster is the `Installer`'s business.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

from aiops_lab.aws.account import Account
from aiops_lab.aws.eks_state import EksState

AT_LEAST_S, DELETES_S, GIVES_UP_S = 25.0, 20.0, 900.0
# In EKS's words (user guide, "Troubleshoot add-ons"; what its users quote).
TOO_FEW = "The add-on is unhealthy because it doesn't have the desired number of replicas."
CONFLICTS = (
    "Conflicts found when trying to apply. Will not continue due to resolve conflicts mode. Conflicts:\n"
)
Doing = Literal["create", "update", "delete"]


@dataclass(frozen=True, slots=True)
class Begun:
    """A change that EKS is carrying out; `conflicts` are the fields that others own."""

    doing: Doing
    at: datetime
    version: str = ""
    conflicts: tuple[str, ...] = ()
    update_id: str = ""


@dataclass(slots=True)
class AddonChanges:
    """By add-on what is going on, and by client token what was answered to it."""

    begun: dict[str, Begun] = field(default_factory=dict)
    answered: dict[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)


def settle(account: Account) -> None:
    """Bring to its end what has had its time."""
    changes = account.area(AddonChanges)
    for name, begun in list(changes.begun.items()):
        if _ended(account, name, begun):
            changes.begun.pop(name, None)


def _ended(account: Account, name: str, begun: Begun) -> bool:
    ends: dict[Doing, Callable[[Account, str, Begun], bool]] = {
        "create": _installed,
        "update": _installed,
        "delete": _deleted,
    }
    return ends[begun.doing](account, name, begun)


def _age_s(account: Account, begun: Begun) -> float:
    return (account.now() - begun.at) / timedelta(seconds=1)


def _deleted(account: Account, name: str, begun: Begun) -> bool:
    if _age_s(account, begun) < DELETES_S:
        return False
    account.addons.pop(name, None)
    return True


def _installed(account: Account, name: str, begun: Begun) -> bool:
    age_s, failed = _age_s(account, begun), f"{begun.doing.upper()}_FAILED"
    if age_s < AT_LEAST_S:
        return False
    if begun.conflicts:
        said = CONFLICTS + "\n".join(begun.conflicts)
        return _turn(account, name, begun, failed, (("ConfigurationConflict", said),))
    pods = account.installer
    if pods is None or account.in_world(partial(pods.ready, name)):
        return _turn(account, name, begun, "ACTIVE", ())
    if age_s < GIVES_UP_S:
        return False
    return _turn(account, name, begun, "DEGRADED", (("InsufficientNumberOfReplicas", TOO_FEW),))


def _turn(
    account: Account, name: str, begun: Begun, status: str, issues: tuple[tuple[str, str], ...]
) -> bool:
    held = account.addons.get(name)
    if held is None:
        return True
    version = begun.version if status == "ACTIVE" or begun.doing == "create" else held.version
    account.addons[name] = replace(
        held, status=status, issues=issues, version=version, modified_at=account.now()
    )
    updates = account.area(EksState).updates
    if begun.update_id in updates:
        updates[begun.update_id] = replace(
            updates[begun.update_id],
            status="Failed" if issues else "Successful",
            errors=tuple((code, text, (name,)) for code, text in issues),
        )
    return True
