"""Why a principal gets 403: one check after another, each with what it rests on and what to do.

Called by the view of access. Pure, over what AWS and the cluster answered; what could not be read is said to
be unknown and never taken for a fault. Sources: EKS guide, "Grant IAM users access to Kubernetes with EKS
access entries", "aws-auth ConfigMap", "IAM roles for service accounts", "EKS Pod Identity".
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from aiops_eks.models.aws_ground import AccessEntry, PodIdentityAssociation, RoleTrust, TrustRule
from aiops_eks.models.fields import Obj, items, name_of, namespace_of, part, text

OK, FAULT, UNKNOWN = "ok", "fault", "unknown"
ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"
AUDIENCE = "sts.amazonaws.com"
POD_SERVICE = "pods.eks.amazonaws.com"
MASTERS = "system:masters"
_ARN = re.compile(r"arn:aws[a-z-]*:(iam|sts)::(\d{12}):(role|user|assumed-role|root)(?:/(.+))?")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    what: str
    verdict: str  # ok | fault | unknown
    says: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Who:
    """An IAM principal as access entries would name it. `session`: it was given as a role's session."""

    given: str
    account: str
    kind: str  # role | user | root
    path: str
    name: str
    session: bool = False

    @property
    def arn(self) -> str:
        """The IAM ARN; of a session without the role's path, which its ARN does not tell."""
        return f"arn:aws:iam::{self.account}:{self.kind}/{self.path}{self.name}"


@dataclass(frozen=True, slots=True)
class Mapping:
    """A line of aws-auth."""

    arn: str
    username: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Binding:
    """A RoleBinding or ClusterRoleBinding; `role_there` None where roles were not read."""

    kind: str
    namespace: str
    name: str
    role: str
    subjects: tuple[tuple[str, str, str], ...]  # kind, namespace, name
    role_there: bool | None = None

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.kind} {self.name} -> {self.role}{where}"


def who(given: str) -> Who | None:
    """An IAM ARN taken apart; None for anything else."""
    match = _ARN.fullmatch(given)
    if match is None:
        return None
    kind, rest = match[3], match[4] or ""
    if kind == "assumed-role":
        return Who(given, match[2], "role", "", rest.partition("/")[0], session=True)
    path, _, name = rest.rpartition("/")
    return Who(given, match[2], kind, f"{path}/" if path else "", name)


def binding(obj: Obj, roles: frozenset[tuple[str, str, str]] | None) -> Binding:
    """A binding object; `roles` are kind, namespace and name of all roles."""
    ref, space = part(obj, "roleRef"), namespace_of(obj)
    kind = text(ref, "kind")
    key = (kind, space if kind == "Role" else "", text(ref, "name"))
    return Binding(
        kind="RoleBinding" if space else "ClusterRoleBinding",
        namespace=space,
        name=name_of(obj),
        role=f"{kind} {text(ref, 'name')}",
        subjects=tuple(
            (text(one, "kind"), text(one, "namespace"), text(one, "name")) for one in items(obj, "subjects")
        ),
        role_there=None if roles is None else key in roles,
    )


# IAM principals


def entry_checks(
    found: Who, mode: str, entries: Sequence[AccessEntry] | None, mappings: Sequence[Mapping] | None
) -> tuple[list[Check], AccessEntry | Mapping | None]:
    """Whether the cluster knows the principal at all, and as whom."""
    checks: list[Check] = []
    if found.session:
        words = f"a session of the role {found.name}; access is given to the role, not to sessions"
        checks.append(Check("principal", OK, words))
    by_entry, by_map = mode != "CONFIG_MAP", mode in {"CONFIG_MAP", "API_AND_CONFIG_MAP", ""}
    if by_entry:
        entry, said = _entry(found, entries, by_map, mappings)
        checks += said
        if entry is not None:
            return checks, entry
    if by_map:
        mapping, said = _mapping(found, mappings)
        checks += said
        if mapping is not None:
            return checks, mapping
    elif mappings and _same(found, [one.arn for one in mappings]):
        words = "aws-auth maps it, and the cluster's mode API does not look at aws-auth"
        checks.append(
            Check("authentication mode", FAULT, words, "create an access entry with the same groups")
        )
    return checks, None


def _same(found: Who, arns: Iterable[str]) -> str:
    """The ARN that means the principal; a session's role may stand under any path."""
    for arn in arns:
        other = who(arn)
        if arn == found.arn or (found.session and other is not None and _alike(found, other)):
            return arn
    return ""


def _alike(found: Who, other: Who) -> bool:
    return (found.account, found.kind, found.name) == (other.account, other.kind, other.name)


def _near(found: Who, arns: Iterable[str]) -> str:
    """An ARN that names the same role in a form that does not count: another path, or a session."""
    others = ((arn, who(arn)) for arn in arns)
    return next((arn for arn, other in others if other is not None and _alike(found, other)), "")


def _entry(
    found: Who, entries: Sequence[AccessEntry] | None, by_map: bool, mappings: Sequence[Mapping] | None
) -> tuple[AccessEntry | None, list[Check]]:
    if entries is None:
        return None, [Check("access entry", UNKNOWN, "entries could not be read")]
    arns = [one.principal for one in entries]
    if same := _same(found, arns):
        entry = next(one for one in entries if one.principal == same)
        words = f"{same} is {entry.username or same}, type {entry.kind}"
        return entry, [Check("access entry", OK, words)]
    if near := _near(found, arns):
        words = f"the entry names {near}, the principal is {found.arn}: paths must be equal, and no session"
        return None, [Check("access entry", FAULT, words, f"create an access entry for {found.arn}")]
    if by_map and mappings and _same(found, [one.arn for one in mappings]):
        return None, [Check("access entry", OK, "none; aws-auth is looked at instead")]
    words = f"no access entry for {found.arn}"
    return None, [Check("access entry", FAULT, words, f"create an access entry for {found.arn} (IaC)")]


def _mapping(found: Who, mappings: Sequence[Mapping] | None) -> tuple[Mapping | None, list[Check]]:
    if mappings is None:
        return None, [Check("aws-auth", UNKNOWN, "the ConfigMap kube-system/aws-auth could not be read")]
    arns = [one.arn for one in mappings]
    plain = f"arn:aws:iam::{found.account}:{found.kind}/{found.name}"  # aws-auth takes no path
    for one in mappings:
        if one.arn == plain:
            return one, [Check("aws-auth", OK, f"maps {plain} to {one.username or 'no username'}")]
    if near := _near(found, arns):
        words = f"aws-auth names {near}; there a role's ARN must have no path and be no session: {plain}"
        return None, [Check("aws-auth", FAULT, words, f"write {plain}, or use an access entry")]
    return None, [Check("aws-auth", FAULT, f"no line for {plain}", "prefer an access entry to aws-auth")]


def rights_checks(known: AccessEntry | Mapping, bindings: Sequence[Binding] | None) -> list[Check]:
    """What the principal may do once it is let in."""
    policies = known.policies if isinstance(known, AccessEntry) else ()
    checks = [_policies(known)] if isinstance(known, AccessEntry) else []
    user = known.username
    held = _bound(bindings or (), ("User", "", user), *(("Group", "", one) for one in known.groups))
    checks.extend(_group(group, bindings) for group in known.groups)
    checks += _roles_there(held)
    if not policies and not known.groups and not held:
        missing = isinstance(known, AccessEntry) and not known.policies_known
        verdict = UNKNOWN if missing or bindings is None else FAULT
        words = "it is let in and may do nothing: no access policy, no group, no binding of its user name"
        step = (
            "associate an access policy (e.g. AmazonEKSViewPolicy), or give the entry a group that is bound"
        )
        checks.append(Check("rights", verdict, words, step))
    return checks


def _policies(entry: AccessEntry) -> Check:
    if not entry.policies_known:
        return Check("access policies", UNKNOWN, "could not be read (eks:ListAssociatedAccessPolicies)")
    if not entry.policies:
        return Check("access policies", OK, "none: rights come from groups alone")
    said = "; ".join(f"{name} ({reach})" for name, reach in entry.policies)
    wide = any(reach == "cluster" for _, reach in entry.policies)
    return Check("access policies", OK, said if wide else f"{said}: elsewhere 403")


def _group(group: str, bindings: Sequence[Binding] | None) -> Check:
    if group in {MASTERS, "system:nodes"}:
        return Check(f"group {group}", OK, "built in")
    if bindings is None:
        return Check(f"group {group}", UNKNOWN, "bindings could not be read")
    held = _bound(bindings, ("Group", "", group))
    if held:
        return Check(f"group {group}", OK, _said(held))
    step = f"bind it: a ClusterRoleBinding or RoleBinding with the subject Group {group}"
    return Check(f"group {group}", FAULT, "no binding has this group as its subject", step)


def _bound(bindings: Sequence[Binding], *subjects: tuple[str, str, str]) -> list[Binding]:
    wanted = {one for one in subjects if one[2]}
    return [one for one in bindings if wanted & set(one.subjects)]


def _said(held: Sequence[Binding]) -> str:
    more = f" and {len(held) - 3} more" if len(held) > 3 else ""
    return "; ".join(str(one) for one in held[:3]) + more


def _roles_there(held: Sequence[Binding]) -> list[Check]:
    step = "create the role, or bind one that exists"
    return [
        Check("role", FAULT, f"{one}: that role does not exist", step)
        for one in held
        if one.role_there is False
    ]


# ServiceAccounts


def account_rights(namespace: str, name: str, bindings: Sequence[Binding] | None) -> Check:
    """What a ServiceAccount may do in the cluster's own API."""
    if bindings is None:
        return Check("Kubernetes rights", UNKNOWN, "bindings could not be read")
    held = _bound(
        bindings,
        ("ServiceAccount", namespace, name),
        ("User", "", f"system:serviceaccount:{namespace}:{name}"),
        ("Group", "", f"system:serviceaccounts:{namespace}"),
        ("Group", "", "system:serviceaccounts"),
    )
    if gone := _roles_there(held):
        return gone[0]
    if held:
        inside = {one.namespace for one in held}
        only = "" if "" in inside else f": only in {', '.join(sorted(inside))}, elsewhere 403"
        return Check("Kubernetes rights", OK, _said(held) + only)
    step = f"a RoleBinding in the namespace it needs, with the subject ServiceAccount {namespace}/{name}"
    words = "no binding names it: the Kubernetes API answers 403 to nearly all it asks"
    return Check("Kubernetes rights", FAULT, words, step)


def irsa_checks(
    namespace: str, name: str, arn: str, issuer: str, role: RoleTrust | None, providers: Sequence[str] | None
) -> list[Check]:
    """Whether the role of the annotation takes the ServiceAccount's token. `role` None: there is none."""
    host = issuer.removeprefix("https://")
    checks = [_provider(host, providers)]
    if role is None:
        step = "correct the annotation eks.amazonaws.com/role-arn, then restart the pods"
        return [*checks, Check("IRSA role", FAULT, f"{arn}: no such role", step)]
    if role.arn and role.arn != arn:
        words = f"the annotation says {arn}, the role is {role.arn} (a path is part of it)"
        checks.append(Check("IRSA role", FAULT, words, "correct the annotation, then restart the pods"))
    rules = [one for one in role.rules if _web_identity(one, host)]
    if not rules:
        words = f"{arn} does not trust the cluster's OIDC provider {host} for AssumeRoleWithWebIdentity"
        return [*checks, Check("IRSA trust", FAULT, words, "add the provider to the trust policy (IaC)")]
    subject = f"system:serviceaccount:{namespace}:{name}"
    best = min((_conditions(one, host, subject) for one in rules), key=len)
    return [*checks, *(best or [Check("IRSA trust", OK, f"{arn} trusts {subject}")])]


def _provider(host: str, providers: Sequence[str] | None) -> Check:
    if providers is None:
        return Check("OIDC provider", UNKNOWN, "providers could not be read (iam:ListOpenIDConnectProviders)")
    if any(one.endswith(f"oidc-provider/{host}") for one in providers):
        return Check("OIDC provider", OK, host)
    step = "create the IAM OIDC provider for the cluster's issuer (IaC)"
    return Check("OIDC provider", FAULT, f"IAM has no provider for {host}", step)


def _web_identity(rule: TrustRule, host: str) -> bool:
    acts = any(fnmatchcase("sts:AssumeRoleWithWebIdentity", one) for one in rule.actions)
    return acts and any(one.endswith(f"oidc-provider/{host}") for one in rule.principals)


def _conditions(rule: TrustRule, host: str, subject: str) -> list[Check]:
    """The conditions that the account's token does not meet."""
    wrong = []
    for key, wanted in ((f"{host}:aud", AUDIENCE), (f"{host}:sub", subject)):
        for operator, named, values in rule.conditions:
            if named == key and not _meets(operator, wanted, values):
                what = "audience" if key.endswith(":aud") else "subject"
                words = f"the trust policy wants the {what} {' or '.join(values)}, the token says {wanted}"
                wrong.append(
                    Check(f"IRSA {what}", FAULT, words, f"correct {named} in the trust policy (IaC)")
                )
    return wrong


def _meets(operator: str, wanted: str, values: Sequence[str]) -> bool:
    plain = operator.rpartition(":")[2]
    if plain.startswith("StringLike"):
        return any(fnmatchcase(wanted, one) for one in values)
    if plain.startswith("StringEquals"):
        return wanted in values
    return True  # an operator that is not judged here


def pod_identity_checks(
    found: PodIdentityAssociation, role: RoleTrust | None, agent: bool | None
) -> list[Check]:
    """Whether an association can work: the role trusts the service, and the agent is there."""
    checks = [Check("Pod Identity", OK, f"association {found.id} gives {found.role_arn}")]
    if role is None:
        checks.append(
            Check("Pod Identity role", FAULT, f"{found.role_arn}: no such role", "correct the association")
        )
    elif not any(_pods(one) for one in role.rules):
        words = f"{found.role_arn} does not let {POD_SERVICE} do sts:AssumeRole and sts:TagSession"
        checks.append(Check("Pod Identity trust", FAULT, words, "correct the role's trust policy (IaC)"))
    if agent is False:
        step = "install the add-on eks-pod-identity-agent (plan_addon_change), then restart the pods"
        checks.append(Check("Pod Identity agent", FAULT, "no agent runs in the cluster", step))
    elif agent is None:
        checks.append(Check("Pod Identity agent", UNKNOWN, "could not be looked for"))
    return checks


def _pods(rule: TrustRule) -> bool:
    held = all(
        any(fnmatchcase(wanted, one) for one in rule.actions)
        for wanted in ("sts:AssumeRole", "sts:TagSession")
    )
    return held and f"Service {POD_SERVICE}" in rule.principals


def role_annotation(account: Obj) -> str:
    """The role that IRSA gives a ServiceAccount; empty for none."""
    return text(account, "metadata", "annotations", ROLE_ANNOTATION)
