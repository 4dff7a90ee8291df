"""Kubernetes' Status answers as our errors, sorted by what to do next.

Called by `connection` alone. Texts from the API server are cut and freed of control characters; redaction
happens above, at the suite's door. Reasons: apimachinery `meta/v1/types.go` (StatusReason).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiops_shared.errors import (
    AccessDeniedError,
    AiopsError,
    ConflictError,
    ExpiredError,
    InvalidInputError,
    NotFoundError,
    ThrottledError,
    UnauthenticatedError,
    UpstreamError,
    UpstreamTimeoutError,
)
from aiops_shared.http.snippets import snippet
from aiops_shared.kube.shapes import rows

MAX_CAUSES = 10
_OWNER = re.compile(r'conflict with "([^"]{1,128})"')
_FORBIDDEN = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)"'
    r'(?: in API group "(?P<group>[^"]*)")?(?P<scope>.*)',
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Status:
    """The parts of a metav1.Status that matter, or what stands in for one that is none."""

    code: int
    reason: str = ""
    message: str = ""
    causes: tuple[str, ...] = ()
    managers: frozenset[str] = frozenset()  # field managers named by the causes of an apply's conflict
    is_status: bool = False


def read_status(code: int, answer: Any) -> Status:
    """The Status in an answer; tolerant, since an error may come from a proxy in between."""
    if not isinstance(answer, dict) or answer.get("kind") != "Status":
        return Status(code)
    causes = rows(answer.get("details"), "causes")
    return Status(
        code=code,
        reason=snippet(str(answer.get("reason") or "")),
        message=snippet(str(answer.get("message") or "")),
        causes=tuple(_cause(one) for one in causes[:MAX_CAUSES]),
        managers=frozenset(_manager(one) for one in causes),
        is_status=True,
    )


def _manager(cause: dict[str, Any]) -> str:
    """Who owns the field, by apimachinery's wording; empty when the cause does not say."""
    found = _OWNER.match(str(cause.get("message") or ""))
    return found[1] if found else ""


def _cause(cause: dict[str, Any]) -> str:
    where, what = snippet(str(cause.get("field") or "")), snippet(str(cause.get("message") or ""))
    return f"{where}: {what}" if where else what


def error_for(thing: str, status: Status) -> AiopsError:
    """The error that tells the caller what to do about `status` on `thing`."""
    make = _BY_CODE.get(status.code)
    return make(thing, status) if make else _server_side(thing, status)


def _said(status: Status, otherwise: str) -> str:
    return status.message or otherwise


def _bad_request(thing: str, status: Status) -> AiopsError:
    return InvalidInputError(thing, _said(status, "the API server calls the request invalid"))


def _unauthenticated(thing: str, status: Status) -> AiopsError:
    return UnauthenticatedError(
        thing,
        f"the API server did not accept the credentials ({_said(status, 'Unauthorized')})",
        "renew them; on EKS the principal needs an access entry (aws eks create-access-entry)",
    )


def _forbidden(thing: str, status: Status) -> AiopsError:
    found = _FORBIDDEN.search(status.message)
    if found is None:
        return AccessDeniedError(thing, _said(status, "the identity used lacks a right"))
    resource = f"{found['resource']}.{found['group']}" if found["group"] else found["resource"]
    return AccessDeniedError(
        thing,
        snippet(f"{found['user']} may not {found['verb']} {resource}{found['scope']}"),
        f"grant {found['verb']} on {resource} by a Role or ClusterRole bound to that user",
    )


def _not_found(thing: str, status: Status) -> AiopsError:
    return NotFoundError(thing, _said(status, "the API server serves no such path"))


def _not_allowed(thing: str, status: Status) -> AiopsError:
    return InvalidInputError(thing, _said(status, "the kind does not support this"))


def _conflict(thing: str, status: Status) -> AiopsError:
    owners = "; ".join(status.causes)
    hint = f"owned by others: {owners}" if owners else "read it again, then decide again"
    error = ConflictError(thing, _said(status, "changed by somebody else at the same time"), hint)
    error.managers = status.managers
    return error


def _expired(thing: str, status: Status) -> AiopsError:
    return ExpiredError(thing, _said(status, "the position is too old"), "start again without it")


def _request_too_large(thing: str, status: Status) -> AiopsError:
    return InvalidInputError(thing, _said(status, "the object is larger than the API server takes"))


def _media_type(thing: str, status: Status) -> AiopsError:
    return UpstreamError(thing, _said(status, "the API server does not take this format"))


def _invalid(thing: str, status: Status) -> AiopsError:
    return InvalidInputError(thing, _said(status, "the object is invalid"), "; ".join(status.causes))


def _throttled(thing: str, status: Status) -> AiopsError:
    return ThrottledError(
        thing,
        _said(status, "the API server asks to slow down"),
        "; ".join(status.causes),  # `connection` adds when to come again
    )


def _slow(thing: str, status: Status) -> AiopsError:
    return UpstreamTimeoutError(thing, _said(status, f"HTTP {status.code}: the API server ran out of time"))


def _server_side(thing: str, status: Status) -> AiopsError:
    return UpstreamError(thing, f"HTTP {status.code}: {_said(status, 'no further word')}")


_BY_CODE: dict[int, Callable[[str, Status], AiopsError]] = {
    400: _bad_request,
    401: _unauthenticated,
    403: _forbidden,
    404: _not_found,
    405: _not_allowed,
    409: _conflict,
    410: _expired,
    413: _request_too_large,
    415: _media_type,
    422: _invalid,
    429: _throttled,
    504: _slow,
}
