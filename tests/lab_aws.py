"""The lab's AWS for a test in the lab's own process: real adapter, real botocore, no environment variables.

    clusters = OneCluster(api, lab_eks(lab))      # tests/eks/lab_reading.py

Only where the endpoint and the key come from differs from a server's `AwsClients`; models are loaded once.
"""

from functools import cache
from typing import Any

from botocore.config import Config
from botocore.session import Session

from aiops_lab.run import Lab
from aiops_shared.aws import AwsClients, EksCluster
from aiops_shared.aws.target import AwsTarget
from aiops_shared.settings import AwsSettings

REGION = "us-east-1"


@cache
def _session() -> Session:
    return Session()


class LabAwsClients(AwsClients):
    """AWS as one of the lab's principals."""

    def __init__(self, lab: Lab, who: str, timeout_s: float) -> None:
        super().__init__(AwsSettings(timeout_s=timeout_s))
        self._lab, self._who = lab, who
        self._made: dict[str, Any] = {}

    def client(self, service: str, target: AwsTarget) -> Any:
        """A client of the lab's overlay; one try, so that a refusal shows at once."""
        with self._lock:
            if service not in self._made:
                key = self._lab.directory.standing(self._who)
                self._made[service] = _session().create_client(
                    service,
                    region_name=target.region or REGION,
                    endpoint_url=self._lab.aws_url,
                    aws_access_key_id=key.access_key_id,
                    aws_secret_access_key=key.secret_access_key,
                    aws_session_token=key.session_token,
                    config=Config(
                        retries={"total_max_attempts": 1},
                        read_timeout=self._timeout_s,
                        max_pool_connections=16,
                    ),
                )
            return self._made[service]


def lab_eks(lab: Lab, who: str = "aiops-reader", timeout_s: float = 10.0) -> EksCluster:
    """The lab's cluster, from AWS's side."""
    return EksCluster(LabAwsClients(lab, who, timeout_s), AwsTarget(region=REGION), "my-cluster")
