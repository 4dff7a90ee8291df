"""A workload as the tools of files and releases take it: `shop` or `deployment/shop`."""

from typing import Final

from aiops_shared.errors import InvalidInputError
from aiops_shared.kube import names
from aiops_shared.params import shown

_DEPLOYMENTS = ("", "deploy", "deployment", "deployments")
_KINDS: Final = dict.fromkeys(_DEPLOYMENTS, "Deployment") | dict.fromkeys(
    ("sts", "statefulset", "statefulsets"), "StatefulSet"
)


def workload_of(text: str) -> tuple[str, str]:
    """Its kind and name. Raises InvalidInputError."""
    kind, _, name = text.rpartition("/")
    known = _KINDS.get(kind.lower())
    if known is None:
        raise InvalidInputError("workload", f"{shown(text)} is no workload", "as shop or deployment/shop")
    return known, names.object_name("pod", name)
