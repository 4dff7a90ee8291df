"""Certificates that cert-manager cannot issue or renew.

A Certificate whose Secret never came explains the pods that wait for that Secret. One that is being
issued for the first time, or renewed in time, is fine.
Source: https://cert-manager.io/docs/troubleshooting/ (conditions Ready and Issuing of a Certificate).
"""

from collections.abc import Iterator

from aiops_eks.diagnosis.case import Case
from aiops_eks.diagnosis.evidence import condition_evidence, stated
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told, WorldRule
from aiops_eks.diagnosis.further.policy import Certificate
from aiops_eks.diagnosis.quantities import duration_text
from aiops_eks.diagnosis.quoting import plain_name
from aiops_shared.results import Evidence

ISSUING_S = 900.0  # an ACME order takes minutes
SOURCE = "https://cert-manager.io/docs/troubleshooting/"
CERTIFICATE_EXPIRED = Cause(
    code="CERTIFICATE_EXPIRED",
    severity="high",
    means="A certificate that cert-manager keeps has expired and was not renewed.",
    told_by="status.notAfter of the Certificate is past. Not yet expired and not Ready, it is "
    "CERTIFICATE_NOT_ISSUED.",
    source=SOURCE,
    next_step="list_events of its CertificateRequest and Order; the issuer's error is what must be mended",
)
CERTIFICATE_NOT_ISSUED = Cause(
    code="CERTIFICATE_NOT_ISSUED",
    severity="high",
    means="A certificate is not issued: its issuer refuses, is missing or does not answer.",
    told_by="Condition Ready of the Certificate is False for more than a quarter of an hour. Pods that wait "
    "for its Secret are its symptoms.",
    source=SOURCE,
    next_step="list_events of its CertificateRequest and Order; check the issuer it names",
)


def certificates(facts: Facts) -> Iterator[Told]:
    """Both."""
    for one in facts.all(Certificate):
        if (told := _told(facts, one)) is not None:
            yield told


def _told(facts: Facts, one: Certificate) -> Told | None:
    expired_s = facts.age_s(one.ends_at) if one.ends_at else -1.0
    held = one.ready
    if expired_s >= 0:
        return _broken(one, CERTIFICATE_EXPIRED, f"expired {duration_text(expired_s)} ago")
    late = held is not None and held.status == "False" and facts.age_s(held.since) >= ISSUING_S
    return _broken(one, CERTIFICATE_NOT_ISSUED, "is not issued") if late else None


def _broken(one: Certificate, cause: Cause, predicate: str) -> Told:
    why = f" ({plain_name(one.ready.reason)})" if one.ready and one.ready.reason else ""
    return Told(
        cause=cause,
        at=one.ref,
        subject=one.ref,
        predicate=predicate,
        root_cause=f"{one.ref}, which {plain_name(one.issuer.partition(' ')[0])} "
        f"{plain_name(one.issuer.partition(' ')[2])} should issue into {one.secret}, {predicate}{why}.",
        hurts=(one.ref,),
        evidence=_evidence(one),
        agree=2 + bool(one.issuing) + (cause is CERTIFICATE_EXPIRED),
    )


def _evidence(one: Certificate) -> tuple[Evidence, ...]:
    names = ", ".join(plain_name(name) for name in one.names[:3]) or "no names"
    ends = f"; valid until {one.ends_at:%Y-%m-%d %H:%M} UTC" if one.ends_at else ""
    said = [condition_evidence(one.ref, c) for c in (one.ready, one.issuing) if c is not None]
    return (stated(one.ref, "spec and status", f"{names} into {one.secret.name}{ends}"), *said)


def waits_for_secret(case: Case) -> Told | None:
    """CERTIFICATE_NOT_ISSUED: a pod waits for the Secret that a Certificate should have filled."""
    broken = {one.secret: one for one in case.facts.all(Certificate) if _told(case.facts, one) is not None}
    if not broken:
        return None
    lookup = next((found for need, found in case.absent() if need.target in broken), None)
    if lookup is None:
        return None
    one = broken[lookup.target]
    told = _told(case.facts, one)
    if told is None:
        return None
    return Told(
        cause=told.cause,
        at=told.at,
        subject=case.subject,
        predicate=f"cannot start: the certificate {one.ref.name} it mounts {told.predicate}",
        root_cause=told.root_cause,
        hurts=(case.pod.ref, one.secret),
        evidence=(*told.evidence, case.lookup_evidence(lookup)),
        agree=told.agree + 1,
        ruled_out=("a wrong Secret name: a Certificate should fill it",),
    )


WAITS = (CaseRule((CERTIFICATE_NOT_ISSUED, CERTIFICATE_EXPIRED), waits_for_secret),)
RULES = (WorldRule((CERTIFICATE_EXPIRED, CERTIFICATE_NOT_ISSUED), certificates),)
