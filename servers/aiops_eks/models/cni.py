"""How pods get their addresses in a cluster: the settings of the VPC CNI, read from its DaemonSet.

Called by the view of subnets. Names and defaults are those of the amazon-vpc-cni-k8s README.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from aiops_eks.models.fields import Obj, items, text

WARM = ("WARM_ENI_TARGET", "WARM_IP_TARGET", "MINIMUM_IP_TARGET", "WARM_PREFIX_TARGET")


@dataclass(frozen=True, slots=True)
class Cni:
    """The plugin's settings; `known` is False where its DaemonSet could not be read or is not there."""

    known: bool
    prefixes: bool = False
    custom_networking: bool = False
    pod_groups: bool = False  # security groups for pods: trunk and branch interfaces
    warm: tuple[tuple[str, str], ...] = ()
    image: str = ""

    @property
    def mode(self) -> str:
        """In a word."""
        if not self.known:
            return "unknown"
        said = "prefix delegation (/28)" if self.prefixes else "secondary IP addresses"
        said += ", custom networking (ENIConfig)" if self.custom_networking else ""
        return said + (", security groups for pods" if self.pod_groups else "")


def cni_of(daemon_set: Obj) -> Cni:
    """The settings of an aws-node DaemonSet."""
    spec = items(daemon_set, "spec", "template", "spec", "containers")
    main = next((one for one in spec if text(one, "name") == "aws-node"), None)
    if main is None:
        return Cni(known=False)
    env = {text(one, "name"): text(one, "value") for one in items(main, "env")}
    return Cni(
        known=True,
        prefixes=_true(env, "ENABLE_PREFIX_DELEGATION"),
        custom_networking=_true(env, "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG"),
        pod_groups=_true(env, "ENABLE_POD_ENI"),
        warm=tuple((name, env[name]) for name in WARM if env.get(name)),
        image=text(main, "image"),
    )


def _true(env: Mapping[str, str], name: str) -> bool:
    return env.get(name, "").lower() == "true"
