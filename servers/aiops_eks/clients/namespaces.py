"""An empty answer and a misspelt namespace look the same; this tells them apart (S48).

Called by the readers when nothing was found, so that the ordinary answer costs no further request.
"""

from aiops_eks.ports import Kube
from aiops_shared.errors import AiopsError, NotFoundError


async def require_namespace(kube: Kube, namespace: str) -> None:
    """Raise NotFoundError with the nearest names when there is no such namespace.

    Whoever may not look at namespaces gets the empty answer.
    """
    if not namespace:
        return
    try:
        await kube.get("namespaces", "", namespace)
    except NotFoundError:
        raise
    except AiopsError:
        return
