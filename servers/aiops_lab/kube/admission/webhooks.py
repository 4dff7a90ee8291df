"""Admission webhooks: which are asked about a write, and what the API server says when they cannot answer.

After k8s.io/apiserver/pkg/admission/plugin/webhook, pkg/util/proxy (ResolveEndpoint: EKS routes to endpoints)
and pkg/util/webhook. Nothing is really called: a webhook whose Service has ready endpoints allows everything
unless the lab was told otherwise (`Webhooks.answers`). Not played: matchConditions (counted as true), patches
of a mutating webhook, `url` clients (they allow).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aiops_lab.kube.admission.review import SYSTEM, Review
from aiops_lab.kube.errors import ApiError, bad_request
from aiops_lab.kube.selectors import matches_selector
from aiops_lab.kube.wire import Obj, dig

Find = Callable[[str, str, str], "Obj | None"]  # kind, namespace, name
_EXEMPT = frozenset(
    f"{kind}.admissionregistration.k8s.io"
    for kind in (
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    )
)


@dataclass(frozen=True, slots=True)
class WebhookAnswer:
    """How the program behind a webhook's Service behaves while it has endpoints.

    `failure` is what follows `Post "...": ` when the call fails, as Go's HTTP client says it, for example
    `context deadline exceeded`, `dial tcp 10.0.1.7:9443: connect: connection refused` or
    `tls: failed to verify certificate: x509: certificate signed by unknown authority`. `denied` is the
    reason with which it says no.
    """

    failure: str = ""
    denied: str = ""
    code: int = 403


class Webhooks:
    """Asks the webhooks of a cluster; the lab decides what they answer."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], WebhookAnswer] = {}  # namespace and name of the Service

    def call(self, review: Review, configurations: tuple[Obj, ...], find: Find) -> None:
        """Ask every webhook that matches. Raises ApiError 400, 403 (denied) or 500 (cannot be called)."""
        if not configurations or not _asked(review):
            return
        for configuration in configurations:
            for hook in configuration.get("webhooks") or []:
                if _matches(hook, review, find):
                    self._ask(hook, review, find)

    def _ask(self, hook: Obj, review: Review, find: Find) -> None:
        name = str(hook.get("name"))
        if review.dry_run and hook.get("sideEffects") not in {"None", "NoneOnDryRun"}:
            raise bad_request(f'admission webhook "{name}" does not support dry run')
        service = dig(hook, "clientConfig", "service")
        if service is None:
            return
        answer = self.answers.get((str(service.get("namespace")), str(service.get("name"))), WebhookAnswer())
        failure = _unreachable(service, find) or answer.failure
        if failure:
            if hook.get("failurePolicy", "Fail") == "Fail":
                raise _failed(name, f'Post "{_url(hook, service)}": {failure}')
        elif answer.denied:
            words = f'admission webhook "{name}" denied the request: {answer.denied}'
            raise ApiError(answer.code, "Forbidden" if answer.code == 403 else "", words, {})


def _failed(name: str, what: str) -> ApiError:
    words = f'failed calling webhook "{name}": failed to call webhook: {what}'
    return ApiError(
        500, "InternalError", f"Internal error occurred: {words}", {"causes": [{"message": words}]}
    )


def _url(hook: Obj, service: Obj) -> str:
    host = f"{service.get('name')}.{service.get('namespace')}.svc:{service.get('port') or 443}"
    path = str(service.get("path") or "")
    slash = "" if path.startswith("/") or not path else "/"
    return f"https://{host}{slash}{path}?timeout={hook.get('timeoutSeconds') or 10}s"


def _unreachable(service: Obj, find: Find) -> str:
    """Why there is nobody to call; empty where there is (ResolveEndpoint)."""
    namespace, name = str(service.get("namespace")), str(service.get("name"))
    held = find("Service", namespace, name)
    if held is None:
        return f'service "{name}" not found'
    kind = dig(held, "spec", "type", default="ClusterIP")
    if kind == "ExternalName":
        return f'unsupported service type "{kind}"'
    wanted = service.get("port") or 443
    ports = dig(held, "spec", "ports", default=[]) or []
    port = next((each for each in ports if each.get("port") == wanted), None)
    if port is None:
        return f'no service port {wanted} found for service "{name}"'
    behind = find("Endpoints", namespace, name)
    if behind is None:
        return f'endpoints "{name}" not found'
    subsets = behind.get("subsets") or []
    if any(each.get("addresses") and _has_port(each, port) for each in subsets):
        return ""
    return f'no endpoints available for service "{name}"'


def _has_port(subset: Obj, port: Obj) -> bool:
    return any(each.get("name", "") == port.get("name", "") for each in subset.get("ports") or [])


def _asked(review: Review) -> bool:
    """Webhooks are asked about all that clients write, and about what the lab's controllers create."""
    if review.resource.storage in _EXEMPT:
        return False
    return review.user != SYSTEM or (review.operation == "CREATE" and review.resource.storage != "Event.")


def _matches(hook: Obj, review: Review, find: Find) -> bool:
    if not any(_rule_holds(rule, review) for rule in hook.get("rules") or []):
        return False
    return _namespace_holds(hook, review, find) and _object_holds(hook, review)


def _rule_holds(rule: Obj, review: Review) -> bool:
    resource = review.resource
    scope = rule.get("scope") or "*"
    return (
        scope in {"*", "Namespaced" if resource.namespaced else "Cluster"}
        and _in(rule.get("operations"), review.operation)
        and _in(rule.get("apiGroups"), resource.group)
        and _in(rule.get("apiVersions"), resource.version)
        and any(_resource_holds(str(each), review) for each in rule.get("resources") or [])
    )


def _in(listed: list[str] | None, value: str) -> bool:
    return "*" in (listed or []) or value in (listed or [])


def _resource_holds(pattern: str, review: Review) -> bool:
    plural, _, subresource = pattern.partition("/")
    return plural in {"*", review.resource.plural} and subresource in {"*", review.subresource}


def _namespace_holds(hook: Obj, review: Review, find: Find) -> bool:
    selector = hook.get("namespaceSelector")
    if not selector:
        return True
    if review.resource.storage == "Namespace.":
        return matches_selector(selector, _labels(review.obj))
    if not review.namespace:
        return True
    held = find("Namespace", "", review.namespace)
    return held is not None and matches_selector(selector, _labels(held))


def _object_holds(hook: Obj, review: Review) -> bool:
    selector = hook.get("objectSelector")
    seen: Iterator[Obj] = (each for each in (review.new, review.old) if each is not None)
    return not selector or any(matches_selector(selector, _labels(each)) for each in seen)


def _labels(obj: Obj) -> dict[str, str]:
    labels: dict[str, str] = dig(obj, "metadata", "labels", default={}) or {}
    return labels
