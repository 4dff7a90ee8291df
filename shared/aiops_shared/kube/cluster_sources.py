"""Where the clusters of a `ClusterDirectory` come from, and how each is reached.

A `Place` is a part of the operator's table, a kubeconfig context, this pod, or an AWS account and region; it
gives entries at once, or after ListClusters.
"""

import re
from dataclasses import dataclass, replace

from aiops_shared.auth import CallerIdentity
from aiops_shared.aws import AwsClients, AwsTarget
from aiops_shared.errors import InvalidInputError, NotConfiguredError
from aiops_shared.kube.access import SERVICE_ACCOUNT, CredentialSource
from aiops_shared.kube.table import ClusterRow, ClusterTable, read_table
from aiops_shared.settings import Settings

MAX_CLUSTERS = 1000
NOWHERE = AwsTarget()  # the default chain
# Names, account/region/name, ARNs, contexts and globs; nothing that a path or a shell could read otherwise.
_WORD = re.compile(r"[A-Za-z0-9*?\[][A-Za-z0-9_.:/@*?\[\]!+-]{0,299}")
_ARN = re.compile(r"arn:aws[a-z-]*:eks:([a-z0-9-]+):([0-9]{12}):cluster/([A-Za-z0-9][A-Za-z0-9_-]{0,99})")


def require_word(word: str) -> str:
    """What may name a cluster. Raises InvalidInputError before any request."""
    if _WORD.fullmatch(word) is None or ".." in word or "//" in word:
        raise InvalidInputError(
            f"cluster {ascii(word)[:80]}", "not a cluster's name", "a name, account/region/name or an ARN"
        )
    return word


@dataclass(frozen=True, slots=True)
class Entry:
    """One cluster that may be named, and how it is reached."""

    name: str
    source: str  # table | discovered | kubeconfig | in-cluster
    target: AwsTarget = NOWHERE
    environment: str = ""
    context: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes it this cluster and no other."""
        return (self.target.account, self.target.region, self.name, self.context)

    @property
    def on_eks(self) -> bool:
        """Reached through AWS."""
        return not self.context and self.source in {"table", "discovered"}

    @property
    def full_name(self) -> str:
        """`account/region/name` where there is an account."""
        return "/".join(part for part in (self.target.account, self.target.region, self.name) if part)

    def fits(self, word: str) -> bool:
        """Whether `word` names it."""
        if (arn := _ARN.fullmatch(word)) is not None and self.target.account:
            return (self.target.region, self.target.account, self.name) == arn.groups()
        return word in {self.name, self.full_name, self.context} and bool(word)

    def credentials(self, aws: AwsClients) -> CredentialSource:
        """Where its credentials come from; loads what that needs."""
        if self.source == "in-cluster":
            from aiops_shared.kube.kubeconfig import InClusterSource

            return InClusterSource()
        if self.source == "kubeconfig" or self.context:
            from aiops_shared.kube.kubeconfig import KubeConfigSource

            return KubeConfigSource(self.context)
        from aiops_shared.kube.eks import EksSource

        return EksSource(aws, self.target, self.name)


@dataclass(frozen=True, slots=True)
class Place:
    """A part of the world that may hold clusters; `discovers` when AWS has to be asked which."""

    entries: tuple[Entry, ...] = ()
    discovers: bool = False
    target: AwsTarget = NOWHERE

    async def discover(self, aws: AwsClients) -> tuple[Entry, ...]:
        """The EKS clusters of this account and region. Raises AWS's errors, translated."""
        target = self.target
        if not target.account:
            region = target.region or await aws.default_region()
            who = await aws.call(replace(target, region=region), "sts", "get_caller_identity")
            target = replace(target, account=str(who.get("Account") or ""), region=region)
        found = await aws.every(target, "eks", "list_clusters", "clusters", at_most=MAX_CLUSTERS)
        return tuple(Entry(str(name), "discovered", target) for name in found.items)


async def sources_of(settings: Settings, aws: AwsClients, caller: CallerIdentity) -> tuple[Place, ...]:
    """The places that the settings name. Raises NotConfiguredError for a table that cannot be read."""
    if settings.clusters_file is not None:
        return _from_table(read_table(settings.clusters_file), caller)
    if settings.kube.context:
        return (Place((_from_context(settings.kube.context),)),)
    if (SERVICE_ACCOUNT / "token").is_file() and (SERVICE_ACCOUNT / "ca.crt").is_file():
        return (Place((Entry("in-cluster", "in-cluster"),)),)
    return (Place(discovers=True, target=AwsTarget(caller=caller.name)),)


def account_target(settings: Settings, account: str, region: str, caller: CallerIdentity) -> AwsTarget:
    """An account of the operator's table as AWS is asked there; the default credentials' own without one.

    Raises NotConfiguredError for an account that the table does not name.
    """
    if not account:
        return AwsTarget(region=region, caller=caller.name)
    table = read_table(settings.clusters_file) if settings.clusters_file is not None else None
    if table is None or table.account(account) is None:
        raise NotConfiguredError(
            f"account {account}", "the operator's table does not name it", "add it to AIOPS_CLUSTERS_FILE"
        )
    return _target(table, account, region, caller)


def _from_context(context: str) -> Entry:
    """A context; `aws eks update-kubeconfig` names it by the cluster's ARN."""
    if (arn := _ARN.fullmatch(context)) is None:
        return Entry(context, "kubeconfig", context=context)
    region, account, name = arn.groups()
    return Entry(name, "kubeconfig", AwsTarget(account=account, region=region), context=context)


def _from_table(table: ClusterTable, caller: CallerIdentity) -> tuple[Place, ...]:
    listed = Place(tuple(_from_row(row, table, caller) for row in table.clusters))
    searched = [
        Place(discovers=True, target=_target(table, account.account_id, region, caller))
        for account in table.accounts
        for region in account.regions
    ]
    return (listed, *searched)


def _from_row(row: ClusterRow, table: ClusterTable, caller: CallerIdentity) -> Entry:
    target = _target(table, row.account_id, row.region, caller)
    return Entry(row.name, "table", target, row.environment, row.context)


def _target(table: ClusterTable, account_id: str, region: str, caller: CallerIdentity) -> AwsTarget:
    row = table.account(account_id)
    return AwsTarget(
        account=account_id,
        region=region,
        role=row.role_arn if row else "",
        external_id=row.external_id if row else "",
        caller=caller.name,
    )
