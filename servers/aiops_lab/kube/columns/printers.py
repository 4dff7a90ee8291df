"""Which printer prints which kind."""

from datetime import datetime

from aiops_lab.kube.columns.printer import Cells, Printer, age, columns
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.wire import Obj, name_of


def _plain(obj: Obj, now: datetime) -> Cells:
    return [name_of(obj), age(obj, now)]


DEFAULT = Printer(columns("Name", "Age"), _plain)


def printer_for(resource: Resource) -> Printer:
    """The kind's printer; name and age where there is none."""
    return DEFAULT
