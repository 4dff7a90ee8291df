"""The rows of verdicts.csv as questions: one table turns each row's condition into facts.

`any` in a row is expanded to every actor and environment, and `any` kind or `any write` to a sample of them.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiops_shared.guardrails.models import Caller, Facts, Limits, Request

ROWS = Path(__file__).with_name("verdicts.csv")
ANN, BOT = Caller(name="ann", kind="human"), Caller(name="bot", kind="agent")
ACTORS = {"human": (ANN,), "agent": (BOT,), "any": (ANN, BOT)}
ENVIRONMENTS = ("prod", "staging", "dev")

# What an ordinary, well measured change looks like: undoable, one pod of many at a time.
ORDINARY: dict[str, Any] = {
    "reversible": "partial",
    "controlled": True,
    "affected_pods": 1,
    "total_pods": 20,
    "replicas_before": 4,
    "replicas_after": 4,
    "revisions_back": 1,
    "node_fits": True,
    "addon_compatible": True,
    "pool_pct": 5,
    "pool_drains": 1,
    "pdb_headroom": True,
}

# What a row says in words -> facts, and what belongs to the request itself.
CONDITIONS: dict[str, tuple[dict[str, Any], ...]] = {
    "": ({},),
    "scope sensitive or switch on": ({"sensitive": True},),
    "scope sensitive absent": ({"sensitive": False},),
    "completed or failed": ({"job_finished": True},),
    "running": ({"job_finished": False},),
    "owned by a controller": ({"controlled": True},),
    "no controller": ({"controlled": False},),
    "PDB has headroom and CrashLoop restarts >= 5": ({"pdb_headroom": True, "crashloop_restarts": 5},),
    "CrashLoop restarts >= 5 and PDB has headroom": ({"pdb_headroom": True, "crashloop_restarts": 5},),
    "PDB has no headroom": ({"pdb_headroom": False, "crashloop_restarts": 9},),
    "deny-all on one labelled pod by sop security-isolate": (
        {"isolates_one_pod": True, "sop": "security-isolate"},
    ),
    "owned by Argo CD or Flux": ({"gitops_owner": "argocd/shop"}, {"gitops_owner": "flux/apps"}),
    "one revision and previous was healthy and deploy <= 10 min ago and autonomy auto-safe": (
        {"revisions_back": 1, "previous_healthy": True, "deploy_age_s": 600},
    ),
    "more than one revision": ({"revisions_back": 2}, {"revisions_back": 9, "previous_healthy": True}),
    "to zero": ({"replicas_before": 1, "replicas_after": 0}, {"replicas_before": 10, "replicas_after": 0}),
    "removes >= 50 % of replicas": (
        {"replicas_before": 10, "replicas_after": 5},
        {"replicas_before": 10, "replicas_after": 4, "affected_pods": 6, "total_pods": 10},
    ),
    "within +-50 %": (
        {"replicas_before": 4, "replicas_after": 6},
        {"replicas_before": 10, "replicas_after": 9},
        {"replicas_before": 10, "replicas_after": 6},
    ),
    "more than +50 %": (
        {"replicas_before": 4, "replicas_after": 7},
        {"replicas_before": 0, "replicas_after": 1},
    ),
    "min and max within +-50 %": ({"hpa_change_pct": 50}, {"hpa_change_pct": 0}),
    "beyond +-50 %": ({"hpa_change_pct": 51}, {"hpa_change_pct": 75}),
    "raise <= 2x and node fits": ({"raise_pct": 200}, {"raise_pct": 120}),
    "third raise in 24 h": ({"raises_24h": 2}, {"limits": Limits(same_24h=2)}),
    "DiskPressure or MemoryPressure and PDBs have headroom and first in its AZ": ({"pressure": True},),
    "no pressure condition": ({"pressure": False},),
    "second node of the same AZ at once": ({"pressure": True, "az_drains": 1},),
    "more than 10 % of the pool at once": ({"pressure": True, "pool_pct": 11, "pool_drains": 2},),
    "DiskPressure and first or second in 24 h": (
        {"pressure": True},
        {"pressure": True, "limits": Limits(same_24h=1)},
    ),
    "third in 24 h on the NodePool": ({"pressure": True, "limits": Limits(same_24h=2)},),
    "compatible": ({"addon_compatible": True},),
    "incompatible version": ({"addon_compatible": False},),
    "freeze window or kill switch": ({"frozen": True},),
    "same action on the same owner 4th time in 1 h or 6th in 24 h": (
        {"limits": Limits(same_1h=3)},
        {"limits": Limits(same_24h=5)},
    ),
    "audit cannot be written": ({"audit_down": True},),
    "confidence below min_confidence": ({"confidence_pct": 79},),
    "blast radius > 10 % of the workload's pods and > 1 pod": (
        {"affected_pods": 3, "total_pods": 20},
        {"affected_pods": 2, "total_pods": 0},
    ),
    "approval by its requester where the rule says other": ({"approval_needs": "other"},),
    # How these two come about is not a fact: see test_verdicts.py.
    "policy error or resource not in the entity set": (),
}

# Kinds as the rows write them -> kinds, and facts that belong to the words.
KINDS: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "Secret values": (("Secret", {"secret_values": True}),),
    "Secret names types keys": (("Secret", {}),),
    "Role or ClusterRole or bindings": (
        ("Role", {}),
        ("ClusterRole", {}),
        ("RoleBinding", {}),
        ("ClusterRoleBinding", {}),
    ),
    "Webhook configuration": (("ValidatingWebhookConfiguration", {}), ("MutatingWebhookConfiguration", {})),
    "privileged Pod or hostPath or hostNetwork": (
        ("Pod", {"pod_security": True}),
        ("Deployment", {"pod_security": True}),
    ),
    "ServiceAccount with IAM role": (("ServiceAccount", {"iam_identity": True}),),
    "Ingress or Gateway route": (("Ingress", {}), ("HTTPRoute", {}), ("GRPCRoute", {})),
}
ANY_KIND = ("Deployment", "ConfigMap", "Service", "Widget")

# `any write` is asked of these; none of them needs somebody else's approval by itself.
ANY_WRITE: tuple[tuple[str, str], ...] = (
    ("restart", "Deployment"),
    ("scale", "Deployment"),
    ("apply", "ConfigMap"),
    ("autoscale", "HorizontalPodAutoscaler"),
    ("cordon", "Node"),
    ("taint", "Node"),
    ("profile", "Pod"),
)
REQUEST_FIELDS = frozenset({"limits", "frozen", "sensitive", "audit_down", "approval_needs"})


NO_FACTS = frozenset({"default-prod", "fail-closed"})  # rules whose rows ask no question about facts


@dataclass(frozen=True)
class Row:
    """One line of the file."""

    line: int
    action: str
    kind: str
    environment: str
    actor: str
    condition: str
    verdict: str
    rule: str
    approver: str

    def __str__(self) -> str:
        return f"{self.line}-{self.action}-{self.kind}-{self.environment}-{self.actor}-{self.rule}"

    @property
    def actions(self) -> tuple[tuple[str, str, dict[str, Any]], ...]:
        """(action, kind, facts of the kind)."""
        if self.action == "any write":
            return tuple((action, kind, {}) for action, kind in ANY_WRITE)
        action = self.action.replace(" ", "_")
        if self.kind == "any":
            return tuple((action, kind, {}) for kind in ANY_KIND)
        return tuple((action, kind, facts) for kind, facts in KINDS.get(self.kind, ((self.kind, {}),)))

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """(environment, namespace)."""
        if self.environment == "kube-system":
            return tuple((env, "kube-system") for env in ENVIRONMENTS)
        if self.environment == "any":
            return tuple((env, "shop") for env in ENVIRONMENTS)
        return ((self.environment, "shop"),)


def rows() -> list[Row]:
    """The file as it is."""
    with ROWS.open(encoding="utf-8", newline="") as file:
        return [Row(line, *cells) for line, cells in enumerate(csv.reader(file), start=1) if line > 1]


def ask(action: str, kind: str, *, caller: Caller = ANN, namespace: str = "shop", **facts: Any) -> Request:
    """A question about an ordinary change, but for what is given."""
    own = {name: value for name, value in facts.items() if name in REQUEST_FIELDS}
    measured = {name: value for name, value in facts.items() if name not in REQUEST_FIELDS}
    return Request.model_validate(
        {
            "action": action,
            "kind": kind,
            "namespace": "" if kind in {"Node", "EKS add-on", "Namespace", "PersistentVolume"} else namespace,
            "name": "web",
            "cluster": "shop-prod",
            "caller": caller,
            "facts": Facts.model_validate({**ORDINARY, **measured}),
            **own,
        }
    )


def questions(row: Row) -> Iterator[Request]:
    """Every question that a row answers."""
    for action, kind, kind_facts in row.actions:
        for env, namespace in row.places:
            for caller in ACTORS[row.actor]:
                for facts in CONDITIONS[row.condition]:
                    asked = {**kind_facts, **facts, "env": env}
                    question = ask(action, kind, caller=caller, namespace=namespace, **asked)
                    if "approval_needs" in facts:
                        question = question.model_copy(update={"approved_by": caller.name})
                    yield question
