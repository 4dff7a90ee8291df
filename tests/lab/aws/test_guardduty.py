"""GuardDuty's operations with real botocore."""

from datetime import timedelta

import botocore.exceptions
import pytest

from aiops_lab.aws.guardduty import DETECTOR, GuardDuty, StoredFinding, eks_resource
from tests.lab.aws.conftest import T0, RunningAws


def seeded(aws: RunningAws, count: int = 3) -> None:
    resource = eks_resource(aws.account, "production", "web", "deployments", "repo/web:1")
    aws.account.area(GuardDuty).find(
        *(
            StoredFinding(
                finding_id=f"{place:032x}",
                kind="CryptoCurrency:Runtime/BitcoinTool.B!DNS",
                severity=8.0,
                title="A container talks to a miner's pool.",
                first_seen=T0 - timedelta(hours=place + 1),
                last_seen=T0 - timedelta(minutes=place),
                resource=resource,
                archived=place == 0,
            )
            for place in range(count)
        )
    )


def test_a_region_without_a_detector_lists_none(aws: RunningAws) -> None:
    assert aws.client("guardduty").list_detectors()["DetectorIds"] == []


def test_findings_are_found_by_criteria_newest_first_and_read_whole(aws: RunningAws) -> None:
    seeded(aws)
    client = aws.client("guardduty")
    assert client.list_detectors()["DetectorIds"] == [DETECTOR]
    found = client.list_findings(
        DetectorId=DETECTOR,
        FindingCriteria={"Criterion": {"service.archived": {"Equals": ["false"]}, "severity": {"Gte": 7}}},
        SortCriteria={"AttributeName": "updatedAt", "OrderBy": "DESC"},
    )["FindingIds"]
    assert found == [f"{1:032x}", f"{2:032x}"]
    read = client.get_findings(DetectorId=DETECTOR, FindingIds=found)["Findings"]
    assert read[0]["Resource"]["EksClusterDetails"]["Name"] == "my-cluster"
    assert read[0]["Service"]["EventFirstSeen"] == "2026-11-22T01:00:00.000Z"
    assert read[0]["Resource"]["KubernetesDetails"]["KubernetesWorkloadDetails"]["Name"] == "web"


def test_findings_come_in_pages(aws: RunningAws) -> None:
    seeded(aws, 70)
    pages = aws.client("guardduty").get_paginator("list_findings").paginate(DetectorId=DETECTOR)
    assert [len(page["FindingIds"]) for page in pages] == [50, 20]


@pytest.mark.parametrize(
    "asked",
    [
        {"DetectorId": "0" * 32},
        {"DetectorId": DETECTOR, "FindingCriteria": {"Criterion": {"no.such": {"Equals": ["x"]}}}},
        {"DetectorId": DETECTOR, "NextToken": "nonsense"},
    ],
)
def test_a_bad_question_is_refused(aws: RunningAws, asked: dict[str, object]) -> None:
    seeded(aws)
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        aws.client("guardduty").list_findings(**asked)
    assert refused.value.response["Error"]["Code"] == "BadRequestException"
