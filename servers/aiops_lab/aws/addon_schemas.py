"""Which configuration the lab's add-ons take: small schemas as EKS gives them, and a check of values.

Fields are those of the add-ons' own charts that our stories touch; the rest of a real schema is left out.
"""

import json
from collections.abc import Mapping
from typing import Any

import yaml

_DRAFT = "http://json-schema.org/draft-06/schema#"
_RESOURCES = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"limits": {"type": "object"}, "requests": {"type": "object"}},
}
_NUMBER_TEXT = {"type": "string", "pattern": "^[0-9]+$"}
_CNI_ENV = {
    **dict.fromkeys(
        ("WARM_ENI_TARGET", "WARM_IP_TARGET", "WARM_PREFIX_TARGET", "MINIMUM_IP_TARGET"), _NUMBER_TEXT
    ),
    "ENABLE_PREFIX_DELEGATION": {"type": "string", "enum": ["true", "false"]},
    "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG": {"type": "string", "enum": ["true", "false"]},
    "AWS_VPC_K8S_CNI_LOG_FILE": {"type": "string"},
}
_PROPERTIES: Mapping[str, Mapping[str, Any]] = {
    "vpc-cni": {"env": {"type": "object", "additionalProperties": False, "properties": _CNI_ENV}},
    "coredns": {"replicaCount": {"type": "integer", "minimum": 1}, "corefile": {"type": "string"}},
    "adot": {"manager": {"type": "object"}, "collector": {"type": "object"}},
    "amazon-cloudwatch-observability": {
        "containerLogs": {"type": "object", "properties": {"enabled": {"type": "boolean"}}},
        "agent": {"type": "object"},
    },
}
# ServiceAccount -> the policies that AWS recommends for it.
_POLICY = "arn:aws:iam::aws:policy/"
POD_IDENTITY: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "vpc-cni": {"aws-node": (f"{_POLICY}AmazonEKS_CNI_Policy",)},
    "adot": {"adot-collector": (f"{_POLICY}AmazonPrometheusRemoteWriteAccess",)},
    "amazon-cloudwatch-observability": {"cloudwatch-agent": (f"{_POLICY}CloudWatchAgentServerPolicy",)},
    "aws-ebs-csi-driver": {"ebs-csi-controller-sa": (f"{_POLICY}service-role/AmazonEBSCSIDriverPolicy",)},
    "external-dns": {"external-dns": (f"{_POLICY}AmazonRoute53FullAccess",)},
}


def schema_of(name: str) -> dict[str, Any]:
    """The schema of an add-on's configuration."""
    common = {"resources": _RESOURCES, "tolerations": {"type": "array"}, "nodeSelector": {"type": "object"}}
    return {
        "$schema": _DRAFT,
        "type": "object",
        "additionalProperties": False,
        "properties": {**common, **_PROPERTIES.get(name, {})},
    }


def values_of(text: str) -> Any:
    """Configuration as given (JSON or YAML). Raises ValueError."""
    try:
        return json.loads(text)
    except ValueError:
        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError("neither JSON nor YAML") from error


def problems_of(name: str, text: str) -> str:
    """What the schema does not take; empty when it takes all."""
    try:
        values = values_of(text)
    except ValueError as error:
        return str(error)
    from jsonschema import Draft6Validator  # only worlds that configure add-ons need it

    errors = Draft6Validator(schema_of(name)).iter_errors(values)
    return ", ".join(f"$.{'.'.join(map(str, one.absolute_path))}: {one.message}" for one in errors)
