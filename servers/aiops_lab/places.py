"""The lab's own account, region and cluster, by name: what AWS, the bill and the telemetry all speak of."""

ACCOUNT_ID = "111122223333"
REGION = "us-east-1"
CLUSTER = "my-cluster"
