"""Which environment a namespace's labels name: what autonomy, policy and the pipeline of events go by."""

from collections.abc import Mapping
from typing import Any, Final

from aiops_shared.guardrails.models import Environment

_LABELS: Final = ("env", "environment", "stage", "app.kubernetes.io/environment")
_WORDS: Final[Mapping[str, Environment]] = {
    "dev": "dev",
    "development": "dev",
    "test": "dev",
    "sandbox": "dev",
    "staging": "staging",
    "stage": "staging",
    "preprod": "staging",
    "uat": "staging",
}
STRICTEST_FIRST: Final[tuple[Environment, ...]] = ("prod", "staging", "dev")


def environment_of_labels(labels: Mapping[str, Any]) -> Environment:
    """The environment that they name; prod when they do not (rule default-prod).

    When several labels say different things, the strictest holds.
    """
    said = {_WORDS.get(str(labels[key]).lower(), "prod") for key in _LABELS if key in labels}
    return next((each for each in STRICTEST_FIRST if each in said), "prod")


def stricter(one: Environment, other: Environment) -> Environment:
    """The stricter of two environments."""
    return min(one, other, key=STRICTEST_FIRST.index)
