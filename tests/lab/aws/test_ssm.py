"""SSM Run Command of the lab, with real botocore: one contract test per operation, and what time does."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from aiops_lab.aws.ssm import Ssm
from tests.lab.aws.conftest import T0, RunningAws

ONE, TWO = "i-0aaaaaaaaaaaaaaaa", "i-0bbbbbbbbbbbbbbbb"


class Machines:
    """Two machines whose scripts end when the test says so."""

    def __init__(self) -> None:
        self.running: list[tuple[str, str, Callable[[int, str], None]]] = []

    def instances(self) -> dict[str, tuple[str, str]]:
        return {ONE: ("node-1", "10.0.0.41"), TWO: ("node-2", "10.0.1.42")}

    def run(self, instance: str, script: str, ended: Callable[[int, str], None]) -> None:
        self.running.append((instance, script, ended))


@pytest.fixture
def machines(aws: RunningAws) -> Machines:
    made = Machines()
    aws.account.hosts = made
    return made


def at(aws: RunningAws, seconds: float) -> None:
    moment = T0 + timedelta(seconds=seconds)

    def now() -> datetime:
        return moment

    aws.account.now = now


def send(aws: RunningAws, instance: str = ONE, comment: str = "a") -> str:
    sent = aws.client("ssm").send_command(
        DocumentName="AWS-RunShellScript",
        InstanceIds=[instance],
        Comment=comment,
        TimeoutSeconds=60,
        Parameters={"commands": ["echo 1", "echo 2"], "executionTimeout": ["300"]},
    )["Command"]
    assert (sent["Status"], sent["Comment"], sent["TargetCount"]) == ("Pending", comment, 1)
    return str(sent["CommandId"])


def look(aws: RunningAws, command_id: str, instance: str = ONE) -> tuple[str, str]:
    found = aws.client("ssm").get_command_invocation(CommandId=command_id, InstanceId=instance)
    return found["Status"], found["StatusDetails"]


def test_describe_instance_information_tells_who_is_online(aws: RunningAws, machines: Machines) -> None:
    ssm = aws.client("ssm")
    aws.account.area(Ssm).offline.add(TWO)
    rows = ssm.describe_instance_information()["InstanceInformationList"]
    assert [(row["InstanceId"], row["PingStatus"]) for row in rows] == [
        (ONE, "Online"),
        (TWO, "ConnectionLost"),
    ]
    aws.account.area(Ssm).unmanaged.add(TWO)
    only = {"Filters": [{"Key": "InstanceIds", "Values": [TWO]}]}
    assert ssm.describe_instance_information(**only)["InstanceInformationList"] == []
    with pytest.raises(ssm.exceptions.InvalidFilterKey):
        ssm.describe_instance_information(Filters=[{"Key": "AgentVersion", "Values": ["3"]}])


def test_a_command_reaches_its_machine_and_ends_with_what_it_said(
    aws: RunningAws, machines: Machines
) -> None:
    command_id = send(aws)
    ((instance, script, ended),) = machines.running
    assert (instance, script) == (ONE, "echo 1\necho 2")
    assert look(aws, command_id) == ("Pending", "Pending")
    at(aws, 2)
    assert look(aws, command_id) == ("InProgress", "InProgress")
    ended(0, "1\n2\n")
    found = aws.client("ssm").get_command_invocation(CommandId=command_id, InstanceId=ONE)
    assert (found["Status"], found["ResponseCode"], found["StandardOutputContent"]) == (
        "Success",
        0,
        "1\n2\n",
    )
    ended(1, "late")
    assert look(aws, command_id) == ("Success", "Success")


def test_a_failed_one_keeps_its_code(aws: RunningAws, machines: Machines) -> None:
    command_id = send(aws)
    machines.running[0][2](3, "no")
    found = aws.client("ssm").get_command_invocation(CommandId=command_id, InstanceId=ONE)
    assert (found["Status"], found["ResponseCode"]) == ("Failed", 3)


def test_offline_and_endless_commands_time_out(aws: RunningAws, machines: Machines) -> None:
    aws.account.area(Ssm).offline.add(TWO)
    undelivered, endless = send(aws, TWO), send(aws)
    assert [each[0] for each in machines.running] == [ONE]
    at(aws, 59)
    assert look(aws, undelivered, TWO) == ("Pending", "Pending")
    at(aws, 61)
    assert look(aws, undelivered, TWO) == ("TimedOut", "DeliveryTimedOut")
    at(aws, 301)
    assert look(aws, endless) == ("TimedOut", "ExecutionTimedOut")


def test_refusals_are_the_services_own(aws: RunningAws, machines: Machines) -> None:
    ssm = aws.client("ssm")
    aws.account.area(Ssm).unmanaged.add(TWO)
    with pytest.raises(ClientError, match=r"InvalidInstanceId.* not in a valid state for account"):
        send(aws, TWO)
    with pytest.raises(ssm.exceptions.InvalidDocument):
        ssm.send_command(DocumentName="AWS-RunPowerShellScript", InstanceIds=[ONE])
    with pytest.raises(ssm.exceptions.InvocationDoesNotExist):
        ssm.get_command_invocation(CommandId="00000000-0000-0000-0000-000000000009", InstanceId=ONE)
    assert machines.running == []


def test_list_command_invocations_by_instance_and_time_pages_newest_first(
    aws: RunningAws, machines: Machines
) -> None:
    for number in range(3):
        at(aws, number * 60)
        send(aws, comment=f"c{number}")
    send(aws, TWO, "other")
    ssm = aws.client("ssm")
    pages = ssm.get_paginator("list_command_invocations").paginate(
        InstanceId=ONE,
        Filters=[
            {"key": "InvokedAfter", "value": (T0 + timedelta(seconds=30)).strftime("%Y-%m-%dT%H:%M:%SZ")}
        ],
        PaginationConfig={"PageSize": 1},
    )
    assert [row["Comment"] for page in pages for row in page["CommandInvocations"]] == ["c2", "c1"]
