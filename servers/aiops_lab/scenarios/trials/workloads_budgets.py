"""Trials of PodDisruptionBudgets. The lab's controller counts as `pkg/controller/disruption` does."""

from random import Random

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Expect, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import failing, logfmt
from aiops_lab.scenarios.shapes import container, deployment, disruption_budget, http_probe, template
from aiops_lab.scenarios.trials.autoscaling import app
from aiops_lab.scenarios.trials.base import HOME, Trial, at, trial

HOUR_S = 3600.0
KIND = "PodDisruptionBudget"


def of(code: str, name: str = "{api}-pdb") -> Expect:
    """The one finding, at the budget."""
    return at(code, KIND, name)


def _world(stage: Stage, names: Names, rng: Random, replicas: int, **rule: object) -> float:
    """A workload and its budget; returns how long ago they were made."""
    since_s = rng.uniform(3, 60) * HOUR_S
    app(stage, names, since_s=since_s, replicas=replicas)
    stage.put_at(since_s - 30, disruption_budget(HOME, f"{names.api}-pdb", names.api, **rule))
    return since_s


# PDB_BLOCKS_EVICTION


def _strict(stage: Stage, names: Names, rng: Random) -> None:
    replicas = rng.randint(1, 4)
    rules: tuple[dict[str, object], ...] = (
        {"maxUnavailable": 0},
        {"minAvailable": replicas},
        {"minAvailable": "100%"},
        {"maxUnavailable": "0%"},
    )
    _world(stage, names, rng, replicas, **rules[names.seed % len(rules)])


def _used_up(stage: Stage, names: Names, rng: Random) -> None:
    """Nothing may go because all pods crash: the crash is the finding."""
    words = logfmt("fatal", f"cannot reach backend: dial tcp 10.3.0.{rng.randint(2, 99)}:6379: i/o timeout")
    image = stage.publish(names.image(names.api, "3.2.0"), Image(failing(words, after_s=rng.uniform(2, 6))))
    pod = template({"app": names.api}, [container("app", image, readinessProbe=http_probe())])
    since_s = rng.uniform(20, 28) * 60
    stage.put_at(since_s, deployment(HOME, names.api, 3, pod))
    stage.put_at(since_s, disruption_budget(HOME, f"{names.api}-pdb", names.api, maxUnavailable=1))


def _loosened(stage: Stage, names: Names, rng: Random) -> None:
    _world(stage, names, rng, 3, maxUnavailable=0)

    def loosen(obj: Obj) -> None:
        obj["spec"]["maxUnavailable"] = 1

    stage.change_at(rng.uniform(120, 900), KIND, HOME, f"{names.api}-pdb", loosen)


def _one_more(stage: Stage, names: Names, rng: Random) -> None:
    """One replica was too few for its budget; now there are more."""
    replicas = rng.randint(1, 3)
    _world(stage, names, rng, replicas, minAvailable=replicas)

    def grow(obj: Obj) -> None:
        obj["spec"]["replicas"] = replicas + 1

    stage.change_at(rng.uniform(240, 900), "Deployment", HOME, names.api, grow)


# PDB_SELECTS_NOTHING


def _misses(names: Names) -> str:
    return (f"{names.api}-v1", names.api[:-1], f"{names.api}s")[names.seed % 3]


def _astray(stage: Stage, names: Names, rng: Random) -> None:
    since_s = rng.uniform(3, 60) * HOUR_S
    app(stage, names, since_s=since_s, replicas=rng.randint(2, 4))
    lost = disruption_budget(HOME, f"{names.api}-pdb", _misses(names), maxUnavailable=1)
    stage.put_at(since_s - 30, lost)


def _asleep(stage: Stage, names: Names, rng: Random) -> None:
    _world(stage, names, rng, 0, maxUnavailable=1)


def _for_somebody_else(stage: Stage, names: Names, rng: Random) -> None:
    """A chart brings the budget of a part that is not installed here."""
    since_s = rng.uniform(3, 60) * HOUR_S
    app(stage, names, since_s=since_s, replicas=rng.randint(2, 4))
    stage.put_at(since_s - 30, disruption_budget(HOME, "telemetry-agent", "telemetry-agent", minAvailable=1))


def _corrected(stage: Stage, names: Names, rng: Random) -> None:
    _astray(stage, names, rng)

    def correct(obj: Obj) -> None:
        obj["spec"]["selector"] = {"matchLabels": {"app": names.api}}

    stage.change_at(rng.uniform(120, 900), KIND, HOME, f"{names.api}-pdb", correct)


# PDB_OVERLAP


def _second(names: Names) -> Obj:
    return disruption_budget(HOME, f"{names.api}-platform", names.api, minAvailable=1)


def _both(stage: Stage, names: Names, rng: Random) -> None:
    since_s = _world(stage, names, rng, rng.randint(2, 4), maxUnavailable=1)
    stage.put_at(since_s * rng.uniform(0.2, 0.8), _second(names))


def _apart(stage: Stage, names: Names, rng: Random) -> None:
    since_s = _world(stage, names, rng, rng.randint(2, 4), maxUnavailable=1)
    app(stage, names, since_s=since_s, replicas=2, name=f"{names.api}-canary")
    other = disruption_budget(HOME, f"{names.api}-canary", f"{names.api}-canary", maxUnavailable=1)
    stage.put_at(since_s - 60, other)


def _merged(stage: Stage, names: Names, rng: Random) -> None:
    _both(stage, names, rng)
    stage.delete_at(rng.uniform(60, 900), KIND, HOME, f"{names.api}-platform", names.cleaner)


TRIALS: tuple[Trial, ...] = (
    trial(
        "PDB_BLOCKS_EVICTION",
        "positive",
        _strict,
        of("PDB_BLOCKS_EVICTION"),
        says="A budget that never lets a pod go.",
    ),
    trial(
        "PDB_BLOCKS_EVICTION",
        "look_alike",
        _used_up,
        at("DEPENDENCY_UNREACHABLE", "Deployment", "{api}"),
        says="The pods crash, so none may go.",
    ),
    trial("PDB_BLOCKS_EVICTION", "recovered", _loosened, says="The budget was loosened."),
    trial("PDB_BLOCKS_EVICTION", "recovered", _one_more, says="There is one more replica.", variant="grown"),
    trial(
        "PDB_SELECTS_NOTHING",
        "positive",
        _astray,
        of("PDB_SELECTS_NOTHING"),
        says="A budget whose selector takes no pod.",
    ),
    trial("PDB_SELECTS_NOTHING", "look_alike", _asleep, says="Its workload is scaled to zero."),
    trial(
        "PDB_SELECTS_NOTHING",
        "look_alike",
        _for_somebody_else,
        says="Its workload was never installed.",
        variant="absent",
    ),
    trial("PDB_SELECTS_NOTHING", "recovered", _corrected, says="The selector was corrected."),
    trial(
        "PDB_OVERLAP",
        "positive",
        _both,
        of("PDB_OVERLAP", "{api}-platform"),
        says="Two budgets over the same pods.",
    ),
    trial("PDB_OVERLAP", "look_alike", _apart, says="Two budgets over different pods."),
    trial("PDB_OVERLAP", "recovered", _merged, says="One of them was deleted."),
)
