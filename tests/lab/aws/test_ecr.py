"""ECR of the lab, asked by real botocore."""

import json

import pytest
from botocore.exceptions import ClientError

from aiops_lab.aws.ecr import INDEX, MANIFEST, Registry
from tests.lab.aws.conftest import RunningAws


def test_manifests_say_for_which_processors_an_image_was_built(aws: RunningAws) -> None:
    aws.account.area(Registry).built |= {"shop/web:1": ("amd64", "arm64"), "shop/web:2": ("amd64",)}
    asked = [{"imageTag": tag} for tag in ("1", "2", "3")]
    told = aws.client("ecr").batch_get_image(repositoryName="shop/web", imageIds=asked)
    both, plain = (json.loads(one["imageManifest"]) for one in told["images"])
    assert [one["imageManifestMediaType"] for one in told["images"]] == [INDEX, MANIFEST]
    assert [one["platform"]["architecture"] for one in both["manifests"]] == ["amd64", "arm64"]
    assert "manifests" not in plain
    assert [one["failureCode"] for one in told["failures"]] == ["ImageNotFound"]


def test_a_repository_that_is_not_there_is_said(aws: RunningAws) -> None:
    with pytest.raises(ClientError, match="RepositoryNotFoundException"):
        aws.client("ecr").batch_get_image(repositoryName="nobody", imageIds=[{"imageTag": "1"}])
