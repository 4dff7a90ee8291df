"""The overlay's own promises: who may speak, what falls through to moto, what is written down."""

import time
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from aiops_lab.aws.principals import Directory
from tests.lab.aws.conftest import RunningAws


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"aws_access_key_id": "AKIANOBODY000EXAMPLE", "aws_session_token": None}, "InvalidClientTokenId"),
        ({"aws_session_token": "lab-session-of-somebody-else"}, "InvalidClientTokenId"),
        ({"aws_secret_access_key": "guessed"}, "SignatureDoesNotMatch"),
    ],
)
@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("sts", "get_caller_identity"),
        ("eks", "list_clusters"),
        ("ec2", "describe_subnets"),
        ("sqs", "list_queues"),
    ],
)
def test_a_wrong_credential_is_refused_by_every_protocol(
    aws: RunningAws, service: str, operation: str, changed: dict[str, Any], code: str
) -> None:
    with pytest.raises(ClientError) as refusal:
        getattr(aws.client(service, **changed), operation)()
    assert refusal.value.response["Error"]["Code"] == code
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_an_unsigned_request_is_refused(aws: RunningAws) -> None:
    answer = httpx.get(f"{aws.url}/clusters/my-cluster")
    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (403, "MissingAuthenticationToken")


def test_a_path_with_an_escaped_arn_keeps_its_signature(aws: RunningAws) -> None:
    arn = "arn:aws:iam::111122223333:user/lab-admin"
    entry = aws.client("eks").describe_access_entry(clusterName="my-cluster", principalArn=arn)["accessEntry"]
    assert entry["principalArn"] == arn


def test_what_the_overlay_lacks_is_served_by_moto_in_the_labs_account(aws: RunningAws) -> None:
    topic = aws.client("sns").create_topic(Name=f"overlay-test-{time.monotonic_ns()}")["TopicArn"]
    assert topic.startswith("arn:aws:sns:us-east-1:111122223333:overlay-test-")


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [("eks", "list_eks_anywhere_subscriptions", {}), ("health", "describe_events", {})],
)
def test_what_nobody_simulates_is_said_at_once(
    aws: RunningAws, service: str, operation: str, params: dict[str, str]
) -> None:
    with pytest.raises(ClientError, match="the lab does not simulate it") as refusal:
        getattr(aws.client(service), operation)(**params)
    assert refusal.value.response["Error"]["Code"] == "NotImplementedByLab"
    assert refusal.value.response["ResponseMetadata"]["RetryAttempts"] == 0


def test_the_log_tells_service_operation_caller_and_outcome(aws: RunningAws) -> None:
    aws.client("eks", "ci-cleanup").list_clusters()
    with pytest.raises(ClientError):
        aws.client("sts", aws_secret_access_key="guessed").get_caller_identity()
    good, bad = aws.overlay.requests
    assert (good.service, good.operation, good.status) == ("eks", "ListClusters", 200)
    assert good.caller == "arn:aws:iam::111122223333:user/ci-cleanup"
    assert (bad.operation, bad.caller, bad.status) == ("GetCallerIdentity", "", 403)


def test_a_session_ends_at_its_time() -> None:
    moment = [1_800_000_000.0]
    directory = Directory(lambda: moment[0])
    admin = directory.standing("lab-admin")
    session = directory.assume(admin, "arn:aws:iam::111122223333:role/aiops-reader", "s", 900)
    assert session.expires_at is not None
    assert (session.expires_at - directory.now()).total_seconds() == 900
    moment[0] += 901
    directory.assume(admin, "arn:aws:iam::111122223333:role/aiops-reader", "t", 900)
    assert directory.key(session.access_key_id) is None


def test_an_object_put_in_s3_comes_back(aws: RunningAws) -> None:
    s3 = aws.client("s3")
    bucket = f"lab-{time.monotonic_ns()}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a b/c", Body=b"x" * 100_000)
    assert len(s3.get_object(Bucket=bucket, Key="a b/c")["Body"].read()) == 100_000


def test_a_body_without_end_is_cut_off(aws: RunningAws) -> None:
    answer = httpx.post(aws.url, content=b"x" * (9 * 1024 * 1024))
    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (413, "RequestEntityTooLarge")
