"""Whether the server has a form that the client takes (apiserver's `negotiation`): JSON, or a Table or the
metadata alone as JSON."""

from starlette.requests import Request

from aiops_lab.kube.errors import ApiError, no_representation
from aiops_lab.kube.targets import Target

_TYPES = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
_STREAMS = ("application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch")
_FORMS = frozenset({"Table", "PartialObjectMetadata", "PartialObjectMetadataList"})


def check_accept(request: Request, target: Target) -> None:
    """Raises ApiError 406 for a client that takes nothing this server has."""
    if target.subresource in {"log", "proxy", "exec", "attach", "portforward"}:
        return
    clauses = [_clause(one) for one in request.headers.get("accept", "*/*").split(",")]
    readable = [asked for kind, asked in clauses if kind in {*_TYPES, "*/*", "application/*"}]
    if not readable:
        offered = (*_TYPES, *_STREAMS) if not target.name else _TYPES
        said = f"406: Not Acceptable\n\nAvailable representations: {', '.join(offered)}"
        raise no_representation(said)
    if not any(_is_form(asked) for asked in readable):
        message = f"only the following media types are accepted: {', '.join(_TYPES)}"
        raise ApiError(406, "NotAcceptable", message)


def _clause(text: str) -> tuple[str, dict[str, str]]:
    kind, *rest = (part.strip() for part in text.split(";"))
    return kind.lower(), {key: value for key, _, value in (part.partition("=") for part in rest)}


def _is_form(asked: dict[str, str]) -> bool:
    if "as" not in asked:
        return True
    version = (asked.get("g", "meta.k8s.io"), asked.get("v", "v1"))
    return asked["as"] in _FORMS and version in {("meta.k8s.io", "v1"), ("meta.k8s.io", "v1beta1")}
