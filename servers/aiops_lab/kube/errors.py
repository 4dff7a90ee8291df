"""The refusals of a kube-apiserver, each with the code, reason and wording clients parse.

Wording after k8s.io/apimachinery/pkg/api/errors and pkg/util/validation/field.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from aiops_lab.kube.resources import Resource

Details = dict[str, Any]


class ApiError(Exception):
    """A request the API refuses; `to_status` is the body a client gets."""

    def __init__(self, status: int, reason: str, message: str, details: Details | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.details = details

    def to_status(self) -> dict[str, Any]:
        """Say it as a Kubernetes Status object."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "code": self.status,
        }
        if self.reason:  # an error of Go that is no Status comes as a bare 500
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        return body


class GoText(str):
    """A value as Go's `%v` and `%#v` print it: shown without quotes."""

    __slots__ = ()


class PlainAnswer(Exception):  # noqa: N818 - an answer, in text, where a real server sends no Status
    """What net/http or a filter before the API says by itself."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with one field, as `field.Error` of apimachinery says it."""

    field: str
    detail: str
    value: Any = None
    problem: str = "Invalid value"

    @property
    def reason(self) -> str:
        """The cause's machine-readable reason."""
        words = {"Required value": "FieldValueRequired", "Forbidden": "FieldValueForbidden"}
        others = {
            "Unsupported value": "FieldValueNotSupported",
            "Duplicate value": "FieldValueDuplicate",
            "Too long": "FieldValueTooLong",
            "Not found": "FieldValueNotFound",
        }
        return words.get(self.problem) or others.get(self.problem) or "FieldValueInvalid"

    @property
    def text(self) -> str:
        """Problem, value and detail without the field."""
        if self.problem in {"Required value", "Forbidden", "Too long"}:
            return f"{self.problem}: {self.detail}" if self.detail else self.problem
        shown = self.value if isinstance(self.value, GoText) else orjson.dumps(self.value).decode()
        return f"{self.problem}: {shown}: {self.detail}" if self.detail else f"{self.problem}: {shown}"


def qualified(resource: Resource) -> str:
    """Plural and group: `pods`, `deployments.apps`."""
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def _details(resource: Resource, name: str) -> Details:
    details: Details = {"kind": resource.plural}
    if name:
        details["name"] = name
    if resource.group:
        details["group"] = resource.group
    return details


def not_found(resource: Resource, name: str) -> ApiError:
    """404: no such object."""
    message = f'{qualified(resource)} "{name}" not found'
    return ApiError(404, "NotFound", message, _details(resource, name))


def no_such_path() -> ApiError:
    """404 for a path or a kind the server does not know."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: Resource, name: str) -> ApiError:
    """409 on create."""
    message = f'{qualified(resource)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, _details(resource, name))


def conflict(resource: Resource, name: str, why: str) -> ApiError:
    """409: the precondition does not hold."""
    message = f'Operation cannot be fulfilled on {qualified(resource)} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(resource, name))


def changed_since(resource: Resource, name: str, field: str, wanted: str, held: str) -> ApiError:
    """409 of a delete whose precondition fails; it names the Kind (`rest.BeforeDelete`)."""
    happened = "might have been deleted and then recreated" if field == "UID" else "might have been modified"
    group = f".{resource.group}" if resource.group else ""
    message = (
        f'Operation cannot be fulfilled on {resource.kind}{group} "{name}": the {field} in the precondition '
        f"({wanted}) does not match the {field} in record ({held}). The object {happened}"
    )
    return ApiError(409, "Conflict", message, {**_details(resource, name), "kind": resource.kind})


def stale(resource: Resource, name: str) -> ApiError:
    """409: the resourceVersion sent is not the stored one."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(resource, name, why)


def other_uid(resource: Resource, namespace: str, name: str, wanted: str, held: str) -> ApiError:
    """409 of an update whose uid is another object's, as the storage words it."""
    key = "/".join(part for part in ("/registry", resource.plural, namespace, name) if part)
    return conflict(
        resource,
        name,
        f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: "
        f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {held}",
    )


def invalid(resource: Resource, name: str, errors: Sequence[FieldError]) -> ApiError:
    """422 with one cause per field."""
    return invalid_kind(resource.kind, resource.group, name, errors)


def invalid_kind(kind: str, group: str, name: str, errors: Sequence[FieldError]) -> ApiError:
    """422 about a kind that need not be served, as `DeleteOptions.meta.k8s.io`."""
    texts = list(dict.fromkeys(f"{error.field}: {error.text}" for error in errors))
    said = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details: Details = {"name": name} if name else {}
    if group:
        details["group"] = group
    if kind:
        details["kind"] = kind
    details["causes"] = [{"reason": e.reason, "message": e.text, "field": e.field} for e in errors]
    qualified_kind = f"{kind}.{group}" if group else kind
    return ApiError(422, "Invalid", f'{qualified_kind} "{name}" is invalid: {said}', details)


def go_error(message: str) -> ApiError:
    """500 without a reason: what an error of Go that is no Status becomes, the client's own fault or not
    (`responsewriters.ErrorToAPIStatus`)."""
    return ApiError(500, "", message)


def bad_request(message: str) -> ApiError:
    """400: the request makes no sense whatever the state."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """401: nobody the server knows."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def expired(message: str) -> ApiError:
    """410: the version asked for is gone from history."""
    return ApiError(410, "Expired", message)


def forbidden(resource: Resource, name: str, why: str) -> ApiError:
    """403 about an object or a collection."""
    subject = f'{qualified(resource)} "{name}"' if name else qualified(resource)
    return ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", _details(resource, name))


def method_not_allowed() -> ApiError:
    """405: the resource has no such verb."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, {})


def unsupported_media(message: str) -> ApiError:
    """415: a body format the server does not read."""
    return ApiError(415, "UnsupportedMediaType", message)


def no_representation(message: str) -> ApiError:
    """406: nothing the client takes."""
    return ApiError(406, "NotAcceptable", message, {})


def unknown_patch_type() -> ApiError:
    """415: a patch whose content type is none of patch's."""
    return ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})


def not_simulated(what: str) -> ApiError:
    """501: a real cluster does this, the lab does not and says so."""
    return ApiError(501, "NotImplemented", f"the lab's Kubernetes API does not simulate {what}")
