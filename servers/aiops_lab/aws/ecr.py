"""ECR: the manifests of images, for who asks whether an image is there for another processor.

`Registry` says for which processors an image was built; what it does not have is not found. Shapes: OCI image
index and image manifest (opencontainers/image-spec). API reference:
https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiops_lab.aws.account import ACCOUNT_ID, REGION, Account
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(slots=True)
class Registry:
    """`built`: `repository:tag` -> processors. One processor is a plain manifest, which does not name it."""

    built: dict[str, tuple[str, ...]] = field(default_factory=dict)


def ecr_operations(account: Account) -> Operations:
    """The operations of service `ecr`, bound to one account."""
    return {("ecr", "BatchGetImage"): partial(batch_get_image, account)}


def batch_get_image(account: Account, call: Call) -> Mapping[str, Any]:
    """The manifests by tag. Raises AwsError RepositoryNotFoundException."""
    repository = str(call.params["repositoryName"])
    registry = str(call.params.get("registryId") or ACCOUNT_ID)
    built = account.area(Registry).built if call.region == REGION else {}
    if not any(name.rpartition(":")[0] == repository for name in built):
        raise AwsError(
            "RepositoryNotFoundException",
            f"The repository with name '{repository}' does not exist in the registry with id '{registry}'",
        )
    images, failures = [], []
    for wanted in call.params["imageIds"]:
        processors = built.get(f"{repository}:{wanted.get('imageTag', '')}")
        if processors is None:
            failures.append(
                {
                    "imageId": wanted,
                    "failureCode": "ImageNotFound",
                    "failureReason": "Requested image not found",
                }
            )
            continue
        media, text = manifest(repository, processors)
        images.append(
            {
                "registryId": registry,
                "repositoryName": repository,
                "imageId": {**wanted, "imageDigest": _digest(text)},
                "imageManifest": text,
                "imageManifestMediaType": media,
            }
        )
    return {"images": images, "failures": failures}


def manifest(repository: str, processors: Sequence[str]) -> tuple[str, str]:
    """Media type and text: an index for several processors, a plain manifest for one."""
    if len(processors) == 1:
        config = {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": _digest(repository),
            "size": 7023,
        }
        told: dict[str, Any] = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}
        return MANIFEST, json.dumps(told)
    rows = [
        {
            "mediaType": MANIFEST,
            "digest": _digest(f"{repository}/{one}"),
            "size": 1234,
            "platform": {"architecture": one, "os": "linux"},
        }
        for one in processors
    ]
    return INDEX, json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": rows})


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
