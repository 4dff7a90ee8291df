"""All rules in their order, and all causes they may tell.

The order is part of the diagnosis: the first rule that knows a broken container's cause wins, so those that
read an unmistakable state (OOMKilled, the kubelet's refusal) stand before those that read a log.
"""

from collections.abc import Iterator

from aiops_eks.diagnosis.findings import CaseRule, Cause, WorldRule
from aiops_eks.diagnosis.rules import (
    admission,
    apis,
    apiserver,
    autoscaling,
    budgets,
    certificates,
    claims,
    config,
    crash,
    daemonsets,
    deprecations,
    dns,
    eviction,
    finishing,
    gateways,
    hooks,
    image,
    ingresses,
    jobs,
    karpenter,
    karpenter_drain,
    load_balancers,
    memory,
    mesh,
    namespaces,
    network,
    network_policies,
    node_health,
    node_upkeep,
    nodes,
    preemption,
    probes,
    rights,
    sandbox,
    scheduling,
    starting,
    storage,
    volumes,
    webhooks,
    workloads,
)

CASE_RULES: tuple[CaseRule, ...] = (
    *memory.RULES,
    *certificates.WAITS,
    *config.BY_KUBELET,
    *image.RULES,
    *hooks.RULES,
    *crash.START,
    *probes.LIVENESS,
    *rights.BY_PROGRAM,
    *apiserver.BY_PROGRAM,
    *config.BY_PROGRAM,
    *dns.OWN,
    *volumes.CRASHES,
    *dns.RULES,
    *network_policies.RULES,
    *mesh.RULES,
    *network.CALLS,
    *crash.RULES,
    *probes.READINESS,
    *daemonsets.MOUNTS,
    *storage.MOUNTS,
    *jobs.SQUEEZED,
    *preemption.RULES,
    *karpenter.RULES,
    *scheduling.RULES,
    *sandbox.RULES,
    *eviction.RULES,
    *starting.RULES,
)
WORLD_RULES: tuple[WorldRule, ...] = (
    *nodes.RULES,
    *node_health.RULES,
    *node_upkeep.RULES,
    *karpenter_drain.RULES,
    *hooks.WORLD,
    *finishing.RULES,
    *claims.RULES,
    *volumes.RULES,
    *admission.RULES,
    *webhooks.RULES,
    *workloads.RULES,
    *jobs.RULES,
    *namespaces.RULES,
    *apis.RULES,
    *rights.RULES,
    *apiserver.RULES,
    *certificates.RULES,
    *deprecations.RULES,
    *autoscaling.RULES,
    *budgets.RULES,
    *network.RULES,
    *dns.WORLD,
    *load_balancers.RULES,
    *ingresses.RULES,
    *gateways.RULES,
)


def every_cause() -> Iterator[Cause]:
    """Each cause once, by code."""
    rules: tuple[CaseRule | WorldRule, ...] = (*CASE_RULES, *WORLD_RULES)
    causes = {cause.code: cause for rule in rules for cause in rule.causes}
    yield from (causes[code] for code in sorted(causes))
