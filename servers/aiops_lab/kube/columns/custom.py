"""How custom resources are printed: by the JSON paths of their definition's additionalPrinterColumns."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from aiops_lab.kube.columns.printer import Cells, Column, Printer, age, since
from aiops_lab.kube.resources import PrinterColumn, Resource
from aiops_lab.kube.wire import Obj, name_of

_STEP = re.compile(
    r"""\.((?:\\.|[^.\[\]\\])+)|\[(\d+)\]|\[\?\(@\.(\w+)==["']([^"']*)["']\)\]|\['([^']+)'\]"""
)
_NAME = Column("Name", format="name")


def custom_printer(resource: Resource) -> Printer:
    """The printer that a definition declares; name and age where it declares nothing."""
    declared = resource.printer_columns or (("Age", "date", ".metadata.creationTimestamp", 0),)
    shown = (_NAME, *(Column(name, kind, priority) for name, kind, _, priority in declared))
    readers = [_reader(column) for column in declared]
    return Printer(shown, lambda obj, now: _cells(obj, now, readers))


Reader = Callable[[Obj, datetime], Any]


def _cells(obj: Obj, now: datetime, readers: list[Reader]) -> Cells:
    return [name_of(obj), *(read(obj, now) for read in readers)]


def _reader(column: PrinterColumn) -> Reader:
    _, kind, path, _ = column
    if path == ".metadata.creationTimestamp":
        return age

    def read(obj: Obj, now: datetime) -> Any:
        found = json_path(obj, path)
        if kind == "date" and found is not None:
            return since(found, now)
        return found if kind in {"integer", "number", "boolean"} or found is None else str(found)

    return read


def json_path(obj: Any, path: str) -> Any:
    """The first value at a simple JSON path (fields, positions, one-field filters), or None."""
    for step in _STEP.finditer(path):
        field, position, key, wanted, quoted = step.groups()
        if field or quoted:
            name = quoted or field.replace("\\", "")
            obj = obj.get(name) if isinstance(obj, dict) else None
        elif not isinstance(obj, list):
            return None
        elif position:
            obj = obj[int(position)] if int(position) < len(obj) else None
        else:
            obj = next((item for item in obj if isinstance(item, dict) and item.get(key) == wanted), None)
    return obj
