"""The adapter fulfils the ports that servers are written against; mypy reads this file, pytest runs it."""

from aiops_eks.ports import Clusters, KubeReadWrite, WritableClusters
from aiops_shared.auth import CallerIdentity
from aiops_shared.aws import AwsClients
from aiops_shared.clock import SystemClock
from aiops_shared.kube.access import Access, FixedSource
from aiops_shared.kube.api import KubeApi
from aiops_shared.kube.clusters import ClusterDirectory
from aiops_shared.kube.connection import Connection
from aiops_shared.settings import Settings


def test_an_api_is_what_planners_and_the_executor_need() -> None:
    api: KubeReadWrite = KubeApi("shop", Connection(FixedSource(Access("https://kube.example"))))
    assert api.cluster == "shop"


def test_a_directory_is_what_the_tools_need() -> None:
    settings = Settings()
    directory = ClusterDirectory(settings, AwsClients(settings.aws), SystemClock(), CallerIdentity("ann"))
    reading: Clusters = directory
    writing: WritableClusters = directory
    assert (reading, writing) == (directory, directory)
