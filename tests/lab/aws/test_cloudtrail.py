"""CloudTrail's event history of the lab, with real botocore clients."""

import json
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from aiops_lab.aws.cloudtrail import ToldCall, tell
from tests.lab.aws.conftest import T0, RunningAws


def test_events_come_newest_first_in_pages_and_by_one_attribute(aws: RunningAws) -> None:
    for minutes in range(7):
        call = ToldCall("ec2", "ModifySubnetAttribute", "dana", {"subnetId": f"subnet-{minutes}"})
        tell(aws.account, call, T0 - timedelta(minutes=minutes))
    tell(aws.account, ToldCall("eks", "DescribeCluster", "dana", read_only=True), T0)
    tell(aws.account, ToldCall("ec2", "CreateVpc", "dana"), T0 - timedelta(days=91))
    trail = aws.client("cloudtrail")
    wanted = [{"AttributeKey": "ReadOnly", "AttributeValue": "false"}]
    pages = trail.get_paginator("lookup_events").paginate(
        LookupAttributes=wanted, PaginationConfig={"PageSize": 3}
    )
    events = [event for page in pages for event in page["Events"]]
    assert [json.loads(event["CloudTrailEvent"])["requestParameters"]["subnetId"] for event in events] == [
        f"subnet-{minutes}" for minutes in range(7)
    ]
    assert (events[0]["EventSource"], events[0]["Username"]) == ("ec2.amazonaws.com", "dana")
    span = {"StartTime": T0 - timedelta(minutes=2), "EndTime": T0 - timedelta(minutes=1)}
    assert len(trail.lookup_events(**span)["Events"]) == 2
    assert aws.client("cloudtrail", region_name="eu-west-1").lookup_events()["Events"] == []


def test_wrong_questions_are_refused_as_aws_refuses_them(aws: RunningAws) -> None:
    trail = aws.client("cloudtrail")
    one = {"AttributeKey": "EventName", "AttributeValue": "x"}
    with pytest.raises(trail.exceptions.InvalidLookupAttributesException):
        trail.lookup_events(LookupAttributes=[one, one])
    with pytest.raises(trail.exceptions.InvalidTimeRangeException):
        trail.lookup_events(StartTime=T0, EndTime=T0 - timedelta(hours=1))
    with pytest.raises(trail.exceptions.InvalidNextTokenException):
        trail.lookup_events(NextToken="forged")


def test_a_call_that_changes_something_leaves_an_event_and_a_read_leaves_none(aws: RunningAws) -> None:
    aws.client("eks").list_clusters()
    with pytest.raises(ClientError):
        aws.client("ssm", "lab-admin").send_command(DocumentName="none", InstanceIds=["i-00000000000000000"])
    events = aws.client("cloudtrail").lookup_events()["Events"]
    assert [event["EventName"] for event in events] == ["SendCommand"]
    body = json.loads(events[0]["CloudTrailEvent"])
    assert body["requestParameters"]["DocumentName"] == "none"
    assert body["errorCode"]
    assert body["userIdentity"]["arn"] == "arn:aws:iam::111122223333:user/lab-admin"
    assert "Botocore" in body["userAgent"]
