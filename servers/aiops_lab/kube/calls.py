"""One authorised request on its way to a handler, and the answers handlers give."""

from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from aiops_lab.kube.bodies import decode_object, decode_options
from aiops_lab.kube.errors import ApiError, bad_request
from aiops_lab.kube.ports import UserInfo
from aiops_lab.kube.targets import Target
from aiops_lab.kube.wire import Obj, dig

_LONGEST_MANAGER = 128


@dataclass(frozen=True)
class Call:
    """Who asks what of which target."""

    request: Request
    user: UserInfo
    verb: str
    target: Target
    body: bytes

    def query(self, name: str) -> str:
        """A query parameter; empty where it is absent."""
        return self.request.query_params.get(name, "")

    def flag(self, name: str) -> bool:
        """A boolean query parameter. Raises ApiError 400."""
        value = self.query(name).lower()
        if value not in {"", "true", "1", "false", "0"}:
            raise bad_request(f"invalid value {value[:40]!r} for {name}: not a boolean")
        return value in {"true", "1"}

    def number(self, name: str) -> int | None:
        """A whole, non-negative query parameter. Raises ApiError 400."""
        value = self.query(name)
        if not value:
            return None
        if not (value.isascii() and value.isdecimal() and len(value) < 19):
            raise bad_request(f"invalid value {value[:40]!r} for {name}: not a non-negative integer")
        return int(value)

    @property
    def content_type(self) -> str | None:
        """The body's declared type."""
        return self.request.headers.get("content-type")

    @property
    def accept(self) -> str:
        """What the client wants back."""
        return self.request.headers.get("accept", "*/*")

    @property
    def dry_run(self) -> bool:
        """Whether nothing may change: `dryRun=All` in the query, or in the options a body carries."""
        asked = self.request.query_params.getlist("dryRun") or self._dry_run_in_body()
        for value in asked:
            if value not in {"All", ""}:
                raise bad_request(
                    f'Invalid value: "{str(value)[:40]}": dryRun: Unsupported value, supported values: "All"'
                )
        return "All" in asked

    def _dry_run_in_body(self) -> list[str]:
        # Deletes carry DeleteOptions themselves, an eviction carries them inside.
        if self.verb in {"delete", "deletecollection"} and not self.target.subresource:
            options = decode_options(self.body, self.content_type)
        elif self.target.subresource == "eviction":
            options = dig(decode_object(self.body, self.content_type), "deleteOptions", default={})
        else:
            return []
        asked = options.get("dryRun") or [] if isinstance(options, dict) else []
        return asked if isinstance(asked, list) else [str(asked)]

    @property
    def manager(self) -> str:
        """The field manager: as asked, else the client's program name."""
        named = self.query("fieldManager")
        agent = self.request.headers.get("user-agent", "").partition("/")[0]
        return (named or agent or "unknown")[:_LONGEST_MANAGER]


def answer(body: Any, status: int = 200) -> Response:
    """JSON."""
    return Response(orjson.dumps(body), status, media_type="application/json")


def refuse(error: ApiError) -> Response:
    """A Status, with Retry-After where the details name one."""
    response = answer(error.to_status(), error.status)
    seconds = dig(error.details, "retryAfterSeconds")
    if seconds is not None:
        response.headers["Retry-After"] = str(seconds)
    return response


def success(call: Call, obj: Obj) -> Response:
    """The Status that says an object is gone."""
    resource = call.target.resource
    details = {"name": obj["metadata"]["name"], "kind": resource.plural, "uid": obj["metadata"]["uid"]}
    if resource.group:
        details["group"] = resource.group
    return answer(
        {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
    )
