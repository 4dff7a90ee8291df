"""What the server fills in where the client said nothing, as far as controllers and printers read it."""

from aiops_lab.kube.resources import Resource
from aiops_lab.kube.wire import Obj


def with_defaults(resource: Resource, obj: Obj) -> Obj:
    """Fill in a kind's defaults, in place; returns the same object."""
    return obj
