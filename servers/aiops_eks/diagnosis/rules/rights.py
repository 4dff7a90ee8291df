"""Rights that a program lacks: who wanted what, and which role or binding is missing.

The API server's refusal stands in the program's own log or in an event. Where the rights were read, the fault
is at the binding whose role is gone, at the role that lacks the verb, or at the account that nothing is bound
to. A right that has been given in the meantime is no finding.
Source: `k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/errors.go` (forbiddenMessage).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from aiops_eks.diagnosis.blame import blamed, telling_line
from aiops_eks.diagnosis.case import EVENT_RECENT_S, Case, event_evidence
from aiops_eks.diagnosis.evidence import stated
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told, WorldRule
from aiops_eks.diagnosis.further.rights import (
    FORBIDDEN,
    ClusterRole,
    ClusterRoleBinding,
    Role,
    RoleBinding,
    Rule,
)
from aiops_eks.diagnosis.objects import Ref
from aiops_eks.diagnosis.quoting import plain_name
from aiops_shared.results import Evidence

ACCOUNT = "system:serviceaccount:"
RBAC_FORBIDDEN = Cause(
    code="RBAC_FORBIDDEN",
    severity="high",
    means="A program may not do at the API server what it needs to do.",
    told_by="`User … cannot VERB resource …` in its log or in an event, and no binding gives that right now. "
    "Refused by admission (quota, webhook, Pod Security), it is one of these.",
    source="k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/errors.go",
    next_step="give the right with a Role and RoleBinding through plan_manifest(action=apply); no wider than "
    "the verb, resource and namespace named",
)


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wanted what."""

    user: str
    verb: str
    resource: str
    group: str
    namespace: str  # empty: in all of them

    @property
    def what(self) -> str:
        """The right in words."""
        group = f".{plain_name(self.group)}" if self.group else ""
        where = f"in {plain_name(self.namespace)}" if self.namespace else "in all namespaces"
        return f"{plain_name(self.verb)} {plain_name(self.resource)}{group} {where}"

    @property
    def account(self) -> Ref:
        """The ServiceAccount; a User where it is none."""
        home, _, name = self.user.removeprefix(ACCOUNT).partition(":")
        if not self.user.startswith(ACCOUNT) or not name:
            return Ref("User", "", plain_name(self.user))
        return Ref("ServiceAccount", plain_name(home), plain_name(name))

    @property
    def names(self) -> frozenset[str]:
        """What a binding may call it."""
        home = self.user.removeprefix(ACCOUNT).partition(":")[0]
        own = {self.user, "group:system:authenticated"}
        if self.user.startswith(ACCOUNT):
            own |= {"group:system:serviceaccounts", f"group:system:serviceaccounts:{home}"}
        return frozenset(own)


def _wish(words: str) -> Wish | None:
    match = FORBIDDEN.search(words)
    return Wish(match[1], match[2], match[3], match[4], match[5] or "") if match else None


@dataclass(frozen=True, slots=True)
class _Held:
    """What is bound to an account, and where the fault is."""

    at: Ref
    why: str
    evidence: tuple[Evidence, ...] = ()


def _held(facts: Facts, wish: Wish) -> _Held | None:
    """None when a binding gives the right now."""
    if not (facts.was_read(RoleBinding) and facts.was_read(ClusterRoleBinding)):
        return _Held(wish.account, "which binding is missing could not be read")
    everywhere = [b for b in facts.all(ClusterRoleBinding) if wish.names & set(b.subjects)]
    here = [
        b
        for b in facts.all(RoleBinding)
        if b.ref.namespace == wish.namespace and wish.names & set(b.subjects)
    ]
    bound: list[RoleBinding | ClusterRoleBinding] = [*here, *everywhere]
    roles: list[Role | ClusterRole] = [*facts.all(Role), *facts.all(ClusterRole)]
    rules: dict[Ref, tuple[Rule, ...]] = {each.ref: each.rules for each in roles}
    if any(
        rule.allows(wish.verb, wish.resource, wish.group) for b in bound for rule in rules.get(b.role, ())
    ):
        return None
    own = [b for b in bound if wish.user in b.subjects]
    lost = next((b for b in own if b.role not in rules), None)
    if lost is not None:
        why = f"its {lost.ref.kind} {lost.ref.name} refers to {lost.role}, which does not exist"
        return _Held(lost.ref, why, (stated(lost.role, "among the roles", "not there"),))
    if own:
        role = own[0].role
        why = f"{role.kind} {role.name}, bound by {own[0].ref.name}, does not allow it"
        return _Held(
            role, why, (stated(own[0].ref, "roleRef", f"binds {role}, which lacks the verb or resource"),)
        )
    why = f"no binding names it {'in ' + wish.namespace if wish.namespace else 'for the whole cluster'}"
    return _Held(wish.account, why, (stated(wish.account, "among the subjects of bindings", "not there"),))


def _told(
    facts: Facts, wish: Wish, who: Ref, hurts: tuple[Ref, ...], said: tuple[Evidence, ...]
) -> Told | None:
    held = _held(facts, wish)
    if held is None:
        return None
    known = bool(held.evidence)
    return Told(
        cause=RBAC_FORBIDDEN,
        at=held.at,
        subject=who,
        predicate=f"is forbidden to {wish.what}",
        root_cause=f"{wish.account} may not {wish.what}: {held.why}.",
        hurts=hurts,
        evidence=(*said, *held.evidence),
        agree=2 + 2 * known,
        doubt=0 if known else 1,
        ruled_out=("admission: it was refused before its object was looked at",),
    )


def forbidden_program(case: Case) -> Told | None:
    """RBAC_FORBIDDEN: the program's last words are the API server's refusal."""
    container = case.container
    if container is None or container.death is None or container.death.exit_code == 0:
        return None
    line = next((each for each in reversed(case.lines) if FORBIDDEN.search(each)), "")
    wish, last = _wish(line), telling_line(case.lines)
    if wish is None or (last not in {"", line} and blamed(last) is not None):
        return None
    said = (case.status_evidence(), case.log_evidence(line))
    return _told(case.facts, wish, case.subject, (case.pod.ref,), said)


def forbidden_events(facts: Facts) -> Iterator[Told]:
    """RBAC_FORBIDDEN: somebody says so about an object it works on."""
    for event in facts.events:
        if not event.warning or facts.age_s(event.last_at) > EVENT_RECENT_S:
            continue
        wish = _wish(event.message)
        told = (
            _told(facts, wish, event.about, (event.about,), (event_evidence(facts, event),)) if wish else None
        )
        if told is not None:
            yield told


BY_PROGRAM = (CaseRule((RBAC_FORBIDDEN,), forbidden_program),)
RULES = (WorldRule((RBAC_FORBIDDEN,), forbidden_events),)
