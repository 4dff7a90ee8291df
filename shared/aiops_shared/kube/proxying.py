"""Reads what a program in a pod answers to plain HTTP, through the API server (`pods/proxy`).

It reaches into a pod, so it needs the gate's permit like a change does; `guard` checks it again on the wire.
Only paths that the caller's code spells out: no word of a user becomes part of one.
"""

from collections.abc import Mapping

from aiops_shared.errors import ActionRefusedError, InvalidInputError
from aiops_shared.kube import names
from aiops_shared.kube.connection import Ask, Connection

PORTS = range(1, 65_536)


class Proxying:
    """The part of `KubeApi` that asks programs."""

    _connection: Connection

    async def through(
        self,
        namespace: str,
        pod: str,
        port: int,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        permit: object | None,
    ) -> bytes:
        """The body of a GET; `path` begins with a slash. Raises AccessDeniedError naming `pods/proxy`."""
        names.namespace(namespace)
        names.object_name("pods", pod)
        thing = f"port {port} of pod {namespace}/{pod}"
        if port not in PORTS:
            raise InvalidInputError(thing, "is no port", "1 to 65535")
        if permit is None:
            raise ActionRefusedError(
                thing, "reaches into a pod without a permit", "plan it, then execute_plan"
            )
        ask = Ask(
            thing,
            f"/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy{path}",
            params=params or {},
            accept="*/*",
            permit=permit,
        )
        return await self._connection.raw(ask, json_only=False)
