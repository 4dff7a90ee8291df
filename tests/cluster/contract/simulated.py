"""The simulator on loopback in a thread of its own, with the identities that the real server knows."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from aiops_lab.kube.app import build_app
from aiops_lab.kube.ports import UserInfo
from aiops_lab.kube.requests import RequestLog
from aiops_lab.kube.store import BUILT_IN, LAB_CRDS, Store
from aiops_lab.kube.tls import make_certificates
from aiops_lab.serving import listen
from tests.cluster.control_plane import GROUPS
from tests.lab.kube.fakes import FakeLogs, FakeUsage, FrozenClock, TokenTable

_READY_WITHIN_S = 10.0


@dataclass(frozen=True)
class Simulator:
    """A running simulator."""

    url: str
    ca_path: Path
    store: Store

    def token(self, identity: str) -> str:
        """The bearer token of an identity."""
        return f"token-worth-nothing-{identity}"

    async def compact(self) -> None:
        """Forget watch history and list snapshots."""
        self.store.compact()


def _identities() -> TokenTable:
    return TokenTable(
        {
            f"token-worth-nothing-{name}": UserInfo(name, (*groups, "system:authenticated"), uid=name)
            for name, groups in GROUPS.items()
        }
    )


@contextmanager
def running_simulator(folder: Path) -> Iterator[Simulator]:
    """Serve an empty simulated cluster until the block ends."""
    clock = FrozenClock()
    store = Store(clock, BUILT_IN + LAB_CRDS)
    app = build_app(
        store,
        logs=FakeLogs(),
        usage=FakeUsage(),
        authenticator=_identities(),
        requests=RequestLog(),
        now=clock,
    )
    certificates = make_certificates(folder, datetime.now(UTC))  # noqa: TID251 - TLS lives in real time
    listener = listen("127.0.0.1", 0)
    config = uvicorn.Config(
        app,
        ssl_certfile=str(certificates.certificate_path),
        ssl_keyfile=str(certificates.key_path),
        log_level="error",
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    pause = threading.Event()
    for _ in range(int(_READY_WITHIN_S / 0.02)):
        if server.started:
            break
        pause.wait(0.02)
    try:
        yield Simulator(f"https://127.0.0.1:{listener.getsockname()[1]}", certificates.ca_path, store)
    finally:
        server.should_exit = True
        thread.join(_READY_WITHIN_S)
