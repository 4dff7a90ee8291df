"""What may I do, and who am I: the reviews a client asks about itself."""

from dataclasses import dataclass

from starlette.responses import Response

from aiops_lab.kube.addressing import check_kind
from aiops_lab.kube.bodies import decode_object
from aiops_lab.kube.calls import Call, answer
from aiops_lab.kube.errors import FieldError, GoText, bad_request, invalid_kind
from aiops_lab.kube.gotext import quoted
from aiops_lab.kube.rbac import MASTERS, OPEN_PATHS, Attributes, Rbac
from aiops_lab.kube.registry import Registry
from aiops_lab.kube.wire import Obj, dig

_ANYTHING: Obj = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
# system:basic-user, system:public-info-viewer; for service accounts system:service-account-issuer-discovery
# (plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go).
_BASIC: tuple[Obj, ...] = (
    {
        "verbs": ["create"],
        "apiGroups": ["authorization.k8s.io"],
        "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    },
    {"verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"]},
    {"verbs": ["get"], "nonResourceURLs": ["/healthz", "/livez", "/readyz", "/version", "/version/"]},
)
_ACCOUNTS = "system:serviceaccounts"
_KEYS = ("/.well-known/openid-configuration", "/openid/v1/jwks")
_ISSUER: Obj = {"verbs": ["get"], "nonResourceURLs": [path + end for path in _KEYS for end in ("", "/")]}


@dataclass(frozen=True)
class Reviews:
    """SelfSubjectAccessReview, SelfSubjectRulesReview and SelfSubjectReview."""

    rbac: Rbac
    registry: Registry

    def answer(self, call: Call) -> Response:
        """The review with its status. Raises ApiError 400."""
        sent = decode_object(call.body, call.content_type, call.target.resource.kind)
        resource = call.target.resource
        check_kind(self.registry, resource, sent)
        spec = sent.get("spec") or {}
        if not isinstance(spec, dict):
            raise bad_request("spec must be an object")
        statuses = {
            "SelfSubjectAccessReview": self._access,
            "SelfSubjectRulesReview": self._rules,
            "SelfSubjectReview": self._self,
        }
        body = {
            "kind": resource.kind,
            "apiVersion": resource.api_version,
            "metadata": {"creationTimestamp": None},
            "spec": spec,
            "status": statuses[resource.kind](call, spec),
        }
        if resource.kind == "SelfSubjectReview":
            del body["spec"]
        return answer(body, 201)

    def _access(self, call: Call, spec: Obj) -> Obj:
        wanted, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
        _check_asked(spec)
        if isinstance(wanted, dict):
            names = ("verb", "group", "resource", "subresource", "namespace", "name")
            attributes = Attributes(*(str(wanted.get(name) or "") for name in names))
            allowed = self.rbac.allows(call.user, attributes)
        else:
            path = path if isinstance(path, dict) else {}
            asked, verb = str(path.get("path") or ""), str(path.get("verb") or "")
            served = any(p == asked or (p.endswith("*") and asked.startswith(p[:-1])) for p in OPEN_PATHS)
            allowed = (served and verb == "get") or self.rbac.allows_path(call.user, verb, asked)
        return {"allowed": allowed}

    def _rules(self, call: Call, spec: Obj) -> Obj:
        namespace = str(spec.get("namespace") or "")
        if not namespace:
            raise bad_request("no namespace on request")
        rules = [*_BASIC, *self.rbac.rules(call.user, namespace)]
        if _ACCOUNTS in call.user.groups:
            rules.append(_ISSUER)
        if MASTERS in call.user.groups:
            rules.append(_ANYTHING)
        paths = [
            {"verbs": r["verbs"], "nonResourceURLs": r["nonResourceURLs"]}
            for r in rules
            if "nonResourceURLs" in r
        ]
        return {
            "resourceRules": [rule for rule in rules if rule.get("resources")],
            "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": list(OPEN_PATHS)}, *paths],
            "incomplete": False,
        }

    def _self(self, call: Call, _spec: Obj) -> Obj:
        info: Obj = {"username": call.user.username, "groups": list(call.user.groups)}
        if call.user.uid:
            info["uid"] = call.user.uid
        if call.user.extra:
            info["extra"] = {key: list(values) for key, values in call.user.extra.items()}
        return {"userInfo": dig({"i": info}, "i")}


def _check_asked(spec: Obj) -> None:
    """Raises ApiError 422 unless one thing is asked; the kind's name is missing in a real server's words too
    (`authorizationvalidation.ValidateSelfSubjectAccessReview`)."""
    wanted, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if wanted is not None and path is not None:
        words = "cannot be specified in combination with resourceAttributes"
        shown = f"Path:{quoted(path.get('path', ''))}, Verb:{quoted(path.get('verb', ''))}"
        value = GoText(f"authorization.NonResourceAttributes{{{shown}}}")
        error = FieldError("spec.nonResourceAttributes", words, value)
    elif wanted is None and path is None:
        words = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        error = FieldError("spec.resourceAttributes", words, "null")
    else:
        return
    raise invalid_kind("", "authorization.k8s.io", "", [error])
