"""What stands behind a real API server in a recorded world: a kubelet with the lab's logs, and metrics.

kube-apiserver asks the kubelet of a pod's node for `/containerLogs/…` and an aggregated API for
`/apis/metrics.k8s.io/…`; both are answered from the lab that the world was recorded from.
"""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aiops_lab.run import Lab
from aiops_lab.serving import LoopbackServer, listen
from tests.cluster.control_plane import ControlPlane
from tests.lab_fixture import kube_client


@asynccontextmanager
async def behind(lab: Lab, plane: ControlPlane) -> AsyncIterator[int]:
    """Serve both until the block ends; gives the port on loopback."""
    async with kube_client(lab) as source, anyio.create_task_group() as tasks:
        server = LoopbackServer(
            _app(source), (plane.certificates.certificate_path, plane.certificates.key_path)
        )
        sock = listen("127.0.0.1", 0)
        tasks.start_soon(_serve, server, sock)
        await server.up.wait()
        try:
            yield sock.getsockname()[1]
        finally:
            server.should_exit = True


async def _serve(server: LoopbackServer, sock: socket.socket) -> None:
    with sock:
        await server.serve([sock])


def _app(source: httpx.AsyncClient) -> Starlette:
    async def logs(request: Request) -> Response:
        names = request.path_params
        path = f"/api/v1/namespaces/{names['namespace']}/pods/{names['pod']}/log"
        return await passed_on(path, {**request.query_params, "container": names["container"]})

    async def metrics(request: Request) -> Response:
        return await passed_on(request.url.path, dict(request.query_params))

    async def passed_on(path: str, query: dict[str, str]) -> Response:
        answer = await source.get(path, params=query)
        kind = answer.headers.get("content-type", "text/plain")
        return Response(answer.content, answer.status_code, media_type=kind)

    return Starlette(
        routes=[
            Route("/containerLogs/{namespace}/{pod}/{container}", logs),
            Route("/apis/metrics.k8s.io{rest:path}", metrics),
        ]
    )
