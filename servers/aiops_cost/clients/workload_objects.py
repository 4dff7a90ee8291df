"""The objects that advisers of workloads read: workloads one by one, autoscalers as a list, each once."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiops_cost.analysis.autoscaling import Autoscaler
from aiops_cost.clients.savings_scene import Scene
from aiops_cost.clients.workload_shapes import Obj, autoscaler_of, labels_selected, vertical_target
from aiops_shared.errors import KindUnknownError, NotFoundError
from aiops_shared.kube.nearest import nearest
from aiops_shared.kube.shapes import meta, text

if TYPE_CHECKING:
    from aiops_shared.kube.api import KubeApi

Owner = tuple[str, str, str]  # namespace, kind, name
PLURALS = {
    "Deployment": "deployments.apps",
    "StatefulSet": "statefulsets.apps",
    "DaemonSet": "daemonsets.apps",
}
HPAS = "horizontalpodautoscalers.autoscaling"
VPAS = "verticalpodautoscalers.autoscaling.k8s.io"


@dataclass(frozen=True)
class WorkloadObjects:
    """The objects of one scene."""

    scene: Scene

    async def workload(self, kind: str, namespace: str, name: str) -> Obj:
        """One workload. Raises NotFoundError, AccessDeniedError."""
        kube = await self.scene.kube()
        key = f"object/{kind}/{namespace}/{name}"
        return await self.scene.once(key, lambda: kube.get(PLURALS.get(kind, kind), namespace, name))

    async def pods(self, workload: Obj) -> list[Obj]:
        """The pods that its selector finds."""
        selector = ",".join(f"{key}={value}" for key, value in sorted(labels_selected(workload).items()))
        if not selector:
            return []
        about = meta(workload)
        kube = await self.scene.kube()
        key = f"pods/{about.get('namespace')}/{selector}"
        return await self.scene.once(key, lambda: _pods(kube, text(about.get("namespace")), selector))

    async def autoscalers(self) -> dict[Owner, Autoscaler]:
        """Autoscalers by their workload."""
        return await self.scene.once("autoscalers", self._autoscalers)

    async def _autoscalers(self) -> dict[Owner, Autoscaler]:
        kube = await self.scene.kube()
        found = [autoscaler_of(one) async for one in kube.every(HPAS, self.scene.ask.namespace)]
        return {(one.namespace, one.target_kind, one.target_name): one for one in found}

    async def verticals(self) -> dict[Owner, str]:
        """Workloads whose requests a VerticalPodAutoscaler sets, with its mode; none without VPA."""
        return await self.scene.once("verticals", self._verticals)

    async def _verticals(self) -> dict[Owner, str]:
        kube = await self.scene.kube()
        try:
            found = [vertical_target(one) async for one in kube.every(VPAS, self.scene.ask.namespace)]
        except KindUnknownError:
            return {}
        return {(space, kind, name): mode for space, kind, name, mode in found if mode != "Off"}


async def require_namespace(scene: Scene) -> None:
    """Raises NotFoundError with the nearest names where the question names one in which no pod runs."""
    wanted = scene.ask.namespace
    if not wanted:
        return
    known = {pod.namespace for pod in (await scene.fleet()).pods}
    if wanted not in known:
        near = nearest(wanted, sorted(known)) or tuple(sorted(known))[:5]
        raise NotFoundError(f"namespace {wanted}", "no pod runs in it", f"nearest: {', '.join(near)}")


async def _pods(kube: "KubeApi", namespace: str, selector: str) -> list[Obj]:
    return [one async for one in kube.every("pods", namespace, selector=selector, at_most=2000)]
