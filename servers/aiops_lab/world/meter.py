"""Everything that measures one world, behind one door: what its exporters and its metrics server would say.

Held by `World`, which tells it of every change and asks it for metrics.k8s.io.
"""

from collections.abc import Callable

from aiops_lab.telemetry import Telemetry
from aiops_lab.world.cni import Cni
from aiops_lab.world.disks import Disks
from aiops_lab.world.kubelet import Kubelets
from aiops_lab.world.measured import Measured
from aiops_lab.world.measured_signals import MeasuredSignals
from aiops_lab.world.measured_usage import Usage
from aiops_lab.world.objects import Obj


class Meter:
    """The past that is kept, the numbers read from it, and the series made of them."""

    def __init__(
        self, kubelets: Kubelets, cni: Cni, disks: Disks, telemetry: Callable[[], Telemetry]
    ) -> None:
        self._kubelets, self._telemetry = kubelets, telemetry
        self._past = Measured(kubelets.cluster, kubelets, cni, disks)
        self._usage = Usage(self._past, telemetry)
        self._emitted = MeasuredSignals(self._past, self._usage)

    def reset(self) -> None:
        """A new world has no past."""
        self._past.reset()
        self._emitted.forget()

    def begin(self) -> None:
        """From now on what runs is among the world's signals."""
        self._telemetry().signals.sources.append(self._emitted)

    def hear(self, change: str, obj: Obj) -> None:
        """Note a change of the Store."""
        self._past.hear(change, obj)

    def pod(self, namespace: str, name: str) -> dict[str, tuple[int, int]] | None:
        """Per container (cpu millicores, memory bytes); None when the pod does not run."""
        used = self._kubelets.pod(namespace, name)
        found = self._kubelets.cluster.cache.get("Pod", namespace, name)
        return self._usage.told(found, used) if used and found else used

    def node(self, name: str) -> tuple[int, int] | None:
        """(cpu millicores, memory bytes) of a node; None when there is no such node."""
        used = self._kubelets.node(name)
        return self._usage.told_node(name, used) if used else used
