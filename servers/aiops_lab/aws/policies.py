"""IAM as far as the lab plays it: the suite's identities may call what their generated policies list.

Asked by the overlay once it knows who calls. Actions only; everybody else may call anything.
"""

from aiops_lab.aws.faults import AwsFault
from aiops_lab.aws.principals import AccessKey
from aiops_lab.roles import may

# How each service names a refusal (its model's errors, EC2's "Error codes"); the others say AccessDenied.
_WITH_EXCEPTION = ("amp", "budgets", "ce", "cloudtrail", "eks", "logs", "pricing", "ssm")
_CODES = {
    "ec2": "UnauthorizedOperation",
    **dict.fromkeys(_WITH_EXCEPTION, "AccessDeniedException"),
}
# Operations allowed by an action of another name (Service Authorization Reference: AWS Budget Service).
_ACTIONS = {
    ("budgets", "DescribeBudget"): "ViewBudget",
    ("budgets", "DescribeBudgets"): "ViewBudget",
    ("budgets", "DescribeBudgetPerformanceHistory"): "ViewBudget",
    ("s3", "ListObjectsV2"): "ListBucket",
    ("s3", "HeadObject"): "GetObject",
}
_PREFIXES = {"amp": "aps"}  # IAM's name of a service, where it is not botocore's


def require(caller: AccessKey, service: str, operation: str, region: str) -> None:
    """Raises AwsError in the service's words where no policy of the caller allows the action."""
    action = _ACTIONS.get((service, operation), operation)
    if may(caller.principal.groups, f"{_PREFIXES.get(service, service)}:{action}"):
        return
    code = _CODES.get(service, "AccessDenied")
    raise AwsFault(service, operation, code=code).error(caller.caller_arn, action, region)
