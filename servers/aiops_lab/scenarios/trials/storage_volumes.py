"""Trials of volumes themselves: full, not growing, not given back."""

from random import Random

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Stage
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import Program, failing, logfmt, serving
from aiops_lab.scenarios.trials.base import Trial, trial
from aiops_lab.scenarios.trials.pods_base import in_the_end
from aiops_lab.scenarios.trials.storage_base import (
    DAY_S,
    EBS,
    HOME,
    HOUR_S,
    MIN_S,
    VOLUME,
    at_api,
    at_claim,
    claim,
    data,
    expects,
    put_keeper,
    since,
    storage_class,
    volume,
)

_CLAIM = "PersistentVolumeClaim"
_PATHS = ("/var/lib/data/wal/000012", "/var/lib/data/journal.db", "/var/lib/data/index/seg_9.tmp")
# aws-ebs-csi-driver: EC2's answers to ModifyVolume and DeleteVolume
_NO_CHANGE = (
    "rpc error: code = Internal desc = Could not resize volume: VolumeModificationRateExceeded: Wait 6 hours",
    "rpc error: code = Internal desc = Could not resize volume: UnauthorizedOperation: ec2:ModifyVolume",
)
_NO_DELETE = (
    "rpc error: code = Internal desc = Could not delete volume ID: VolumeInUse: Volume is currently attached",
    "rpc error: code = Internal desc = Could not delete volume ID: UnauthorizedOperation: ec2:DeleteVolume",
)


# VOLUME_FULL


def _fills(path: str, names: Names) -> Program:
    ways = (
        logfmt("fatal", f"write {path}: no space left on device"),
        f"OSError: [Errno 28] No space left on device: '{path}'",
        f"Error: ENOSPC: no space left on device, write '{path}'",
    )
    return failing(logfmt("info", f"starting {names.api}"), ways[names.seed % len(ways)], after_s=4)


def _full(*, elsewhere: bool = False, recovers: bool = False) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        path = "/var/spool/part.0" if elsewhere else _PATHS[names.seed % len(_PATHS)]
        bad = _fills(path, names)
        at_s = rng.uniform(2500, 2900) if recovers else since(rng)
        stage.put_at(DAY_S, claim(data(names), size=f"{rng.randint(2, 30)}Gi"))
        put_keeper(stage, names, at_s, data(names), in_the_end(bad, names) if recovers else bad)

    return build


# VOLUME_RESIZE_STUCK


def _grows(*, mended_s: float = 0.0) -> Build:
    """A claim of a class that allows it is asked to be larger."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        of = f"{names.api}-disk"
        made = storage_class(of, EBS, at_once=False, allowVolumeExpansion=True)
        stage.put_at(3 * DAY_S, made, claim(data(names), of, size="20Gi"))
        put_keeper(stage, names, 2 * DAY_S, data(names), serving(names.api))
        said = _NO_CHANGE[names.seed % len(_NO_CHANGE)]
        stage.at(HOUR_S, lambda: stage.let_driver(EBS, resize_error=said))
        if mended_s:
            stage.at(mended_s, lambda: stage.let_driver(EBS))
        larger = f"{rng.randint(30, 80)}Gi"

        def want(found: Obj) -> None:
            found["spec"]["resources"]["requests"]["storage"] = larger

        stage.change_at(rng.uniform(40, 50) * MIN_S, _CLAIM, HOME, data(names), want)

    return build


def _waits_for_a_pod(stage: Stage, names: Names, rng: Random) -> None:
    """Grown, and nobody has it mounted: the file system grows with the next pod."""
    of = f"{names.api}-disk"
    made = storage_class(of, EBS, at_once=True, allowVolumeExpansion=True)
    stage.put_at(3 * DAY_S, made, claim(data(names), of, size="20Gi"))
    put_keeper(stage, names, 2 * DAY_S, data(names), serving(names.api), replicas=0)

    def want(found: Obj) -> None:
        found["spec"]["resources"]["requests"]["storage"] = "64Gi"

    stage.change_at(rng.uniform(40, 50) * MIN_S, _CLAIM, HOME, data(names), want)


# PV_RECLAIM_FAILED


def _disk(names: Names) -> str:
    return f"{names.api}-disk-{names.seed}"


def _gone(names: Names) -> Obj:
    uid = f"7c6b5a4d-{names.seed:04d}-4e2d-8c1b-0a9f8e7d6c5b"
    return {"apiVersion": "v1", "kind": _CLAIM, "namespace": HOME, "name": data(names), "uid": uid}


def _reclaims(policy: str, *, mended_s: float = 0.0) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        words = _NO_DELETE[names.seed % len(_NO_DELETE)]
        stage.at(2 * HOUR_S, lambda: stage.let_driver(EBS, delete_error=words))
        made = volume(_disk(names), "gp3", claimRef=_gone(names), persistentVolumeReclaimPolicy=policy)
        stage.put_at(rng.uniform(40, 60) * MIN_S, made)
        if mended_s:
            stage.at(mended_s, lambda: stage.let_driver(EBS))

    return build


_STUCK = at_claim("VOLUME_RESIZE_STUCK")
_KEPT = expects("PV_RECLAIM_FAILED", VOLUME, _disk, hurts=" ")

TRIALS: tuple[Trial, ...] = (
    trial("VOLUME_FULL", "positive", _full(), at_claim("VOLUME_FULL"), says="The path is on its claim."),
    trial("VOLUME_FULL", "look_alike", _full(elsewhere=True), at_api("OUT_OF_DISK"), says="It is elsewhere."),
    trial("VOLUME_FULL", "recovered", _full(recovers=True), says="It has room again."),
    trial("VOLUME_RESIZE_STUCK", "positive", _grows(), _STUCK, says="The driver refuses to grow it."),
    trial("VOLUME_RESIZE_STUCK", "look_alike", _waits_for_a_pod, says="It waits for its next pod."),
    trial("VOLUME_RESIZE_STUCK", "recovered", _grows(mended_s=30 * MIN_S), says="It grew in the end."),
    trial("PV_RECLAIM_FAILED", "positive", _reclaims("Delete"), _KEPT, says="It cannot be deleted."),
    trial("PV_RECLAIM_FAILED", "look_alike", _reclaims("Retain"), says="It is kept on purpose."),
    trial("PV_RECLAIM_FAILED", "recovered", _reclaims("Delete", mended_s=25 * MIN_S), says="It is deleted."),
)
