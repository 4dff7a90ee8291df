"""One request and the one answer that both servers must give, as data: most contracts are tables of these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.contract.objects import given
from tests.cluster.contract.server import JSON, Answer, Obj, Server

_SAID_IN_HEADERS = ("warning", "retry-after")


@dataclass(frozen=True)
class Case:
    """A request in a state, and what comes back: `expected`, or a side of a listed difference."""

    name: str
    request: str
    body: Any = None
    given: Sequence[str] = ()
    expected: Mapping[str, Any] | None = None
    difference: str = ""
    sent_as: str = JSON
    accept: str = JSON
    who: str = "lab-admin"
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name.replace(" ", "_")


def refused(
    code: int, reason: str | None, message: str, details: Obj | None = None, **headers: str
) -> dict[str, Any]:
    """A Status; one without a reason is an error of Go passed on."""
    said: dict[str, Any] = {"code": code, "message": message}
    if reason is not None:
        said["reason"] = reason
    if details is not None:
        said["details"] = details
    return said | headers


def invalid(kind: str, name: str, *causes: tuple[str, str, str], **headers: str) -> dict[str, Any]:
    """422: what is wrong, field by field, as (reason, field, message); the same text is said once."""
    texts = list(dict.fromkeys(f"{where}: {text}" for _, where, text in causes))
    said = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    short, _, group = kind.partition(".")
    details: Obj = {
        "causes": [{"reason": reason, "message": text, "field": where} for reason, where, text in causes]
    }
    details |= {key: value for key, value in (("name", name), ("group", group), ("kind", short)) if value}
    return refused(422, "Invalid", f'{kind} "{name}" is invalid: {said}', details, **headers)


NO_SUCH_PATH = refused(404, "NotFound", "the server could not find the requested resource", {})
NOT_ALLOWED = refused(
    405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {}
)


def forbidden(
    verb: str, resource: str, name: str = "", *, group: str = "", user: str = "aiops-reader", where: str = ""
) -> dict[str, Any]:
    """403 of RBAC, in the test's namespace or elsewhere."""
    plural = resource.partition("/")[0]
    subject = (f"{plural}.{group}" if group else plural) + (f' "{name}"' if name else "")
    place = where or 'in the namespace "{ns}"'
    details = {"kind": plural} | {k: v for k, v in (("name", name), ("group", group)) if v}
    asked = f'User "{user}" cannot {verb} resource "{resource}" in API group "{group}" {place}'
    return refused(403, "Forbidden", f"{subject} is forbidden: {asked}", details)


def done(code: int, **body: Any) -> dict[str, Any]:
    """A success: kind and name of what came back."""
    return {"code": code, "body": body}


def plain(code: int, text: str) -> dict[str, Any]:
    """An answer that is no JSON."""
    return {"code": code, "body": text}


async def check(server: Server, case: Case) -> None:
    """Bring the state about, send the request, compare."""
    await given(server, *case.given)
    answer = await server.ask(
        case.request,
        case.body,
        sent_as=case.sent_as,
        accept=case.accept,
        who=case.who,
        headers={key: value.replace("{ns}", server.namespace) for key, value in case.headers.items()},
    )
    expected = server.differing(case.difference)[case.name] if case.difference else case.expected
    assert shape_of(answer) == expected


def shape_of(answer: Answer) -> dict[str, Any]:
    """The answer as `refused`, `done` and `plain` write it."""
    body = answer.masked
    said = {name: answer.headers[name] for name in _SAID_IN_HEADERS if name in answer.headers}
    if not isinstance(body, dict):
        return {"code": answer.code, "body": body, **said}
    if body.get("kind") == "Status" and body.get("status") == "Failure":
        assert (body["code"], body["apiVersion"], body["metadata"]) == (answer.code, "v1", {})
        kept = ("code", "reason", "message", "details")
        return {key: body[key] for key in kept if key in body} | said
    shown = {"kind": body.get("kind"), "name": body.get("metadata", {}).get("name")}
    return {"code": answer.code, "body": {k: v for k, v in shown.items() if v is not None}, **said}
