"""An AWS operation that is made to misbehave does so as AWS does, for whom it should and no longer."""

import time

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from aiops_lab.aws.faults import AwsFault
from tests.lab.aws.conftest import RunningAws
from tests.lab_fixture import running_lab

ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1})


def refused(aws: RunningAws, service: str, operation: str, **params: str) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        getattr(aws.client(service, config=ONCE), operation)(**params)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("AccessDeniedException", 403),
        ("ThrottlingException", 429),
        ("ExpiredTokenException", 403),
        ("ServerException", 500),
        ("ServiceUnavailableException", 503),
    ],
)
def test_an_operation_fails_with_the_code_and_status_of_the_real_service(
    aws: RunningAws, code: str, status: int
) -> None:
    aws.overlay.faults.add(AwsFault("eks", "ListAddons", code=code))
    assert refused(aws, "eks", "list_addons", clusterName="my-cluster")[:2] == (code, status)
    assert aws.client("eks").list_nodegroups(clusterName="my-cluster")["nodegroups"] == []


def test_a_refusal_names_who_may_not_do_what(aws: RunningAws) -> None:
    aws.overlay.faults.add(AwsFault("eks", "List*", code="AccessDeniedException"))
    said = refused(aws, "eks", "list_addons", clusterName="my-cluster")[2]
    assert "user/lab-admin is not authorized to perform: eks:ListAddons" in said


def test_services_with_other_protocols_fail_in_their_own_words(aws: RunningAws) -> None:
    for service in ("ec2", "logs", "autoscaling"):
        aws.overlay.faults.add(AwsFault(service, "Describe*", code="RequestLimitExceeded"))
    assert refused(aws, "ec2", "describe_subnets")[:2] == ("RequestLimitExceeded", 503)
    assert refused(aws, "logs", "describe_log_groups")[:2] == ("RequestLimitExceeded", 503)
    assert refused(aws, "autoscaling", "describe_auto_scaling_groups")[:2] == ("RequestLimitExceeded", 503)


def test_one_of_many_is_broken_and_only_so_often(aws: RunningAws) -> None:
    aws.overlay.faults.add(
        AwsFault("eks", "DescribeAddon", code="ServerException", times=1, params={"addonName": "coredns"})
    )
    eks = aws.client("eks", config=ONCE)
    assert eks.describe_addon(clusterName="my-cluster", addonName="vpc-cni")["addon"]
    assert refused(aws, "eks", "describe_addon", clusterName="my-cluster", addonName="coredns")[1] == 500
    assert eks.describe_addon(clusterName="my-cluster", addonName="coredns")["addon"]


def test_half_an_answer_reaches_the_caller_without_what_it_should_hold(aws: RunningAws) -> None:
    aws.overlay.faults.add(AwsFault("eks", "ListAddons", cut=True))
    answer = aws.client("eks", config=ONCE).list_addons(clusterName="my-cluster")
    assert "addons" not in answer  # botocore reads a body that is no JSON as an empty one


def test_a_slow_operation_answers_rightly_in_the_end(aws: RunningAws) -> None:
    aws.overlay.faults.add(AwsFault("eks", "ListAddons", delay_s=0.2))
    started = time.monotonic()
    assert aws.client("eks").list_addons(clusterName="my-cluster")["addons"]
    assert time.monotonic() - started >= 0.2


def test_a_delay_that_nobody_would_wait_for_is_refused(aws: RunningAws) -> None:
    with pytest.raises(ValueError, match="delay_s"):
        aws.overlay.faults.add(AwsFault("eks", "ListAddons", delay_s=3600))


async def test_a_reset_lab_behaves_well_again() -> None:
    async with running_lab() as lab:
        lab.fail_aws("eks", "ListAddons", code="ThrottlingException")
        assert lab.aws_faults.services() == {"eks"}
        lab.reset("healthy", 0)
        assert lab.aws_faults.services() == frozenset()
