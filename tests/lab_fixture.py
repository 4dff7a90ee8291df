"""A lab for any test, in the test's own loop: real servers on loopback, its world in the test's hands.

    from tests.lab_fixture import running_lab

    async def test_nothing_is_written_by_a_read() -> None:
        async with running_lab("pod-crashloop", seed=3) as lab:
            environment = lab.export()                       # for a child process: kubectl, a server
            async with kube_client(lab) as kube:             # for the test itself
                assert (await kube.get("/api/v1/pods")).status_code == 200
            lab.clock.advance(300)                           # five minutes later, crashes and all
            assert lab.requests.writes() == []

What a lab has: `store`, `world`, `clock` (paused unless `running=True`, so that a test decides when time
passes), `requests` (the Kubernetes API's log), `aws_requests()`, `account` (what stands in AWS),
`directory` (keys), `kube_url`, `aws_url`, `url` (control), `ca_path`, `token(identity)`,
`export(identity)`, `inject`, `reset`, `set_faults`. Identities: lab-admin (system:masters), aiops-reader,
aiops-planner, aiops-executor, ci-cleanup.

The lab lives in the test's loop: never block it. Run children with `anyio.run_process`; call boto3 against
`aws_url` as you like, that server has its own thread.
"""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import anyio
import httpx

from aiops_lab.run import Lab


@asynccontextmanager
async def running_lab(
    scenario: str = "healthy", seed: int = 0, *, running: bool = False, start: datetime | None = None
) -> AsyncIterator[Lab]:
    """A lab at T0 of a scenario, now or at `start`; its clock moves by itself only when `running`."""
    async with Lab(scenario, seed=seed, start=start) as lab:
        if not running:
            lab.clock.pause()
        yield lab


def kube_client(lab: Lab, identity: str = "lab-admin", token: str | None = None) -> httpx.AsyncClient:
    """A plain HTTP client of the Kubernetes API with an identity's token, or any other bearer token."""
    return httpx.AsyncClient(
        base_url=lab.kube_url,
        headers={"authorization": f"Bearer {token or lab.token(identity)}"},
        verify=ssl.create_default_context(cafile=str(lab.ca_path)),
        trust_env=False,
    )


def child_environment(lab: Lab, identity: str = "lab-admin", home: str = "/nonexistent") -> dict[str, str]:
    """The whole environment of a child process: the lab's variables, a PATH, and no home of the developer."""
    return {**lab.export(identity), "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": home}


async def kubectl(lab: Lab, *arguments: str, identity: str = "lab-admin") -> tuple[int, str, str]:
    """Run the real kubectl against the lab; exit code, stdout, stderr. Bounded by 25 s."""
    with anyio.fail_after(25):
        done = await anyio.run_process(
            ["kubectl", "--cache-dir", str(lab.ca_path.parent / "kubectl-cache"), *arguments],
            env=child_environment(lab, identity),
            check=False,
        )
    return done.returncode, done.stdout.decode(), done.stderr.decode()
