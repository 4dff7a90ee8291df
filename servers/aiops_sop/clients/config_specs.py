"""The kinds that say what is wanted: autoscaler, alarms, and the spec that ties all files together (F14).

Called by `config_making`. A spec and its alarms stand on two whole weeks; a day of data refuses (F14b).
"""

from typing import Final

from aiops_sop.analysis.configs.alarms import Served, metric_alarms, rules
from aiops_sop.analysis.configs.reasons import Reason
from aiops_sop.analysis.configs.scaling import autoscaler
from aiops_sop.analysis.configs.specs import Bounds, Facts
from aiops_sop.analysis.configs.specs import spec as written_spec
from aiops_sop.clients.config_scene import LEAST_DAYS, Scene
from aiops_sop.clients.config_surging import own_pool

TWO_WEEKS: Final = 2 * LEAST_DAYS
RULES: Final = "prometheusrules.monitoring.coreos.com"
USABLE: Final = frozenset({"ACTIVE", "installed"})


async def hpa(scene: Scene) -> None:
    """The autoscaler from traffic."""
    traffic = await scene.by_hour("requests_total")
    capacity = await scene.capacity(traffic) if traffic else None
    if traffic and capacity:
        scene.drafts.append(autoscaler(scene.workload, traffic, capacity, scene.reasons))


async def alarms(scene: Scene) -> None:
    """Bands, burn rates over two windows each, composites; in the dialect that the cluster understands."""
    served, memory = await _served(scene), await scene.pods("memory")
    if served is None or memory is None:
        return
    operator = await scene.reader.has_kind(scene.ask, RULES)
    ack = (await scene.reader.capabilities(scene.ask)).get("ACK") in USABLE
    scene.drafts.append(rules(scene.workload, served, scene.reasons, operator=operator))
    scene.drafts += metric_alarms(scene.workload, memory, scene.reasons, ack=ack)
    if not operator:
        scene.decisions.append("alarms-rules.yaml is a rules file, for Prometheus or an AMP workspace.")
    scene.decisions.append(
        "alarms-cloudwatch.yaml is a CloudFormation template; it needs Container Insights on this cluster."
    )


async def spec(scene: Scene) -> None:
    """Three files of text, and the YAML that carries them out where it was not asked for by itself."""
    made = {one.kind for one in scene.drafts}
    if "hpa" not in made:
        await hpa(scene)
    if not any(one.path.endswith("/nodepool.yaml") for one in scene.drafts):
        await own_pool(scene)
    if "alarms" not in made:
        await alarms(scene)
    served = await _served(scene)
    traffic = scene.hours.get("requests_total")
    capacity = await scene.capacity(traffic) if served and traffic else None
    surge = await scene.surge()
    if scene.missing or served is None or capacity is None:
        return
    facts = Facts(scene.workload, served, capacity, _bounds(scene.reasons.found), surge)
    scene.drafts += written_spec(facts, tuple(scene.drafts), scene.reasons)


async def _served(scene: Scene) -> Served | None:
    """What the service did over two weeks."""
    traffic = await scene.by_hour("requests_total", TWO_WEEKS)
    goal = await scene.objective()
    errors = await scene.service("errors", TWO_WEEKS)
    if goal is None:
        scene.lacks(f"latency_p99 of service {scene.workload.name}: not measured")
    return Served(traffic, errors, goal) if traffic and errors and goal else None


def _bounds(found: list[Reason]) -> Bounds:
    """The replicas that the autoscaler's file says."""
    told = {one.why.partition(":")[0]: one.number for one in found if one.file.endswith("/hpa.yaml")}
    return Bounds(int(told["minReplicas"]), int(told["maxReplicas"]))
