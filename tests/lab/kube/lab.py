"""The API on loopback with TLS, as the lab serves it, in the test's own event loop."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import anyio
import httpx
import uvicorn
import yaml

from aiops_lab.kube.app import build_app
from aiops_lab.kube.faults import Faults
from aiops_lab.kube.requests import RequestLog
from aiops_lab.kube.store import BUILT_IN, LAB_CRDS, Store
from aiops_lab.kube.tls import Certificates, make_certificates
from aiops_lab.serving import listen
from tests.lab.kube.fakes import TOKENS, FakeLogs, FakeUsage, FrozenClock

ADMIN_TOKEN, VIEWER_TOKEN = TOKENS.users


@dataclass
class KubeLab:
    """A running API and everything behind it."""

    url: str
    certificates: Certificates
    store: Store
    clock: FrozenClock
    logs: FakeLogs
    usage: FakeUsage
    requests: RequestLog
    faults: Faults
    directory: Path
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    def client(self, who: str = ADMIN_TOKEN, **headers: str) -> httpx.AsyncClient:
        """An HTTP client that verifies the lab's certificate."""
        made = httpx.AsyncClient(
            base_url=self.url,
            verify=ssl.create_default_context(cafile=str(self.certificates.ca_path)),
            headers={"Authorization": f"Bearer {who}", "User-Agent": "tests/1", **headers},
            trust_env=False,
        )
        self.clients.append(made)
        return made

    def kubeconfig(self, who: str = ADMIN_TOKEN) -> Path:
        """A kubeconfig file for one caller."""
        path = self.directory / f"kubeconfig-{who}"
        cluster = {"server": self.url, "certificate-authority-data": self.certificates.ca_base64}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": cluster}],
            "users": [{"name": "me", "user": {"token": who}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "me"}}],
            "current-context": "lab",
        }
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return path

    async def kubectl(
        self, *words: str, who: str = ADMIN_TOKEN, stdin: str | None = None, fails: bool = False
    ) -> str:
        """What a kubectl command prints; the exit code must be as expected."""
        done = await self.run_kubectl(*words, who=who, stdin=stdin)
        said = done.stdout.decode() + done.stderr.decode()
        assert (done.returncode != 0) == fails, f"kubectl {' '.join(words)}: {said}"
        return said

    async def run_kubectl(
        self, *words: str, who: str = ADMIN_TOKEN, stdin: str | None = None
    ) -> CompletedProcess[bytes]:
        """Run kubectl against the lab with a home of its own."""
        environment = {"HOME": str(self.directory), "PATH": "/usr/bin:/bin:/usr/local/bin", "NO_PROXY": "*"}
        command = ["kubectl", f"--kubeconfig={self.kubeconfig(who)}", *words]
        with anyio.fail_after(25):
            return await anyio.run_process(
                command, input=(stdin or "").encode(), check=False, env=environment
            )


@asynccontextmanager
async def running_lab(directory: Path) -> AsyncIterator[KubeLab]:
    """Serve an empty cluster until the block ends."""
    clock, logs, usage, requests, faults = FrozenClock(), FakeLogs(), FakeUsage(), RequestLog(), Faults()
    store = Store(clock, BUILT_IN + LAB_CRDS)
    app = build_app(
        store, logs=logs, usage=usage, authenticator=TOKENS, requests=requests, now=clock, faults=faults
    )
    certificates = make_certificates(directory, datetime.now(UTC))  # noqa: TID251 - TLS lives in real time
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
    url = f"https://127.0.0.1:{listener.getsockname()[1]}"
    lab = KubeLab(url, certificates, store, clock, logs, usage, requests, faults, directory)
    # A fixture's two halves run in different tasks, which a task group does not survive.
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    with anyio.fail_after(10):
        while not server.started:  # noqa: ASYNC110 - uvicorn tells by this flag only
            await anyio.sleep(0.01)
    try:
        yield lab
    finally:
        for client in lab.clients:
            await client.aclose()
        server.should_exit = True
        await serving
