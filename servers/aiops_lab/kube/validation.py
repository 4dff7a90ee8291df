"""placeholder"""

from aiops_lab.kube.resources import Resource
from aiops_lab.kube.wire import Obj


def validate(resource: Resource, new: Obj, old: Obj | None) -> None:
    """Refuse what a real server refuses."""
