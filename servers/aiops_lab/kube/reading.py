"""get and list: one object, pages of objects, Tables."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from starlette.responses import Response

from aiops_lab.kube.calls import Call, answer
from aiops_lab.kube.errors import not_found
from aiops_lab.kube.options import check_list_options
from aiops_lab.kube.paging import Asked, Start, start_of, write_token
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.selectors import parse_fields, parse_labels
from aiops_lab.kube.store import Store
from aiops_lab.kube.tables import partial, table, wants_metadata, wants_table
from aiops_lab.kube.views import shown
from aiops_lab.kube.wire import Obj, name_of, namespace_of


@dataclass(frozen=True)
class Reading:
    """The handlers that change nothing."""

    store: Store
    now: Callable[[], datetime]

    def get(self, call: Call) -> Response:
        """One object, as asked for. Raises ApiError 404."""
        target = call.target
        found = self.store.shelf.find(target.resource, target.namespace, target.name)
        if found is None:
            raise not_found(target.resource, target.name)
        return self.show(call, shown(target.resource, found))

    def show(self, call: Call, obj: Obj, status: int = 200) -> Response:
        """One object in the form the client asked for."""
        if wants_table(call.accept):
            meta = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
            include = call.query("includeObject")
            return answer(table(call.target.resource, [obj], meta, include, self.now()), status)
        return answer(partial(obj) if wants_metadata(call.accept) else obj, status)

    def list_page(self, call: Call) -> Response:
        """A page of objects. Raises ApiError 400, 410 or 504."""
        resource = call.target.resource
        check_list_options(call)
        asked = Asked(
            max(call.number("limit") or 0, 0),
            call.query("continue"),
            call.query("resourceVersion"),
            call.query("resourceVersionMatch"),
        )
        start = start_of(self.store.shelf, resource, asked)
        found, meta = self._page(call, start, asked.limit)
        objects = [shown(resource, obj) for obj in found]
        if wants_table(call.accept):
            return answer(table(resource, objects, meta, call.query("includeObject"), self.now()))
        return answer(self._list_object(call, resource, objects, meta))

    def _list_object(self, call: Call, resource: Resource, objects: list[Obj], meta: Obj) -> Obj:
        if wants_metadata(call.accept):
            kind, api_version = "PartialObjectMetadataList", "meta.k8s.io/v1"
            objects = [partial(obj) for obj in objects]
        else:
            kind, api_version = f"{resource.kind}List", resource.api_version
            objects = [listed(resource, obj) for obj in objects]
        return {"kind": kind, "apiVersion": api_version, "metadata": meta, "items": objects}

    def _page(self, call: Call, start: Start, limit: int) -> tuple[list[Obj], Obj]:
        target, resource = call.target, call.target.resource
        labels, fields = call.query("labelSelector"), call.query("fieldSelector")
        left = [obj for obj in start.objects if self._follows(obj, start, target.namespace)]
        matching = left
        for matches in (parse_labels(labels), parse_fields(fields, resource.kind, custom=resource.custom)):
            matching = [obj for obj in matching if matches is None or matches(obj)]
        if target.name:  # a list of one name, as a watch by name starts
            matching = [obj for obj in matching if name_of(obj) == target.name]
        meta: Obj = {"resourceVersion": str(start.version)}
        if not limit or len(matching) <= limit:
            return matching, meta
        page = list(islice(matching, limit))
        self.store.shelf.snapshots.keep(target.resource.storage, start.version, start.objects)
        meta["continue"] = write_token(start.version, page[-1])
        if not labels and not fields:
            meta["remainingItemCount"] = len(matching) - limit
        return page, meta

    def _follows(self, obj: Obj, start: Start, namespace: str) -> bool:
        if namespace and namespace_of(obj) != namespace:
            return False
        return start.after is None or (namespace_of(obj), name_of(obj)) > start.after


def listed(resource: Resource, obj: Obj) -> Obj:
    """An object as an item of a list: typed lists leave kind and apiVersion out."""
    if resource.custom:
        return obj
    return {key: value for key, value in obj.items() if key not in {"kind", "apiVersion"}}
