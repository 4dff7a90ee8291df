"""Answers lists as Tables, the form kubectl prints; rows carry metadata, the object or nothing."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from aiops_lab.kube.columns.printers import printer_for
from aiops_lab.kube.errors import bad_request
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.wire import Obj

_META = "meta.k8s.io/v1"


def wants_table(accept: str) -> bool:
    """Whether the client prefers a Table."""
    return "as=Table" in accept.partition(",")[0].replace(" ", "")


def wants_metadata(accept: str) -> bool:
    """Whether the client prefers metadata only."""
    return "as=PartialObjectMetadata" in accept.partition(",")[0].replace(" ", "")


def table(resource: Resource, objects: Iterable[Obj], meta: Obj, include: str, now: datetime) -> Obj:
    """The Table of some objects. Raises ApiError 400 for an unknown `includeObject`."""
    if include not in {"", "None", "Metadata", "Object"}:
        raise bad_request(f"unrecognized includeObject value: {include[:40]!r}")
    printer = printer_for(resource)
    rows = [{"cells": printer.cells(obj, now), **_object(obj, include)} for obj in objects]
    return {
        "kind": "Table",
        "apiVersion": _META,
        "metadata": meta,
        "columnDefinitions": [column.to_wire() for column in printer.columns],
        "rows": rows,
    }


def _object(obj: Obj, include: str) -> dict[str, Any]:
    if include == "None":
        return {}
    return {"object": obj if include == "Object" else partial(obj)}


def partial(obj: Obj) -> Obj:
    """An object's metadata alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": obj["metadata"]}
