"""Makes AWS misbehave on purpose: an operation is refused, throttled, slow, broken, or broken for one name.

Tests say `lab.fail_aws("eks", "ListAddons", code="AccessDeniedException")`; the overlay asks here before it
answers. Codes and statuses are those of the services' models and of AWS's "Common Error Types" page; messages
are worded as IAM, EKS and EC2 word them.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from werkzeug.wrappers import Response

from aiops_lab.aws.account import ACCOUNT_ID
from aiops_lab.aws.errors import AwsError

MAX_DELAY_S = 120.0
_BROKEN_BODY = b'{"addons": ["vpc-cni", '  # cut off in the middle, as by a proxy

# Status and words by code. Words may name {who}, {action} and {resource}.
_NOT_ALLOWED = "User: {who} is not authorized to perform: {action} on resource: {resource}"
_NO_POLICY = f"{_NOT_ALLOWED} because no identity-based policy allows the {{action}} action"
_SAID: dict[str, tuple[int, str]] = {
    "AccessDenied": (403, _NO_POLICY),
    "AccessDeniedException": (403, _NOT_ALLOWED),
    "UnauthorizedOperation": (403, f"You are not authorized to perform this operation. {_NO_POLICY}"),
    "ThrottlingException": (429, "Rate exceeded"),
    "Throttling": (400, "Rate exceeded"),
    "TooManyRequestsException": (429, "Too Many Requests"),
    "RequestLimitExceeded": (503, "Request limit exceeded."),
    "ExpiredToken": (403, "The security token included in the request is expired"),
    "ExpiredTokenException": (403, "The security token included in the request is expired"),
    "UnrecognizedClientException": (403, "The security token included in the request is invalid."),
    "InternalServerError": (500, "An internal error occurred"),
    "InternalError": (500, "An internal error has occurred"),
    "InternalFailure": (500, "The request processing has failed because of an unknown error."),
    "ServerException": (500, "Internal server error"),
    "ServiceUnavailable": (503, "The request has failed due to a temporary failure of the server."),
    "ServiceUnavailableException": (503, "Service is unavailable"),
    "LimitExceededException": (400, "Rate limit exceeded"),
    "DataUnavailableException": (400, "Data is not available. Please try to adjust the time period."),
    "BillExpirationException": (400, "The requested report expired. Update the date interval and try again."),
    "ResourceNotFoundException": (404, "The specified resource could not be found."),
}


@dataclass(frozen=True, slots=True)
class AwsFault:
    """One way to misbehave. `operation` may be a glob (`Describe*`); `times` None is for ever.

    `params`: only calls that carry these values (`{"addonName": "coredns"}`), so that one of many is broken.
    Without a code, the call is answered after `delay_s`; `cut` sends half an answer with status 200.
    """

    service: str
    operation: str
    code: str = ""
    status: int | None = None
    message: str = ""
    delay_s: float = 0.0
    times: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    region: str = ""
    cut: bool = False

    def meets(self, service: str, operation: str, region: str, params: Mapping[str, Any]) -> bool:
        """Whether this call is meant."""
        return (
            service == self.service
            and fnmatchcase(operation, self.operation)
            and self.region in {"", region}
            and all(params.get(name) == value for name, value in self.params.items())
        )

    def error(self, who: str, operation: str, region: str) -> AwsError:
        """What the service says."""
        status, words = _SAID.get(self.code, (400, "the lab played this error"))
        said = words.format(
            who=who,
            action=f"{self.service}:{operation}",
            resource=f"arn:aws:{self.service}:{region}:{ACCOUNT_ID}:*",
        )
        return AwsError(self.code, self.message or said, self.status or status)


@dataclass
class AwsFaults:
    """The faults set now; the first that fits is played. Set in the lab's loop, asked in request threads."""

    played: int = 0
    _set: list[AwsFault] = field(default_factory=list)
    _left: dict[int, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _well: threading.Event = field(default_factory=threading.Event)

    def add(self, fault: AwsFault) -> None:
        """Set one more. Raises ValueError for a delay nobody would wait for."""
        if not 0 <= fault.delay_s <= MAX_DELAY_S:
            raise ValueError(f"delay_s: from 0 to {MAX_DELAY_S:g}")
        with self._lock:
            if fault.times is not None:
                self._left[id(fault)] = fault.times
            self._set = [*self._set, fault]

    def clear(self) -> None:
        """Behave well again; calls that are being delayed are answered at once."""
        with self._lock:
            self._set, self._left = [], {}
            self._well.set()
            self._well = threading.Event()

    def services(self) -> frozenset[str]:
        """Whose calls have to be looked at."""
        return frozenset(fault.service for fault in self._set)

    def next(
        self, service: str, operation: str, region: str, params: Mapping[str, Any]
    ) -> tuple[AwsFault, threading.Event] | None:
        """The fault to play on this call, and what ends its delay early; None when all is well."""
        with self._lock:
            for fault in self._set:
                left = self._left.get(id(fault))
                if left == 0 or not fault.meets(service, operation, region, params):
                    continue
                if left is not None:
                    self._left[id(fault)] = left - 1
                self.played += 1
                return fault, self._well
        return None


def cut_answer() -> Response:
    """Half an answer."""
    return Response(_BROKEN_BODY, status=200, headers={"Content-Type": "application/json"})
