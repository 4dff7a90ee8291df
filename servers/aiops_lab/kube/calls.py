"""One authorised request on its way to a handler, and the answers handlers give."""

from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from aiops_lab.kube.bodies import decode_object
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
        """Whether nothing may change. Raises ApiError 400 for an unknown directive."""
        if self.verb in {"delete", "deletecollection"} and not self.target.subresource:
            asked = self.deletion_option("dryRun") or []
        else:
            asked = self.request.query_params.getlist("dryRun") or self._eviction_dry_run()
        if not isinstance(asked, list):
            raise bad_request("invalid DeleteOptions: dryRun must be a list")
        for value in asked:
            if value not in {"All", ""}:
                said = (
                    f'Invalid value: "{str(value)[:40]}": dryRun: Unsupported value: supported values: "All"'
                )
                raise bad_request(said)
        return "All" in asked

    def deletion_option(self, name: str) -> Any:
        """An option of a delete. As on a real server the query counts only where there is no body:
        `?dryRun=All` beside a body without `dryRun` really deletes (endpoints/handlers/delete.go)."""
        if self.body.strip():
            return decode_object(self.body, self.content_type).get(name)
        values = self.request.query_params.getlist(name)
        return values if name == "dryRun" else (values[0] if values else None)

    def _eviction_dry_run(self) -> list[str]:
        if self.target.subresource != "eviction":
            return []
        asked = dig(decode_object(self.body, self.content_type), "deleteOptions", "dryRun", default=[])
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
