"""Cost Explorer's and Budgets' refusals in words that say what to do.

Source: the API reference's error lists; what an account without Cost Explorer answers is in AWS's own words.
"""

from typing import Final

from aiops_shared.errors import (
    AccessDeniedError,
    AiopsError,
    InsufficientDataError,
    InvalidInputError,
    NotConfiguredError,
    ThrottledError,
)

ACTIONS: Final = {
    "get_cost_and_usage": "ce:GetCostAndUsage",
    "get_cost_forecast": "ce:GetCostForecast",
    "get_anomalies": "ce:GetAnomalies",
    "describe_budgets": "budgets:ViewBudget",
}
WHAT = "Cost Explorer"


def explained(error: AiopsError, operation: str) -> AiopsError:
    """The error that says what to do; the same one when there is nothing to add."""
    said = error.reason
    action = ACTIONS.get(operation, f"the action of {operation}")
    if "not enabled for cost explorer" in said.lower():
        return NotConfiguredError(
            WHAT,
            "it is not enabled in this account",
            "open it once in the payer's console (Billing and Cost Management > Cost Explorer), or let the"
            " payer allow member accounts; data comes within 24 h",
        )
    if said.startswith("DataUnavailableException"):
        return InsufficientDataError(WHAT, "it has no data for these days", "just enabled: wait 24 h")
    if said.startswith("LimitExceededException"):
        return ThrottledError(WHAT, said, "wait, then again: what was answered is kept")
    if said.startswith(("BillExpirationException", "RequestChangedException", "InvalidNextTokenException")):
        return InvalidInputError(WHAT, said, "ask again")
    if isinstance(error, AccessDeniedError) and type(error) is AccessDeniedError:
        return AccessDeniedError(
            error.thing, f"{action} is not allowed: {said}", f"grant {action}; see docs/costs.md"
        )
    return error
