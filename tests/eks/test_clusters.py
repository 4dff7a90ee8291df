"""Which clusters there are, and what is said when there are none."""

from aiops_shared.kube.models import ClusterInfo
from tests.eks.reading import ask, records
from tests.fakes.kube import FakeClusters

GOOD = ClusterInfo(
    name="my-cluster",
    account_id="111122223333",
    region="us-east-1",
    version="1.35",
    status="ACTIVE",
    support="standard",
    support_ends_on="2027-03-27",
    reachable=True,
)
AWAY = ClusterInfo(name="old", status="ACTIVE", problem="no route", health_issues=("Ec2SubnetNotFound",))


async def test_clusters_come_with_support_end_health_and_reachability() -> None:
    answer = await ask(FakeClusters([], [GOOD, AWAY]), "list_clusters")
    assert answer["summary"] == "2 clusters: my-cluster, old; not reachable: old; with health issues: old"
    assert records(answer["clusters"])[0] == {
        "name": "my-cluster",
        "region": "us-east-1",
        "account_id": "111122223333",
        "version": "1.35",
        "support": "standard",
        "support_ends_on": "2027-03-27",
        "status": "ACTIVE",
        "health": "ok",
        "reachable": "yes",
    }
    assert records(answer["clusters"])[1]["health"] == "Ec2SubnetNotFound"


async def test_no_cluster_says_how_to_give_one() -> None:
    answer = await ask(FakeClusters([]), "list_clusters")
    assert answer["summary"] == "No clusters are known."
    assert "AIOPS_KUBE_CONTEXT" in answer["hint"]
