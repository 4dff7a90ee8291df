"""Further kinds of the family policy: quotas, admission, webhooks, namespaces, the API itself.

Namespaces, aggregated APIs and certificates are listed in every diagnosis, since nothing else tells of one
that is stuck; the rest is listed when something was refused or says so.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from aiops_eks.diagnosis import reading
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.further import rights
from aiops_eks.diagnosis.further.base import FurtherKind
from aiops_eks.diagnosis.further.workloads import conditions
from aiops_eks.diagnosis.objects import Condition, Ref
from aiops_eks.diagnosis.reading_containers import moment
from aiops_eks.models.fields import Obj, items, part, text, words

_REFUSAL = re.compile(r"is forbidden:|webhook|exceeded quota|failed quota")
_CONVERSION = re.compile(r"conversion webhook for|no matches for kind|CustomResourceDefinition")


def was_refused(facts: Facts) -> bool:
    """Whether a controller was refused something not long ago, by an event or by its condition."""
    if any(_REFUSAL.search(event.message) for event in facts.events if event.warning):
        return True
    found = (w.condition("ReplicaFailure") for w in facts.workloads)
    return any(each is not None and each.status == "True" for each in found)


def _speaks_of_conversion(facts: Facts) -> bool:
    return any(_CONVERSION.search(event.message) for event in facts.events if event.warning)


def _texts(obj: Obj, *path: str) -> dict[str, str]:
    return {
        key: str(value) for key, value in part(obj, *path).items() if isinstance(value, str | int | float)
    }


@dataclass(frozen=True, slots=True)
class Quota:
    """A ResourceQuota with what is used of it."""

    ref: Ref
    hard: Mapping[str, str] = field(default_factory=dict)
    used: Mapping[str, str] = field(default_factory=dict)


def quota(obj: Obj) -> Quota:
    """One ResourceQuota."""
    return Quota(
        ref=reading.ref_of(obj, "ResourceQuota"),
        hard=_texts(obj, "status", "hard") or _texts(obj, "spec", "hard"),
        used=_texts(obj, "status", "used"),
    )


@dataclass(frozen=True, slots=True)
class Hook:
    """One webhook of a configuration; `service` is None where it is called by URL."""

    name: str
    service: Ref | None = None
    must: bool = True  # failurePolicy Fail


@dataclass(frozen=True, slots=True)
class ValidatingHooks:
    """A ValidatingWebhookConfiguration."""

    ref: Ref
    hooks: tuple[Hook, ...] = ()


@dataclass(frozen=True, slots=True)
class MutatingHooks:
    """A MutatingWebhookConfiguration."""

    ref: Ref
    hooks: tuple[Hook, ...] = ()


Hooks = ValidatingHooks | MutatingHooks


def _service_of(obj: Obj) -> Ref | None:
    found = part(obj, "service")
    return Ref("Service", text(found, "namespace"), text(found, "name")) if found else None


def _hooks(obj: Obj) -> tuple[Hook, ...]:
    return tuple(
        Hook(
            name=text(each, "name"),
            service=_service_of(part(each, "clientConfig")),
            must=(text(each, "failurePolicy") or "Fail") == "Fail",
        )
        for each in items(obj, "webhooks")
    )


def validating(obj: Obj) -> ValidatingHooks:
    """One ValidatingWebhookConfiguration."""
    return ValidatingHooks(reading.ref_of(obj, "ValidatingWebhookConfiguration"), _hooks(obj))


def mutating(obj: Obj) -> MutatingHooks:
    """One MutatingWebhookConfiguration."""
    return MutatingHooks(reading.ref_of(obj, "MutatingWebhookConfiguration"), _hooks(obj))


@dataclass(frozen=True, slots=True)
class Space:
    """A Namespace."""

    ref: Ref
    deleted_at: datetime | None = None
    finalizers: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()


def space(obj: Obj) -> Space:
    """One Namespace."""
    return Space(
        ref=reading.ref_of(obj, "Namespace"),
        deleted_at=moment(part(obj, "metadata"), "deletionTimestamp"),
        finalizers=(*words(obj, "spec", "finalizers"), *words(obj, "metadata", "finalizers")),
        labels=_texts(obj, "metadata", "labels"),
        conditions=conditions(obj),
    )


@dataclass(frozen=True, slots=True)
class ServedApi:
    """An APIService; `service` is None for those the API server serves itself."""

    ref: Ref
    service: Ref | None = None
    available: Condition | None = None
    created_at: datetime | None = None


def served_api(obj: Obj) -> ServedApi:
    """One APIService."""
    return ServedApi(
        ref=reading.ref_of(obj, "APIService"),
        service=_service_of(part(obj, "spec")),
        available=next((c for c in conditions(obj) if c.type == "Available"), None),
        created_at=moment(part(obj, "metadata"), "creationTimestamp"),
    )


@dataclass(frozen=True, slots=True)
class Definition:
    """A CustomResourceDefinition."""

    ref: Ref
    kind: str = ""
    group: str = ""
    conditions: tuple[Condition, ...] = ()
    converter: Ref | None = None  # the Service of its conversion webhook
    created_at: datetime | None = None

    def condition(self, name: str) -> Condition | None:
        """One condition by type."""
        return next((c for c in self.conditions if c.type == name), None)


def definition(obj: Obj) -> Definition:
    """One CustomResourceDefinition."""
    return Definition(
        ref=reading.ref_of(obj, "CustomResourceDefinition"),
        kind=text(obj, "spec", "names", "kind"),
        group=text(obj, "spec", "group"),
        conditions=conditions(obj),
        converter=_service_of(part(obj, "spec", "conversion", "webhook", "clientConfig")),
        created_at=moment(part(obj, "metadata"), "creationTimestamp"),
    )


@dataclass(frozen=True, slots=True)
class Certificate:
    """A cert-manager Certificate."""

    ref: Ref
    secret: Ref
    issuer: str = ""
    names: tuple[str, ...] = ()
    ready: Condition | None = None
    issuing: Condition | None = None
    ends_at: datetime | None = None
    created_at: datetime | None = None


def certificate(obj: Obj) -> Certificate:
    """One Certificate (cert-manager.io)."""
    ref, spec = reading.ref_of(obj, "Certificate"), part(obj, "spec")
    found = {c.type: c for c in conditions(obj)}
    issuer = part(spec, "issuerRef")
    return Certificate(
        ref=ref,
        secret=Ref("Secret", ref.namespace, text(spec, "secretName")),
        issuer=f"{text(issuer, 'kind') or 'Issuer'} {text(issuer, 'name')}",
        names=tuple(words(spec, "dnsNames")),
        ready=found.get("Ready"),
        issuing=found.get("Issuing"),
        ends_at=moment(obj, "status", "notAfter"),
        created_at=moment(part(obj, "metadata"), "creationTimestamp"),
    )


FURTHER: tuple[FurtherKind, ...] = (
    *rights.FURTHER,
    FurtherKind("Namespace", Space, space, cluster_wide=True),
    FurtherKind("APIService.apiregistration.k8s.io", ServedApi, served_api, cluster_wide=True, optional=True),
    FurtherKind("Certificate.cert-manager.io", Certificate, certificate, optional=True),
    FurtherKind("ResourceQuota", Quota, quota, when=was_refused),
    FurtherKind(
        "ValidatingWebhookConfiguration.admissionregistration.k8s.io",
        ValidatingHooks,
        validating,
        cluster_wide=True,
        when=was_refused,
    ),
    FurtherKind(
        "MutatingWebhookConfiguration.admissionregistration.k8s.io",
        MutatingHooks,
        mutating,
        cluster_wide=True,
        when=was_refused,
    ),
    FurtherKind(
        "CustomResourceDefinition.apiextensions.k8s.io",
        Definition,
        definition,
        cluster_wide=True,
        when=_speaks_of_conversion,
    ),
)
