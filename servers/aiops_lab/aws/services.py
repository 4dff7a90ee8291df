"""Every AWS operation that the lab serves itself: one list, one line per service's room.

Called by `aiops_lab.run`. A room is a module with `<room>_operations(account)` that gives
`{(service, Operation): function}`; what is not listed here falls through to moto.
"""

from aiops_lab.aws.access import access_operations
from aiops_lab.aws.account import Account
from aiops_lab.aws.addon_changes import addon_change_operations
from aiops_lab.aws.amp import amp_operations
from aiops_lab.aws.application_signals import application_signals_operations
from aiops_lab.aws.athena import athena_operations
from aiops_lab.aws.budgets import budget_operations
from aiops_lab.aws.cloudtrail import cloudtrail_operations, recorded
from aiops_lab.aws.cloudwatch.alarms import alarm_operations
from aiops_lab.aws.cloudwatch.anomaly_detectors import detector_operations
from aiops_lab.aws.cloudwatch.contributors import contributor_operations
from aiops_lab.aws.cloudwatch.data import data_operations
from aiops_lab.aws.cloudwatch.histories import history_operations
from aiops_lab.aws.compute_optimizer import compute_optimizer_operations
from aiops_lab.aws.cost_explorer import cost_explorer_operations
from aiops_lab.aws.cost_explorer_anomalies import anomaly_operations
from aiops_lab.aws.cost_explorer_commitments import commitment_operations
from aiops_lab.aws.cost_explorer_forecasts import forecast_operations
from aiops_lab.aws.cost_explorer_values import value_operations
from aiops_lab.aws.cost_optimization_hub import cost_optimization_hub_operations
from aiops_lab.aws.devopsguru import devopsguru_operations
from aiops_lab.aws.ec2 import ec2_operations
from aiops_lab.aws.ec2_instances import ec2_instance_operations
from aiops_lab.aws.ec2_storage import ec2_storage_operations
from aiops_lab.aws.ecr import ecr_operations
from aiops_lab.aws.eks import eks_operations
from aiops_lab.aws.eks_addons import eks_addon_operations
from aiops_lab.aws.eks_lifecycle import eks_lifecycle_operations
from aiops_lab.aws.guardduty import guardduty_operations
from aiops_lab.aws.iam import iam_operations
from aiops_lab.aws.logs import logs_operations
from aiops_lab.aws.overlay import Operations
from aiops_lab.aws.pricing import pricing_operations
from aiops_lab.aws.principals import Directory
from aiops_lab.aws.savings_plans import savings_plans_operations
from aiops_lab.aws.spot import spot_operations
from aiops_lab.aws.ssm import ssm_operations
from aiops_lab.aws.sts import sts_operations
from aiops_lab.aws.xray import xray_operations


def operations(account: Account, directory: Directory) -> Operations:
    """The operations of all services, bound to one account; what changes something is on CloudTrail."""
    served = {
        **eks_operations(account),
        **access_operations(account, directory),
        **eks_addon_operations(account),
        **addon_change_operations(account),
        **eks_lifecycle_operations(account),
        **sts_operations(directory),
        **ec2_operations(account),
        **ssm_operations(account),
        **ec2_instance_operations(account),
        **ec2_storage_operations(account),
        **spot_operations(account),
        **pricing_operations(account),
        **iam_operations(account),
        **amp_operations(account),
        **devopsguru_operations(account),
        **compute_optimizer_operations(account),
        **cost_optimization_hub_operations(account),
        **savings_plans_operations(account),
        **ecr_operations(account),
        **guardduty_operations(account),
        **logs_operations(account),
        **cloudtrail_operations(account),
        **data_operations(account),
        **alarm_operations(account),
        **history_operations(account),
        **detector_operations(account),
        **contributor_operations(account),
        **xray_operations(account),
        **application_signals_operations(account),
        **cost_explorer_operations(account),
        **value_operations(account),
        **forecast_operations(account),
        **anomaly_operations(account),
        **commitment_operations(account),
        **budget_operations(account),
        **athena_operations(account),
    }
    return recorded(account, served)
