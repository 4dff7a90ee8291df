"""The guard on the wire: no change leaves this process without a permit (decision D14).

It sits in every Kubernetes client as a request hook, below all methods, so that a method written later
cannot forget it. A dry run is told by `dryRun=All` in the query, for deletes and evictions in the body.
Reviews (SelfSubjectAccessReview and its like) are POSTs that store nothing. A delete of a collection never
leaves.
"""

import re
from typing import Any

import httpx
import orjson

from aiops_shared.errors import ActionRefusedError

# Keys in httpx's request extensions; never sent.
PERMIT = "aiops_permit"
PATH = "aiops_path"  # as `names.path` made it; httpx resolves `..`, so what it sends is compared
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_REVIEW = re.compile(
    r"/apis/(authorization\.k8s\.io/v[0-9a-z]+/selfsubject(access|rules)reviews"
    r"|authentication\.k8s\.io/v[0-9a-z]+/selfsubjectreviews)"
)
# Reading methods with effects: they run commands or reach past the API server.
_DOORS = re.compile(r"/(pods|services|nodes)/[^/]+/(exec|attach|portforward|proxy)(/|$)")
_CORE = r"/api/v1(/namespaces/[^/]+)?/"
_GROUP = r"/apis/[^/]+/[^/]+(/namespaces/[^/]+)?/"
_ONE_OBJECT = re.compile(rf"({_CORE}|{_GROUP})[^/]+/[^/]+(/[^/]+)?")


async def refuse_unpermitted(request: httpx.Request) -> None:
    """Request hook. Raises ActionRefusedError for a change without a permit or of a whole collection."""
    path = request.url.raw_path.decode("ascii").split("?", 1)[0]
    thing = f"{request.method} {path[:200]}"
    parts = path.lower().split("/")
    if request.extensions.get(PATH, path) != path or "" in parts[1:] or {"%2e", "%2e%2e"} & set(parts):
        raise ActionRefusedError(thing, "the path is not that of one object")
    if request.method in _SAFE:
        if _DOORS.search(path) and not _permitted(request):
            raise ActionRefusedError(thing, "reaches into a pod or node without a permit")
        return
    if request.method == "DELETE" and not _is_one_object(path):
        raise ActionRefusedError(thing, "would delete a whole collection; that is never sent")
    if request.method == "POST" and _REVIEW.fullmatch(path):
        return
    if not _permitted(request) and not _is_dry_run(request, path):
        raise ActionRefusedError(thing, "a change without a permit", "plan it, then execute_plan")


def _permitted(request: httpx.Request) -> bool:
    return request.extensions.get(PERMIT) is not None


def _is_one_object(path: str) -> bool:
    if re.fullmatch(r"/api/v1/namespaces/[^/]+", path):
        return True
    # `/api/v1/namespaces/shop/pods` has as many parts as one object of a cluster-scoped kind.
    if re.fullmatch(r"(/api/v1|/apis/[^/]+/[^/]+)/namespaces/[^/]+/[^/]+", path):
        return False
    return _ONE_OBJECT.fullmatch(path) is not None


def _is_dry_run(request: httpx.Request, path: str) -> bool:
    if path.endswith("/eviction"):
        options = _body(request).get("deleteOptions")
        return isinstance(options, dict) and options.get("dryRun") == ["All"]
    if request.method == "DELETE" and request.content:
        # The API server reads a delete's options from the body alone when there is one
        # (apiserver, endpoints/handlers/delete.go): `?dryRun=All` beside it would really delete.
        return _body(request).get("dryRun") == ["All"]
    return request.url.params.get_list("dryRun") == ["All"]


def _body(request: httpx.Request) -> dict[str, Any]:
    try:
        body = orjson.loads(request.content)
    except (orjson.JSONDecodeError, httpx.RequestNotRead):
        return {}
    return body if isinstance(body, dict) else {}
