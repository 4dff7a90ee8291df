"""What people call the services of a bill. Called where a sentence names a service, or a question does.

A service's name is quoted in our own sentences only when it stands here: sellers on the Marketplace name
theirs as they like (T7).
"""

from collections.abc import Mapping
from typing import Final

SHORT: Final[Mapping[str, str]] = {
    "AWS Backup": "Backup",
    "AWS CloudTrail": "CloudTrail",
    "AWS Config": "Config",
    "AWS Cost Explorer": "Cost Explorer",
    "AWS Data Transfer": "Data Transfer",
    "AWS Key Management Service": "KMS",
    "AWS Lambda": "Lambda",
    "AWS Secrets Manager": "Secrets Manager",
    "AWS Support (Business)": "Support",
    "AWS Systems Manager": "Systems Manager",
    "AWS WAF": "WAF",
    "AWS X-Ray": "X-Ray",
    "Amazon DynamoDB": "DynamoDB",
    "Amazon EC2 Container Registry (ECR)": "ECR",
    "Amazon ElastiCache": "ElastiCache",
    "Amazon Elastic Compute Cloud - Compute": "EC2",
    "Amazon Elastic Container Service for Kubernetes": "EKS",
    "Amazon Elastic File System": "EFS",
    "Amazon Elastic Load Balancing": "ELB",
    "Amazon GuardDuty": "GuardDuty",
    "Amazon Managed Grafana": "Managed Grafana",
    "Amazon Managed Service for Prometheus": "AMP",
    "Amazon OpenSearch Service": "OpenSearch",
    "Amazon Relational Database Service": "RDS",
    "Amazon Route 53": "Route 53",
    "Amazon Simple Notification Service": "SNS",
    "Amazon Simple Queue Service": "SQS",
    "Amazon Simple Storage Service": "S3",
    "Amazon Virtual Private Cloud": "VPC",
    "AmazonCloudWatch": "CloudWatch",
    "EC2 - Other": "EC2-Other",
}
_FULL: Final = {short.lower(): full for full, short in SHORT.items()} | {full.lower(): full for full in SHORT}


def full_name(word: str) -> str:
    """The service that `word` means in Cost Explorer; the word itself when it is none of ours."""
    return _FULL.get(word.lower(), word)
