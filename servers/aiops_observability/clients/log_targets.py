"""Where to look for logs: the words and names of a target, as log groups, and the nearest right ones.

Container Insights writes `/aws/containerinsights/<cluster>/{application,dataplane,host,performance}`, EKS the
control plane's `/aws/eks/<cluster>/cluster`
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-reference-log-groups.html).
"""

import re
from collections.abc import Sequence
from typing import Any

from aiops_shared.aws import EksCluster
from aiops_shared.aws.audit_log import log_group
from aiops_shared.errors import AiopsError, InvalidInputError, NotFoundError, QueryInvalidError
from aiops_shared.kube.nearest import nearest

WORDS = ("application", "dataplane", "host", "performance")
CONTROL_PLANE = "control_plane"
DEFAULT = ("application",)
MOST_GROUPS = 20
MOST_LISTED = 1_000
_GROUP = re.compile(r"[\w./#-]{1,512}")
_ARN = re.compile(r"arn:aws[a-z-]*:logs:[a-z0-9-]+:\d{12}:log-group:([\w./#-]{1,512})(?::\*)?")
_SQL_FROM = re.compile(r"\bfrom\s+`([^`]{1,2000})`", re.IGNORECASE)
_SQL_NAMES = re.compile(r"['\"]([^'\"]+)['\"]")


def groups_of(cluster: str, target: Sequence[str]) -> tuple[str, ...]:
    """The log groups that a target names. Raises QueryInvalidError for `*`, InvalidInputError for no name."""
    found: list[str] = []
    for word in target or DEFAULT:
        if "*" in word.removesuffix(":*") or word.lower() == "all":
            raise QueryInvalidError(
                "target",
                f"{word[:60]} would read every group, and be paid for each",
                f"name up to {MOST_GROUPS} groups, or application, dataplane, host, control_plane",
            )
        found.append(_group(cluster, word))
    if len(found) > MOST_GROUPS:
        raise QueryInvalidError("target", f"names {len(found)} groups", f"name at most {MOST_GROUPS}")
    return tuple(dict.fromkeys(found))


def _group(cluster: str, word: str) -> str:
    if word in WORDS:
        return f"/aws/containerinsights/{cluster}/{word}"
    if word == CONTROL_PLANE:
        return log_group(cluster)
    named = _ARN.fullmatch(word)
    name = named[1] if named else word
    if not _GROUP.fullmatch(name):
        raise InvalidInputError("target", "is no log group", "letters, digits and ._-/#, or an ARN")
    return name


def groups_in_sql(query: str) -> tuple[str, ...]:
    """The log groups that an SQL query names in FROM. Raises QueryInvalidError where it names none."""
    found = _SQL_FROM.search(query)
    if found is None:
        raise QueryInvalidError(
            "query",
            "SQL names its log groups in FROM",
            "SELECT … FROM `/aws/containerinsights/…/application`",
        )
    several = _SQL_NAMES.findall(found[1]) if "(" in found[1] else [found[1]]
    return groups_of("", several)


async def missing(eks: EksCluster, groups: Sequence[str], error: NotFoundError) -> NotFoundError:
    """The same error with the nearest names that there are."""
    try:
        listed = await eks.every("logs", "describe_log_groups", "logGroups", at_most=MOST_LISTED)
    except AiopsError as trouble:
        return NotFoundError(", ".join(groups), "no such log group", f"groups not listed: {trouble}")
    names = [str(one.get("logGroupName") or "") for one in listed.items]
    absent = [name for name in groups if name not in names] or list(groups)
    close = list(dict.fromkeys(each for name in absent for each in nearest(name, names)))
    hint = f"nearest: {', '.join(close[:5])}" if close else f"there are {', '.join(names[:8]) or 'none'}"
    if any("/aws/containerinsights/" in name for name in absent):
        hint += "; Container Insights makes its groups (add-on amazon-cloudwatch-observability)"
    del error
    return NotFoundError(f"log group {', '.join(absent)}", "does not exist in this account and region", hint)


def described(found: Sequence[Any], name: str) -> dict[str, Any]:
    """DescribeLogGroups' entry of exactly this name."""
    return next((dict(one) for one in found if one.get("logGroupName") == name), {})
