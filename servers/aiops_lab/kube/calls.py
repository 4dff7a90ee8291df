"""One authorised request on its way to a handler, and the answers handlers give."""

import re
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
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


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
        """A boolean query parameter: there and neither `false` nor `0` (apimachinery's conversion)."""
        return name in self.request.query_params and self.query(name).lower() not in {"false", "0"}

    def number(self, name: str) -> int | None:
        """A whole query parameter. Raises ApiError 400."""
        value = self.query(name)
        if name not in self.request.query_params:
            return None
        return whole(value)

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
        """Whether nothing may change, as far as can be read."""
        try:
            return "All" in self.asked_dry_run()
        except ApiError:
            return False

    def asked_dry_run(self) -> list[Any]:
        """Every dry-run directive that counts for this request. Raises ApiError where none can be read."""
        if self.verb in {"delete", "deletecollection"} and not self.target.subresource:
            asked = self.deletion_option("dryRun") or []
        else:
            asked = self.request.query_params.getlist("dryRun") or self._eviction_dry_run()
        return asked if isinstance(asked, list) else [asked]

    def deletion_option(self, name: str) -> Any:
        """An option of a delete. As on a real server the query counts only where there is no body:
        `?dryRun=All` beside a body without `dryRun` really deletes (endpoints/handlers/delete.go)."""
        if self.body.strip():
            return decode_options(self.body, self.content_type).get(name)
        values = self.request.query_params.getlist(name)
        return values if name == "dryRun" else (values[0] if values else None)

    def _eviction_dry_run(self) -> list[str]:
        if self.target.subresource != "eviction":
            return []
        asked = dig(
            decode_object(self.body, self.content_type, "Eviction"), "deleteOptions", "dryRun", default=[]
        )
        return asked if isinstance(asked, list) else [str(asked)]

    @property
    def manager(self) -> str:
        """The field manager: as asked, else the client's program name."""
        named = self.query("fieldManager")
        agent = self.request.headers.get("user-agent", "").partition("/")[0]
        return (named or agent or "unknown")[:_LONGEST_MANAGER]


def whole(text: str) -> int:
    """A number as Go's `strconv.ParseInt` takes it. Raises ApiError 400."""
    if not _WHOLE.fullmatch(text):
        raise bad_request(f'strconv.ParseInt: parsing "{text[:40]}": invalid syntax')
    return int(text)


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
