"""Images that cannot be had: not there, not allowed, not reachable, wrongly written.

The cause is in the registry's answer inside the waiting message or the `Failed` event; the reason alone
(ImagePullBackOff) says nothing. Sources: `pkg/kubelet/images/image_manager.go`; containerd's resolver texts.
"""

import re

from aiops_eks.diagnosis.case import Case
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told
from aiops_eks.diagnosis.objects import Ref
from aiops_eks.diagnosis.quoting import plain_name
from aiops_shared.results import Evidence

SOP = "image-pull-failure"
PULLING = frozenset(
    {
        "ImagePullBackOff",
        "ErrImagePull",
        "RegistryUnavailable",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "SignatureValidationFailed",
    }
)
_SOURCE = "pkg/kubelet/images/image_manager.go; containerd remotes/docker"


def _cause(code: str, means: str, told_by: str, next_step: str) -> Cause:
    return Cause(code, "high", means, told_by, _SOURCE, next_step, SOP)


IMAGE_NOT_FOUND = _cause(
    "IMAGE_NOT_FOUND",
    "The registry knows no such image or tag.",
    "`not found` or `manifest unknown` in the registry's answer. `pull access denied, repository does "
    "not exist or "
    "may require authorization` is IMAGE_AUTH: registries answer so to hide private repositories.",
    "correct the image with plan_workload_change(action=image), or roll back to the revision that ran",
)
IMAGE_AUTH = _cause(
    "IMAGE_AUTH",
    "The registry refuses the credentials, or there are none.",
    "401, 403, unauthorized, denied or `no basic auth credentials` in the registry's answer; a missing "
    "pull Secret "
    "is named.",
    "check imagePullSecrets and, for ECR, the node role's rights and the repository policy",
)
IMAGE_RATE_LIMITED = _cause(
    "IMAGE_RATE_LIMITED",
    "The registry limits how often may be pulled.",
    "429 or toomanyrequests in the registry's answer.",
    "use a pull-through cache or credentials; pulls go on by themselves when the window has passed",
)
REGISTRY_UNREACHABLE = _cause(
    "REGISTRY_UNREACHABLE",
    "The node cannot reach the registry.",
    "a connection or timeout error in the pull error, or the reason RegistryUnavailable. A name that does "
    "not resolve is REGISTRY_DNS.",
    "check NAT or VPC endpoints, security groups and the proxy of the node's subnet",
)
REGISTRY_DNS = _cause(
    "REGISTRY_DNS",
    "The node cannot resolve the registry's name.",
    "`lookup HOST`, `no such host`, `server misbehaving` or `temporary failure in name resolution` in the "
    "pull error. A connection that is refused or times out is REGISTRY_UNREACHABLE.",
    "check the registry's name in the image, the node's resolver, and private DNS of the VPC endpoint",
)
REGISTRY_TLS = _cause(
    "REGISTRY_TLS",
    "The registry's certificate is not accepted.",
    "x509 or tls in the pull error.",
    "renew the registry's certificate, or give the nodes its CA",
)
IMAGE_WRONG_PLATFORM = _cause(
    "IMAGE_WRONG_PLATFORM",
    "The image exists, but not for this node's platform.",
    "`no match for platform in manifest` in the pull error.",
    "build a multi-platform image, or select nodes with kubernetes.io/arch",
)
IMAGE_NAME_INVALID = _cause(
    "IMAGE_NAME_INVALID",
    "The image reference is not a valid name.",
    "waiting reason InvalidImageName.",
    "correct the image with plan_workload_change(action=image)",
)
IMAGE_NEVER_PULLED = _cause(
    "IMAGE_NEVER_PULLED",
    "The pod forbids pulling and the node does not have the image.",
    "waiting reason ErrImageNeverPull.",
    "set imagePullPolicy to IfNotPresent (plan_manifest)",
)
IMAGE_INSPECT_FAILED = _cause(
    "IMAGE_INSPECT_FAILED",
    "The container runtime cannot inspect the image on the node.",
    "waiting reason ImageInspectError: no registry was asked; the runtime or its disk is in trouble.",
    "diagnose the node: container runtime, disk; other pods of that node suffer from it too",
)
IMAGE_SIGNATURE_INVALID = _cause(
    "IMAGE_SIGNATURE_INVALID",
    "The node's signature policy does not accept the image.",
    "waiting reason SignatureValidationFailed. A certificate of the registry itself is REGISTRY_TLS.",
    "sign the image, or correct the policy of the node's runtime",
)
IMAGE_PULL_FAILED = _cause(
    "IMAGE_PULL_FAILED",
    "The image cannot be pulled for a reason that is not recognised; the registry's answer is quoted.",
    "ImagePullBackOff with an answer that no other image code knows.",
    "read the quoted answer",
)

# In the order in which they are asked: a hidden repository says both "not exist" and "authorization".
_ANSWERS: tuple[tuple[Cause, re.Pattern[str]], ...] = tuple(
    (cause, re.compile("|".join(words), re.IGNORECASE))
    for cause, words in (
        (
            IMAGE_WRONG_PLATFORM,
            (r"no match for platform", r"no matching manifest", r"image operating system"),
        ),
        (IMAGE_RATE_LIMITED, (r"toomanyrequests", r"429 Too Many", r"rate limit")),
        (
            IMAGE_AUTH,
            (
                r"pull access denied|unauthorized|\b401\b|\b403\b|forbidden|denied",
                r"authorization (?:failed|required)|authentication required|no basic auth credentials",
                r"insufficient_scope|token has expired",
            ),
        ),
        (REGISTRY_TLS, (r"x509", r"tls: ", r"certificate")),
        (
            REGISTRY_DNS,
            (
                r"no such host|server misbehaving|temporary failure in name resolution",
                r"dial tcp: lookup ",
            ),
        ),
        (
            REGISTRY_UNREACHABLE,
            (
                r"i/o timeout|connection refused|connection reset|deadline exceeded|dial tcp",
                r"no route to host|network is unreachable|TLS handshake timeout|unexpected EOF",
                r"registry is unavailable|50[234] (?:Bad Gateway|Service Unavailable|Gateway Time-?out)",
            ),
        ),
        (IMAGE_NOT_FOUND, (r"not found", r"manifest.unknown", r"does not exist", r"name.unknown")),
    )
)
_BY_REASON = {
    "InvalidImageName": IMAGE_NAME_INVALID,
    "ErrImageNeverPull": IMAGE_NEVER_PULLED,
    "ImageInspectError": IMAGE_INSPECT_FAILED,
    "SignatureValidationFailed": IMAGE_SIGNATURE_INVALID,
}
_WORDS = {
    "IMAGE_NOT_FOUND": "does not exist",
    "IMAGE_AUTH": "may not be pulled: the registry refuses the credentials",
    "IMAGE_RATE_LIMITED": "may not be pulled so often",
    "REGISTRY_UNREACHABLE": "cannot be pulled: the registry is unreachable",
    "REGISTRY_DNS": "cannot be pulled: the registry's name does not resolve",
    "IMAGE_INSPECT_FAILED": "cannot be inspected by the container runtime",
    "IMAGE_SIGNATURE_INVALID": "has no signature that the node accepts",
    "REGISTRY_TLS": "cannot be pulled: the registry's certificate is not accepted",
    "IMAGE_WRONG_PLATFORM": "does not exist for the node's platform",
    "IMAGE_NAME_INVALID": "is not a valid image name",
    "IMAGE_NEVER_PULLED": "is not on the node and may not be pulled",
    "IMAGE_PULL_FAILED": "cannot be pulled",
}


# What strikes everybody who pulls from there.
_OF_REGISTRY = (IMAGE_RATE_LIMITED, REGISTRY_UNREACHABLE, REGISTRY_DNS, REGISTRY_TLS)


def pull(case: Case) -> Told | None:
    """Why an image cannot be had, by the registry's answer."""
    container = case.container
    if container is None or container.waiting_reason not in PULLING:
        return None
    answers = _answers(case)
    cause = _BY_REASON.get(container.waiting_reason) or _recognised(answers, container.image)
    if cause is IMAGE_PULL_FAILED and container.waiting_reason == "RegistryUnavailable":
        cause = REGISTRY_UNREACHABLE
    secret = _missing_pull_secret(case) if cause is IMAGE_AUTH else None
    evidence = [case.status_evidence(), *_quoted_answers(case)]
    if secret is not None and (found := case.facts.lookup(secret)):
        evidence.append(case.lookup_evidence(found))
    words = f"image {container.image} {_WORDS[cause.code]}"
    also = f" The pull secret {secret.name} that the pod names does not exist." if secret else ""
    return Told(
        cause=cause,
        at=secret or case.subject,
        subject=case.subject,
        predicate=f"cannot start: {words}",
        root_cause=f"Container {container.name} waits with {container.waiting_reason}: {words}.{also}",
        hurts=(case.pod.ref,),
        evidence=tuple(evidence),
        agree=len(evidence) + (cause is not IMAGE_PULL_FAILED),
        ruled_out=_ruled_out(case, cause),
        shared=_registry(container.image) if cause in _OF_REGISTRY else None,
    )


def _registry(image: str) -> Ref:
    """The registry of an image, as references are read (distribution/reference: the first part is a host when
    it holds a dot or a colon)."""
    host, slash, _ = image.partition("/")
    is_host = bool(slash) and ("." in host or ":" in host or host == "localhost")
    return Ref("Registry", "", plain_name(host) if is_host else "docker.io")


def _answers(case: Case) -> list[str]:
    waiting = case.container.waiting_message if case.container else ""
    return [waiting, *(e.message for e in case.recent("Failed", "InspectFailed", within_s=3600.0))]


def _recognised(answers: list[str], image: str) -> Cause:
    """The cause of the first answer that says one; the image's own name must not be read as an answer."""
    for answer in answers:
        said = answer.replace(image, "IMAGE").rpartition(": failed to resolve reference")[2]
        for cause, pattern in _ANSWERS:
            if pattern.search(said):
                return cause
    return IMAGE_PULL_FAILED


def _quoted_answers(case: Case) -> list[Evidence]:
    events = [e for e in case.recent("Failed", "InspectFailed", within_s=3600.0) if "Error:" not in e.message]
    if events:
        return [case.event_evidence(events[0])]
    return [case.event_evidence(e) for e in case.recent("BackOff", within_s=3600.0)[:1]]


def _missing_pull_secret(case: Case) -> Ref | None:
    named = [Ref("Secret", case.pod.namespace, name) for name in case.pod.pull_secrets]
    return next((r for r in named if (found := case.facts.lookup(r)) and not found.exists), None)


def _ruled_out(case: Case, cause: Cause) -> tuple[str, ...]:
    image = case.container.image if case.container else ""
    served = [c for p in case.facts.pods for c in p.containers if c.image == image and c.running_since]
    found = [f"image missing: {len(served)} other containers run it"] if served else []
    if cause is IMAGE_NOT_FOUND:
        found.append("credentials: the registry answered that it knows no such image")
    if cause in (IMAGE_NOT_FOUND, IMAGE_AUTH, IMAGE_RATE_LIMITED):
        found.append("network, name resolution and TLS: the registry answered")
    return tuple(found)


RULES = (
    CaseRule(
        tuple(
            {c.code: c for c in (*_BY_REASON.values(), *(c for c, _ in _ANSWERS), IMAGE_PULL_FAILED)}.values()
        ),
        pull,
    ),
)
