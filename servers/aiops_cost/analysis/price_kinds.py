"""What else EKS is billed for besides nodes: where each kind stands in AWS's Price List.

A kind is found by service, exact attributes and its usage type without the region's prefix, as bills name it
(AWS: "Understanding your usage types"; the CloudWatch billing page for logs and metrics). No price is here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PriceKind:
    """One kind. A price is for `scale` of the list's units, named `unit`."""

    name: str
    group: str  # storage, traffic, …
    service: str
    usage: str  # regular expression of the usage type without the region's prefix
    unit: str
    says: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    scale: int = 1
    by: str = "regionCode"  # the attribute that holds the region

    @property
    def pattern(self) -> re.Pattern[str]:
        """Of the usage type."""
        return re.compile(self.usage)


def _volume(name: str, says: str) -> PriceKind:
    usage = rf"EBS:VolumeUsage\.{'piops' if name == 'io1' else name}"
    found = {"volumeApiName": name, "productFamily": "Storage"}
    return PriceKind(name, "storage", "AmazonEC2", usage, "GB-Mo", says, found)


def _elb(name: str, family: str, usage: str, unit: str, says: str) -> PriceKind:
    return PriceKind(name, "load_balancer", "AWSELB", usage, unit, says, {"productFamily": family})


def _traffic(name: str, transfer: str, usage: str, says: str) -> PriceKind:
    found = {"productFamily": "Data Transfer", "transferType": transfer}
    return PriceKind(name, "traffic", "AWSDataTransfer", usage, "GB", says, found, by="fromRegionCode")


def _logs(name: str, usage: str, unit: str, says: str) -> PriceKind:
    return PriceKind(name, "logs", "AmazonCloudWatch", usage, unit, says)


ALB, NLB = "Load Balancer-Application", "Load Balancer-Network"
OTHER: Mapping[str, PriceKind] = {
    one.name: one
    for one in (
        PriceKind(
            "eks_cluster",
            "eks",
            "AmazonEKS",
            "AmazonEKS-Hours:perCluster",
            "Hrs",
            "control plane of a cluster",
        ),
        PriceKind(
            "eks_extended_support",
            "eks",
            "AmazonEKS",
            "AmazonEKS-Hours:extendedSupport",
            "Hrs",
            "on top, when the Kubernetes version is in extended support",
        ),
        PriceKind("fargate_vcpu", "eks", "AmazonEKS", "Fargate-vCPU-Hours:perCPU", "Hrs", "vCPU of a pod"),
        PriceKind("fargate_gb", "eks", "AmazonEKS", "Fargate-GB-Hours", "Hrs", "GB of memory of a pod"),
        _volume("gp2", "volume"),
        _volume("gp3", "volume, 3,000 IOPS and 125 MiB/s with it"),
        _volume("io1", "volume"),
        _volume("io2", "volume"),
        _volume("st1", "volume"),
        _volume("sc1", "volume"),
        PriceKind(
            "gp3_iops",
            "storage",
            "AmazonEC2",
            r"EBS:VolumeP-IOPS\.gp3",
            "IOPS-Mo",
            "each above 3,000",
            {"volumeApiName": "gp3"},
        ),
        PriceKind(
            "gp3_throughput",
            "storage",
            "AmazonEC2",
            r"EBS:VolumeP-Throughput\.gp3",
            "GiBps-mo",
            "each GiB/s above 125 MiB/s",
            {"volumeApiName": "gp3"},
        ),
        PriceKind(
            "io1_iops",
            "storage",
            "AmazonEC2",
            r"EBS:VolumeP-IOPS\.piops",
            "IOPS-Mo",
            "each",
            {"volumeApiName": "io1"},
        ),
        PriceKind(
            "io2_iops",
            "storage",
            "AmazonEC2",
            r"EBS:VolumeP-IOPS\.io2",
            "IOPS-Mo",
            "each up to 32,000",
            {"volumeApiName": "io2"},
        ),
        PriceKind("ebs_snapshot", "storage", "AmazonEC2", "EBS:SnapshotUsage", "GB-Mo", "snapshots"),
        PriceKind("efs", "storage", "AmazonEFS", "TimedStorage-ByteHrs", "GB-Mo", "EFS Standard"),
        PriceKind("nat_gateway_hour", "nat", "AmazonEC2", "NatGateway-Hours", "Hrs", "a NAT gateway"),
        PriceKind("nat_gateway_gb", "nat", "AmazonEC2", "NatGateway-Bytes", "GB", "through a NAT gateway"),
        _traffic(
            "cross_az_gb", "IntraRegion", "DataTransfer-Regional-Bytes", "between zones, each direction"
        ),
        _traffic("internet_out_gb", "AWS Outbound", "DataTransfer-Out-Bytes", "to the internet"),
        _traffic("inter_region_gb", "InterRegion Outbound", r".*AWS-Out-Bytes", "to another region"),
        _elb("alb_hour", ALB, "LoadBalancerUsage", "Hrs", "an Application Load Balancer"),
        _elb("alb_lcu", ALB, "LCUUsage", "LCU-Hrs", "its capacity unit"),
        _elb("nlb_hour", NLB, "LoadBalancerUsage", "Hrs", "a Network Load Balancer"),
        _elb("nlb_lcu", NLB, "LCUUsage", "LCU-Hrs", "its capacity unit"),
        _elb("clb_hour", "Load Balancer", "LoadBalancerUsage", "Hrs", "a Classic Load Balancer"),
        _elb("clb_gb", "Load Balancer", "DataProcessing-Bytes", "GB", "through it"),
        PriceKind(
            "public_ipv4", "traffic", "AmazonVPC", "PublicIPv4:InUseAddress", "Hrs", "a public IPv4 address"
        ),
        _logs("logs_ingest", "DataProcessing-Bytes", "GB", "ingested, class Standard"),
        _logs("logs_ingest_ia", "DataProcessingIA-Bytes", "GB", "ingested, class Infrequent Access"),
        _logs("logs_storage", "TimedStorage-ByteHrs", "GB-Mo", "kept, compressed"),
        _logs("logs_scanned", "DataScanned-Bytes", "GB", "scanned by Logs Insights"),
        PriceKind(
            "metrics", "metrics", "AmazonCloudWatch", "CW:MetricMonitorUsage", "Metrics-Mo", "custom metric"
        ),
        PriceKind(
            "alarms", "metrics", "AmazonCloudWatch", "CW:AlarmMonitorUsage", "Alarms-Mo", "alarm metric"
        ),
        PriceKind(
            "amp_samples",
            "metrics",
            "AmazonPrometheus",
            "AMP:MetricSampleCount",
            "million samples",
            "ingested",
            scale=1_000_000,
        ),
        PriceKind(
            "amp_query_samples",
            "metrics",
            "AmazonPrometheus",
            "AMP:QuerySamplesProcessed",
            "billion samples",
            "read by queries",
            scale=1_000_000_000,
        ),
        PriceKind("amp_storage", "metrics", "AmazonPrometheus", "AMP:MetricStorageByteHrs", "GB-Mo", "kept"),
    )
}
