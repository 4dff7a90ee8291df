"""`include=access`: who is let into the cluster, which ServiceAccounts have AWS roles, and why 403.

With a principal (an IAM ARN or `namespace/serviceaccount`) the section answers why it is refused: from the
door (access entry, aws-auth) through groups and bindings to the AWS role behind a ServiceAccount.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from aiops_eks.clients.aws_ground import AwsGround
from aiops_eks.clients.cluster_views.base import Scene, Section
from aiops_eks.models import access_reasons as why
from aiops_eks.models.access_reasons import Binding, Check
from aiops_eks.models.aws_addons import Read
from aiops_eks.models.aws_ground import AccessEntry, PodIdentityAssociation, RoleTrust
from aiops_eks.models.fields import count, name_of, namespace_of, part, text
from aiops_shared.errors import NotFoundError
from aiops_shared.results import Evidence

MOST_BINDINGS, MOST_ACCOUNTS = 5_000, 20_000
SHOWN, SHOWN_FULL = 14, 100
AGENT = "eks-pod-identity-agent"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class _Door:
    """What stands at the cluster's door."""

    mode: str
    entries: Read[AccessEntry]
    mappings: tuple[why.Mapping, ...] | None


async def access(scene: Scene) -> Section:
    """The section. A source that fails is a warning in it."""
    section = Section()
    if scene.principal and "/" in scene.principal and not scene.principal.startswith("arn:"):
        checks = await _of_account(section, scene)
    elif scene.principal:
        checks = await _of_principal(section, scene)
    else:
        await _overview(section, scene)
        return section
    faults = [one for one in checks if one.verdict == why.FAULT]
    unknown = [one for one in checks if one.verdict == why.UNKNOWN]
    section.table(
        "why_403",
        ("check", "verdict", "says", "next_step"),
        (
            (one.what, one.verdict, scene.redact(one.says)[:300], one.next_step or None)
            for one in [*faults, *unknown, *(one for one in checks if one.verdict == why.OK)]
        ),
    )
    section.says = _verdict(scene.principal, faults, unknown)
    return section


def _verdict(principal: str, faults: Sequence[Check], unknown: Sequence[Check]) -> str:
    if faults:
        return f"{principal[:120]} gets 403: {faults[0].what}: {faults[0].says[:200]}"
    if unknown:
        return f"{principal[:120]}: no fault seen, but unknown: {', '.join(one.what for one in unknown)}"
    return f"{principal[:120]}: no fault at the door; compare what it asks with its rights"


# the door


async def _door(section: Section, scene: Scene) -> _Door:
    mode = text(scene.cluster, "accessConfig", "authenticationMode")
    ground = AwsGround(scene.eks())
    entries: Read[AccessEntry] = Read(known=False)
    if mode != "CONFIG_MAP":
        entries = await ground.access_entries()
        section.warnings += [f"coverage_gap: access: {gap}" for gap in entries.gaps]
    mappings = await section.or_gap("access: aws-auth", _aws_auth(scene))
    section.evidence.append(
        Evidence(
            source="eks", query="ListAccessEntries, DescribeAccessEntry", says=f"mode {mode or 'unknown'}"
        )
    )
    return _Door(mode, entries, mappings)


async def _aws_auth(scene: Scene) -> tuple[why.Mapping, ...]:
    """The lines of aws-auth; none where there is no such ConfigMap or it cannot be read as YAML."""
    try:
        found = await scene.kube.get("ConfigMap", "kube-system", "aws-auth")
    except NotFoundError:
        return ()
    lines: list[why.Mapping] = []
    for key, arn in (("mapRoles", "rolearn"), ("mapUsers", "userarn")):
        try:
            rows = yaml.load(text(found, "data", key) or "[]", _LOADER)  # noqa: S506  # a safe loader
        except yaml.YAMLError:
            rows = []
        lines += [_line(one, arn) for one in rows if isinstance(one, dict)] if isinstance(rows, list) else []
    return tuple(lines)


def _line(told: dict[str, Any], arn: str) -> why.Mapping:
    groups = told.get("groups")
    held = tuple(str(one) for one in groups) if isinstance(groups, list) else ()
    return why.Mapping(str(told.get(arn, "")), str(told.get("username", "")), held)


async def _bindings(scene: Scene) -> list[Binding]:
    """Every binding with whether its role exists. Raises `AiopsError`."""
    roles = [
        (kind, namespace_of(one), name_of(one))
        for kind in ("ClusterRole", "Role")
        async for one in scene.kube.every(kind, at_most=MOST_BINDINGS)
    ]
    known = frozenset(roles) if len(roles) < MOST_BINDINGS else None
    return [
        why.binding(one, known)
        for kind in ("ClusterRoleBinding", "RoleBinding")
        async for one in scene.kube.every(kind, at_most=MOST_BINDINGS)
    ]


# why 403


async def _of_principal(section: Section, scene: Scene) -> list[Check]:
    found = why.who(scene.principal)
    if found is None:
        step = "give arn:aws:iam::<account>:role/<name>, a user's ARN, a session's ARN, or namespace/name"
        return [Check("principal", why.UNKNOWN, "neither an IAM ARN nor namespace/serviceaccount", step)]
    door = await _door(section, scene)
    entries = door.entries.items if door.entries.known or door.entries.items else None
    checks, known = why.entry_checks(found, door.mode, entries, door.mappings)
    if not door.entries.known and door.mode != "CONFIG_MAP" and known is None:
        checks = [_softened(one) for one in checks]
    if known is not None:
        bindings = await section.or_gap("access: bindings", _bindings(scene))
        checks += why.rights_checks(known, bindings)
    return checks


def _softened(one: Check) -> Check:
    """Not every entry was read: the missing one may be among the others."""
    if one.what != "access entry" or one.verdict != why.FAULT:
        return one
    return Check(one.what, why.UNKNOWN, f"{one.says}, but not all entries could be read", one.next_step)


async def _of_account(section: Section, scene: Scene) -> list[Check]:
    namespace, _, name = scene.principal.partition("/")
    try:
        account = await scene.kube.get("ServiceAccount", namespace, name)
    except NotFoundError as error:
        section.warnings.append(error.wire()[:300])
        step = error.hint or "list_resources(kind=ServiceAccount)"
        return [Check("ServiceAccount", why.FAULT, f"{namespace}/{name} does not exist", step[:200])]
    bindings = await section.or_gap("access: bindings", _bindings(scene))
    checks = [why.account_rights(namespace, name, bindings)]
    if scene.aws is None:
        return [*checks, Check("AWS role", why.UNKNOWN, scene.no_aws or "the AWS side is not known")]
    ground = AwsGround(scene.eks())
    associations = await ground.associations(namespace, name)
    section.warnings += [f"coverage_gap: access: {gap}" for gap in associations.gaps]
    arn = why.role_annotation(account)
    if arn:
        checks += await _irsa(section, scene, ground, arn)
    for one in associations.items:
        agent = await _agent(section, scene)
        role = await _role(section, scene, ground, one.role_arn)
        checks += [role] if isinstance(role, Check) else why.pod_identity_checks(one, role, agent)
    if not arn and not associations.items:
        checks.append(_no_role(known=associations.known))
    section.evidence.append(
        Evidence(source="kubernetes", query=f"get serviceaccount {namespace}/{name}, bindings")
    )
    return checks


def _no_role(*, known: bool) -> Check:
    words = "no annotation eks.amazonaws.com/role-arn"
    if not known:
        return Check("AWS role", why.UNKNOWN, f"{words}; associations could not be read")
    step = "if it calls AWS: create a Pod Identity association for it (IaC), then restart the pods"
    return Check(
        "AWS role", why.OK, f"{words}, no Pod Identity association: its pods have no role of their own", step
    )


async def _irsa(section: Section, scene: Scene, ground: AwsGround, arn: str) -> list[Check]:
    namespace, _, name = scene.principal.partition("/")
    issuer = text(scene.cluster, "identity", "oidc", "issuer")
    providers = await section.or_gap("access: iam:ListOpenIDConnectProviders", ground.providers())
    role = await _role(section, scene, ground, arn)
    if isinstance(role, Check):
        return [role]
    if not issuer:
        return [Check("OIDC provider", why.UNKNOWN, "the cluster's issuer is not known")]
    return why.irsa_checks(namespace, name, arn, issuer, role, providers)


async def _role(section: Section, scene: Scene, ground: AwsGround, arn: str) -> RoleTrust | Check | None:
    """The role; a Check where it cannot be said whether it is there."""
    found = why.who(arn)
    if found is None or found.kind != "role" or found.session:
        step = "correct it to arn:aws:iam::<account>:role/<name>, then restart the pods"
        return Check("AWS role", why.FAULT, f"{arn[:200]} is no role's ARN", step)
    own = scene.eks().target.account
    if own and found.account != own:
        return Check("AWS role", why.UNKNOWN, f"{arn} is of another account and was not looked at")
    unread = RoleTrust("unread")
    role: RoleTrust | None = await section.or_gap("access: iam:GetRole", ground.role(found.name), unread)
    return (
        Check("AWS role", why.UNKNOWN, f"{arn} could not be read (iam:GetRole)") if role is unread else role
    )


async def _agent(section: Section, scene: Scene) -> bool | None:
    """Whether the Pod Identity agent runs; EKS Auto Mode has it built in."""
    if part(scene.cluster, "computeConfig").get("enabled") is True:
        return True
    ready: int | None = await section.or_gap("access: Pod Identity agent", _agents_ready(scene))
    return None if ready is None else ready > 0


async def _agents_ready(scene: Scene) -> int:
    try:
        return count(await scene.kube.get("DaemonSet", "kube-system", AGENT), "status", "numberReady")
    except NotFoundError:
        return 0


# everything


async def _overview(section: Section, scene: Scene) -> None:
    most = SHOWN_FULL if scene.full else SHOWN
    door = await _door(section, scene)
    rows = sorted(door.entries.items, key=lambda one: (one.kind != "STANDARD", one.principal))
    if door.mode != "CONFIG_MAP":
        section.table(
            "access_entries",
            ("principal", "type", "groups", "policies", "may_do_nothing"),
            (_entry_row(one) for one in rows[:most]),
        )
    if len(rows) > most:
        section.warnings.append(f"{len(rows) - most} more access entries; detail=full shows {SHOWN_FULL}")
    if door.mappings and door.mode != "API":
        section.table(
            "aws_auth",
            ("arn", "username", "groups"),
            ((one.arn, one.username, ", ".join(one.groups)) for one in door.mappings[:most]),
        )
    if scene.aws is not None:
        await _identities(section, scene, most)
    idle = [one for one in rows if _idle(one)]
    said = [f"mode {door.mode}" if door.mode else "mode unknown", f"{len(rows)} access entries"]
    said += [f"{len(idle)} with neither policy nor group"] if idle else []
    said += ["aws-auth is there and not looked at"] if door.mappings and door.mode == "API" else []
    section.says = ", ".join(said)


def _idle(one: AccessEntry) -> bool:
    return one.kind == "STANDARD" and one.policies_known and not one.policies and not one.groups


def _entry_row(one: AccessEntry) -> tuple[str | bool | None, ...]:
    policies = "; ".join(f"{name} ({reach})" for name, reach in one.policies)
    known = policies or (None if one.policies_known else "unknown")
    return one.principal, one.kind, ", ".join(one.groups) or None, known, _idle(one) or None


async def _identities(section: Section, scene: Scene, most: int) -> None:
    """ServiceAccounts with AWS roles, by Pod Identity or by annotation."""
    found = await AwsGround(scene.eks()).associations()
    section.warnings += [f"coverage_gap: access: {gap}" for gap in found.gaps]
    annotated = await section.or_gap("access: serviceaccounts", _annotated(scene), [])
    rows = [(_account(one), one.role_arn, "Pod Identity") for one in found.items]
    rows += [(f"{space}/{name}", arn, "IRSA") for space, name, arn in annotated]
    twice = (
        {row[0] for row in rows if sum(other[0] == row[0] for other in rows) > 1}
        if len(rows) < 500
        else set()
    )
    if rows:
        section.table(
            "service_account_roles",
            ("service_account", "role", "by"),
            (
                (name, arn, f"{by} (has both)" if name in twice else by)
                for name, arn, by in sorted(rows)[:most]
            ),
        )


def _account(one: PodIdentityAssociation) -> str:
    return f"{one.namespace}/{one.service_account}"


async def _annotated(scene: Scene) -> list[tuple[str, str, str]]:
    return [
        (namespace_of(one), name_of(one), arn)
        async for one in scene.kube.every("ServiceAccount", at_most=MOST_ACCOUNTS)
        if (arn := why.role_annotation(one))
    ]
