"""EKS's answers as our models. A member that is absent or of the wrong form reads as absent.

Called by `aws_addons`. Names on the left are the EKS API's (botocore's `eks` model of 2017-11-01).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiops_eks.models.aws_addons import (
    AddonVersion,
    Capability,
    CatalogueAddon,
    ClusterUpdate,
    Deprecation,
    Insight,
    InstalledAddon,
    Issue,
    NodeGroup,
    Support,
)

Told = Mapping[str, Any]
MOST_RESOURCES = 50
_WORST_FIRST = ("ERROR", "WARNING", "UNKNOWN", "PASSING")
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def _text(told: Told, key: str) -> str:
    value = told.get(key)
    return value if isinstance(value, str) else ""


def _when(told: Told, key: str) -> datetime | None:
    value = told.get(key)
    return value if isinstance(value, datetime) else None


def _map(told: Told, key: str) -> Told:
    value = told.get(key)
    return value if isinstance(value, Mapping) else {}


def _maps(told: Told, key: str) -> list[Told]:
    value = told.get(key)
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _texts(told: Told, key: str) -> tuple[str, ...]:
    value = told.get(key)
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _number(told: Told, key: str) -> int | None:
    value = told.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def issues(told: Told) -> tuple[Issue, ...]:
    """`health.issues` of an add-on, node group, capability or cluster."""
    return tuple(
        Issue(_text(one, "code"), _text(one, "message"), _texts(one, "resourceIds")[:MOST_RESOURCES])
        for one in _maps(_map(told, "health"), "issues")
    )


def installed(told: Told) -> InstalledAddon:
    """`Addon`."""
    return InstalledAddon(
        name=_text(told, "addonName"),
        version=_text(told, "addonVersion"),
        status=_text(told, "status"),
        issues=issues(told),
        publisher=_text(told, "publisher"),
        owner=_text(told, "owner"),
        namespace=_text(_map(told, "namespaceConfig"), "namespace"),
        configuration=_text(told, "configurationValues"),
        role_arn=_text(told, "serviceAccountRoleArn"),
        pod_identities=_texts(told, "podIdentityAssociations"),
        created_at=_when(told, "createdAt"),
        modified_at=_when(told, "modifiedAt"),
    )


def catalogue(told: Told) -> CatalogueAddon:
    """`AddonInfo`; EKS lists versions newest first, which is not promised, so they are sorted."""
    versions = [_version(one) for one in _maps(told, "addonVersions")]
    return CatalogueAddon(
        name=_text(told, "addonName"),
        category=_text(told, "type"),
        owner=_text(told, "owner"),
        publisher=_text(told, "publisher"),
        namespace=_text(told, "defaultNamespace"),
        versions=tuple(sorted(versions, key=lambda one: version_key(one.version), reverse=True)),
    )


def _version(told: Told) -> AddonVersion:
    fits = _maps(told, "compatibilities")
    return AddonVersion(
        version=_text(told, "addonVersion"),
        default=any(one.get("defaultVersion") is True for one in fits),
        clusters=tuple(_text(one, "clusterVersion") for one in fits),
        requires_iam=told.get("requiresIamPermissions") is True,
        requires_configuration=told.get("requiresConfiguration") is True,
        compute_types=_texts(told, "computeTypes"),
        architectures=_texts(told, "architecture"),
    )


def version_key(version: str) -> tuple[int, ...]:
    """`v1.20.4-eksbuild.2` as numbers, so that v1.9 comes before v1.20."""
    digits = "".join(letter if letter.isdecimal() else " " for letter in version)
    return tuple(int(part) for part in digits.split())


def insight(told: Told) -> Insight:
    """`Insight` or `InsightSummary`; the latter has neither recommendation nor resources."""
    status = _map(told, "insightStatus")
    resources = _maps(told, "resources")[:MOST_RESOURCES]
    return Insight(
        id=_text(told, "id"),
        name=_text(told, "name"),
        category=_text(told, "category"),
        status=_text(status, "status") or "UNKNOWN",
        reason=_text(status, "reason"),
        kubernetes=_text(told, "kubernetesVersion"),
        description=_text(told, "description"),
        recommendation=_text(told, "recommendation"),
        resources=tuple(_text(one, "kubernetesResourceUri") or _text(one, "arn") for one in resources),
        deprecations=tuple(
            _deprecation(one) for one in _maps(_map(told, "categorySpecificSummary"), "deprecationDetails")
        ),
        refreshed_at=_when(told, "lastRefreshTime"),
        changed_at=_when(told, "lastTransitionTime"),
    )


def _deprecation(told: Told) -> Deprecation:
    clients = _maps(told, "clientStats")
    return Deprecation(
        usage=_text(told, "usage"),
        replaced_with=_text(told, "replacedWith"),
        stops_in=_text(told, "stopServingVersion"),
        clients=tuple(
            f"{_text(one, 'userAgent')} ({_number(one, 'numberOfRequestsLast30Days') or 0} in 30 days)"
            for one in clients
        ),
    )


def badness(one: Insight) -> tuple[int, str]:
    """Sorts insights: ERROR, WARNING, UNKNOWN, PASSING."""
    known = one.status in _WORST_FIRST
    return (_WORST_FIRST.index(one.status) if known else len(_WORST_FIRST), one.name)


def node_group(told: Told) -> NodeGroup:
    """`Nodegroup`."""
    size = _map(told, "scalingConfig")
    groups = _maps(_map(told, "resources"), "autoScalingGroups")
    return NodeGroup(
        name=_text(told, "nodegroupName"),
        status=_text(told, "status"),
        kubernetes=_text(told, "version"),
        release=_text(told, "releaseVersion"),
        ami_type=_text(told, "amiType"),
        capacity=_text(told, "capacityType"),
        instance_types=_texts(told, "instanceTypes"),
        min_size=_number(size, "minSize"),
        desired_size=_number(size, "desiredSize"),
        max_size=_number(size, "maxSize"),
        subnets=_texts(told, "subnets"),
        node_role=_text(told, "nodeRole"),
        autoscaling_groups=tuple(_text(one, "name") for one in groups),
        auto_repair=_map(told, "nodeRepairConfig").get("enabled") is True,
        issues=issues(told),
        created_at=_when(told, "createdAt"),
        modified_at=_when(told, "modifiedAt"),
    )


def update(told: Told, of: str = "") -> ClusterUpdate:
    """`Update`."""
    return ClusterUpdate(
        id=_text(told, "id"),
        kind=_text(told, "type"),
        status=_text(told, "status"),
        of=of,
        at=_when(told, "createdAt"),
        wanted=tuple((_text(one, "type"), _text(one, "value")) for one in _maps(told, "params")),
        errors=tuple(
            Issue(_text(one, "errorCode"), _text(one, "errorMessage"), _texts(one, "resourceIds"))
            for one in _maps(told, "errors")
        ),
    )


def age(one: ClusterUpdate) -> datetime:
    """When it began; unknown ones come last when sorted newest first."""
    return one.at or _LONG_AGO


def capability(told: Told) -> Capability:
    """`Capability` or `CapabilitySummary`."""
    argo = _map(_map(told, "configuration"), "argoCd")
    return Capability(
        name=_text(told, "capabilityName"),
        kind=_text(told, "type"),
        status=_text(told, "status"),
        version=_text(told, "version"),
        issues=issues(told),
        namespace=_text(argo, "namespace"),
        server_url=_text(argo, "serverUrl"),
        role_arn=_text(told, "roleArn"),
    )


def support(told: Told) -> Support:
    """`ClusterVersionInformation`."""
    tiers = _maps(told, "controlPlaneScalingTiers")
    sizes = {_text(one, "tierName"): _number(one, "clusterDatabaseSizeGb") for one in tiers}
    return Support(
        version=_text(told, "clusterVersion"),
        status=(_text(told, "versionStatus") or _text(told, "status")).upper().replace("-", "_"),
        standard_ends=_when(told, "endOfStandardSupportDate"),
        extended_ends=_when(told, "endOfExtendedSupportDate"),
        database_gb={tier: size for tier, size in sizes.items() if size},
    )
