"""Which printer prints which kind."""

from datetime import datetime

from aiops_lab.kube.columns.cluster import CLUSTER
from aiops_lab.kube.columns.custom import custom_printer
from aiops_lab.kube.columns.networking import NETWORKING
from aiops_lab.kube.columns.pods import PODS
from aiops_lab.kube.columns.printer import Cells, Printer, age, columns
from aiops_lab.kube.columns.rare import RARE
from aiops_lab.kube.columns.workloads import WORKLOADS
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.wire import Obj, name_of


def _plain(obj: Obj, now: datetime) -> Cells:
    return [name_of(obj), age(obj, now)]


_DEFAULT = Printer(columns("Name", "Age"), _plain)
_PRINTERS: dict[str, Printer] = {"Pod.": PODS, **WORKLOADS, **CLUSTER, **NETWORKING, **RARE}


def printer_for(resource: Resource) -> Printer:
    """The kind's printer; name and age where there is none."""
    if resource.custom:
        return custom_printer(resource)
    return _PRINTERS.get(resource.storage, _DEFAULT)
