"""A `KubeApi` on a running lab, as one of its identities, without AWS in between."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiops_lab.run import Lab
from aiops_shared.kube.access import Access, FixedSource
from aiops_shared.kube.api import KubeApi
from aiops_shared.kube.connection import Connection


@asynccontextmanager
async def lab_api(lab: Lab, identity: str = "lab-admin") -> AsyncIterator[KubeApi]:
    """The lab's API; closed at the end."""
    access = Access(lab.kube_url, ca_file=str(lab.ca_path), token=lab.token(identity))
    api = KubeApi("lab", Connection(FixedSource(access), timeout_s=10))
    try:
        yield api
    finally:
        await api.aclose()
