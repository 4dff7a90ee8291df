"""Trials of claims that get no volume: class, provisioner, access mode, a volume that is not free."""

from random import Random

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Stage
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.trials.base import Trial, trial
from aiops_lab.scenarios.trials.storage_base import (
    CLASS,
    DEFAULT,
    EBS,
    EFS,
    FSX,
    HOME,
    HOUR_S,
    MIN_S,
    STATIC,
    annotate,
    at_claim,
    claim,
    csi_driver,
    data,
    expects,
    put_keeper,
    since,
    storage_class,
    volume,
)

_ABSENT = ("fast-ssd", "premium-rwo", "gp2-encrypted")
# aws-ebs-csi-driver pkg/cloud: what EC2 answers, as the driver hands it on
_UNAUTHORIZED = (
    "rpc error: code = Internal desc = Could not create volume: could not create volume in EC2: operation "
    "error EC2: CreateVolume, https response error StatusCode: 403, api error UnauthorizedOperation: You are "
    "not authorized to perform this operation."
)
_LIMIT = (
    "rpc error: code = ResourceExhausted desc = Could not create volume: operation error EC2: CreateVolume, "
    "api error VolumeLimitExceeded: Maximum number of volumes exceeded."
)
_NO_TOPOLOGY = (
    "rpc error: code = InvalidArgument desc = error generating accessibility requirements: no available "
    "topology found"
)
_REFUSALS = (_UNAUTHORIZED, _LIMIT, _NO_TOPOLOGY)


def _absent(names: Names) -> str:
    return _ABSENT[names.seed % len(_ABSENT)]


def _own_class(names: Names) -> str:
    return f"{names.api}-disk"


def _waits(of: str | None, at_s: float, stage: Stage, names: Names, **more: str) -> None:
    stage.put_at(at_s + 20, claim(data(names), of, **more))
    put_keeper(stage, names, at_s, data(names))


# STORAGE_CLASS_MISSING


def _no_class(stage: Stage, names: Names, rng: Random) -> None:
    _waits(_absent(names), since(rng), stage, names, size=f"{rng.randint(5, 90)}Gi")


def _class_comes(stage: Stage, names: Names, rng: Random) -> None:
    _waits(_absent(names), rng.uniform(50, 58) * MIN_S, stage, names)
    stage.put_at(rng.uniform(32, 40) * MIN_S, storage_class(_absent(names), EBS, at_once=names.seed % 2 == 0))


# DEFAULT_STORAGE_CLASS_MISSING


def _no_default(stage: Stage, names: Names, rng: Random) -> None:
    stage.change_at(rng.uniform(2, 40) * HOUR_S, CLASS, "", "gp3", annotate(DEFAULT, "false"))
    _waits(None, since(rng), stage, names)


def _default_young(stage: Stage, names: Names, rng: Random) -> None:
    stage.change_at(rng.uniform(2, 40) * HOUR_S, CLASS, "", "gp3", annotate(DEFAULT, None))
    stage.put_at(rng.uniform(20, 60), claim(data(names), None))


def _no_class_on_purpose(stage: Stage, names: Names, rng: Random) -> None:
    stage.change_at(rng.uniform(2, 40) * HOUR_S, CLASS, "", "gp3", annotate(DEFAULT, "false"))
    _waits("", since(rng), stage, names)


# SEVERAL_DEFAULT_STORAGE_CLASSES


def _defaults(second: str, until_s: float = 0.0) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        made = storage_class(_own_class(names), EBS, at_once=False, notes={DEFAULT: second})
        stage.put_at(rng.uniform(3, 9) * HOUR_S, made)
        if until_s:
            stage.change_at(until_s, CLASS, "", _own_class(names), annotate(DEFAULT, "false"))
        _waits("gp3", 2 * HOUR_S, stage, names)

    return build


# PROVISIONER_MISSING and PVC_PENDING


def _unserved(*, at_once: bool, installed: bool = False) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        name = (FSX, EFS)[names.seed % 2]
        stage.put_at(2 * HOUR_S, storage_class(_own_class(names), name, at_once=at_once))
        if installed:
            stage.put_at(2 * HOUR_S, csi_driver(name))
        _waits(_own_class(names), since(rng), stage, names)

    return build


def _installed_late(stage: Stage, names: Names, rng: Random) -> None:
    name = (FSX, EFS)[names.seed % 2]
    stage.put_at(2 * HOUR_S, storage_class(_own_class(names), name))
    _waits(_own_class(names), rng.uniform(45, 55) * MIN_S, stage, names)
    stage.put_at(25 * MIN_S, csi_driver(name))
    stage.at(25 * MIN_S, lambda: stage.let_driver(name))


def _no_consumer(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(rng.uniform(1, 30) * HOUR_S, claim(data(names)))


def _young(stage: Stage, names: Names, rng: Random) -> None:
    name = (FSX, EFS)[names.seed % 2]
    stage.put_at(2 * HOUR_S, storage_class(_own_class(names), name), csi_driver(name))
    stage.put_at(rng.uniform(30, 80), claim(data(names), _own_class(names)))


# PROVISIONING_FAILED and PVC_ACCESS_MODE_UNSUPPORTED


def _refused(stage: Stage, names: Names, rng: Random) -> None:
    words = _REFUSALS[names.seed % len(_REFUSALS)]
    stage.at(HOUR_S, lambda: stage.let_driver(EBS, create_error=words))
    _waits("gp3", since(rng), stage, names)


def _refused_once(stage: Stage, names: Names, rng: Random) -> None:
    words = _REFUSALS[names.seed % len(_REFUSALS)]
    stage.at(HOUR_S, lambda: stage.let_driver(EBS, create_error=words))
    _waits("gp3", rng.uniform(45, 55) * MIN_S, stage, names)
    stage.at(rng.uniform(15, 30) * MIN_S, lambda: stage.let_driver(EBS))


def _shared_by(driver: str) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        of = "gp3"
        if driver != EBS:
            of = _own_class(names)
            stage.put_at(2 * HOUR_S, storage_class(of, driver), csi_driver(driver))
            stage.at(2 * HOUR_S, lambda: stage.let_driver(driver))
        mode = ("ReadWriteMany", "ReadOnlyMany")[names.seed % 2]
        _waits(of, since(rng), stage, names, mode=mode)

    return build


def _made_anew(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(50 * MIN_S, claim(data(names), mode="ReadWriteMany"))
    stage.delete_at(30 * MIN_S, "PersistentVolumeClaim", HOME, data(names), names.cleaner)
    _waits("gp3", rng.uniform(20, 25) * MIN_S, stage, names)


# PVC_VOLUME_MISMATCH, PV_RELEASED, PVC_NO_VOLUME


def _disk(names: Names) -> str:
    return f"{names.api}-disk-{names.seed}"


def _misfit(stage: Stage, names: Names, rng: Random) -> None:
    wrong: tuple[Obj, ...] = (
        {"size": "5Gi"},
        {"mode": "ReadOnlyMany"},
        {"of": "archive"},
    )
    stage.put_at(DAY_AGO_S, volume(_disk(names), **wrong[names.seed % len(wrong)]))
    _named(stage, names, since(rng))


DAY_AGO_S = 26 * HOUR_S


def _named(stage: Stage, names: Names, at_s: float) -> None:
    stage.put_at(at_s + 20, claim(data(names), "", volumeName=_disk(names)))
    put_keeper(stage, names, at_s, data(names))


def _earlier(names: Names) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": HOME,
        "name": data(names),
        "uid": f"8d7c6b5a-{names.seed:04d}-4f3e-9d2c-1b0a9f8e7d6c",
    }


def _released(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(DAY_AGO_S, volume(_disk(names), claimRef=_earlier(names)))
    _named(stage, names, since(rng))


def _released_unwanted(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(DAY_AGO_S, volume(_disk(names), claimRef=_earlier(names)))
    _waits("gp3", since(rng), stage, names)


def _given_back(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(DAY_AGO_S, volume(_disk(names), claimRef=_earlier(names)))
    _named(stage, names, rng.uniform(45, 55) * MIN_S)

    def clear(found: Obj) -> None:
        found["spec"].pop("claimRef", None)

    stage.change_at(rng.uniform(25, 35) * MIN_S, "PersistentVolume", "", _disk(names), clear)


def _fits_now(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(DAY_AGO_S, volume(_disk(names), size="5Gi"))
    stage.put_at(55 * MIN_S, claim(data(names), "", volumeName=_disk(names)))
    stage.delete_at(40 * MIN_S, "PersistentVolumeClaim", HOME, data(names), names.cleaner)
    stage.put_at(35 * MIN_S, claim(data(names), "", size="5Gi", volumeName=_disk(names)))
    put_keeper(stage, names, rng.uniform(20, 30) * MIN_S, data(names))


def _nothing_there(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(2 * HOUR_S, storage_class(_own_class(names), STATIC, at_once=False))
    if names.seed % 2:
        stage.put_at(2 * HOUR_S, volume(_disk(names), _own_class(names), size="1Gi", mode="ReadOnlyMany"))
    _waits(_own_class(names), since(rng), stage, names)


def _static_unused(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(2 * HOUR_S, storage_class(_own_class(names), STATIC, at_once=False))
    stage.put_at(rng.uniform(1, 3) * HOUR_S, claim(data(names), _own_class(names)))


def _made_by_hand(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(2 * HOUR_S, storage_class(_own_class(names), STATIC, at_once=False))
    _waits(_own_class(names), rng.uniform(45, 55) * MIN_S, stage, names)
    stage.put_at(rng.uniform(20, 30) * MIN_S, volume(_disk(names), _own_class(names)))


# PVC_LOST


def _lost(stage: Stage, names: Names, rng: Random) -> None:
    """A claim restored from a backup without its volume."""
    found = claim(data(names), volumeName=f"pvc-{rng.getrandbits(64):016x}")
    found["metadata"]["annotations"] = {
        "pv.kubernetes.io/bind-completed": "yes",
        "pv.kubernetes.io/bound-by-controller": "yes",
    }
    stage.put_at(rng.uniform(20, 50) * MIN_S, found)
    put_keeper(stage, names, since(rng), data(names))


def _volume_awaited(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(since(rng) + 30, claim(data(names), "gp3", volumeName=f"pvc-{rng.getrandbits(64):016x}"))


def _lost_and_made_anew(stage: Stage, names: Names, rng: Random) -> None:
    found = claim(data(names), volumeName=f"pvc-{rng.getrandbits(64):016x}")
    found["metadata"]["annotations"] = {"pv.kubernetes.io/bind-completed": "yes"}
    stage.put_at(55 * MIN_S, found)
    stage.delete_at(40 * MIN_S, "PersistentVolumeClaim", HOME, data(names), names.cleaner)
    _waits("gp3", rng.uniform(20, 30) * MIN_S, stage, names)


# PVC_UNBOUND


def _no_claim(stage: Stage, names: Names, rng: Random) -> None:
    put_keeper(stage, names, since(rng), data(names))


def _claim_comes(stage: Stage, names: Names, rng: Random) -> None:
    put_keeper(stage, names, rng.uniform(45, 55) * MIN_S, data(names))
    stage.put_at(rng.uniform(25, 35) * MIN_S, claim(data(names)))


_MISSING = expects("STORAGE_CLASS_MISSING", CLASS, _absent)
_OWN = expects("PROVISIONER_MISSING", CLASS, _own_class)
_TWO = expects("SEVERAL_DEFAULT_STORAGE_CLASSES", CLASS, _own_class)
_HELD = expects("PV_RELEASED", "PersistentVolume", _disk)
_NONE = at_claim("PVC_NO_VOLUME")
_SLOW = at_claim("PVC_PENDING")

TRIALS: tuple[Trial, ...] = (
    trial("STORAGE_CLASS_MISSING", "positive", _no_class, _MISSING, says="A claim names no class there is."),
    trial("STORAGE_CLASS_MISSING", "look_alike", _nothing_there, _NONE, says="The class makes no volumes."),
    trial("STORAGE_CLASS_MISSING", "recovered", _class_comes, says="The class was created half an hour ago."),
    trial(
        "DEFAULT_STORAGE_CLASS_MISSING",
        "positive",
        _no_default,
        at_claim("DEFAULT_STORAGE_CLASS_MISSING"),
        says="A claim without a class, and no default.",
    ),
    trial(
        "DEFAULT_STORAGE_CLASS_MISSING",
        "look_alike",
        _no_class_on_purpose,
        _NONE,
        says="An empty class on purpose, and no volume that was made by hand.",
    ),
    trial("DEFAULT_STORAGE_CLASS_MISSING", "recovered", _default_young, says="The claim is a minute old."),
    trial("SEVERAL_DEFAULT_STORAGE_CLASSES", "positive", _defaults("true"), _TWO, says="Two defaults."),
    trial("SEVERAL_DEFAULT_STORAGE_CLASSES", "look_alike", _defaults("false"), says="The note says false."),
    trial(
        "SEVERAL_DEFAULT_STORAGE_CLASSES",
        "recovered",
        _defaults("true", until_s=HOUR_S),
        says="One of the two gave it up an hour ago.",
    ),
    trial("PROVISIONER_MISSING", "positive", _unserved(at_once=True), _OWN, says="Nobody answers the class."),
    trial(
        "PROVISIONER_MISSING",
        "positive",
        _unserved(at_once=False),
        _OWN,
        says="Nobody answers once the pod has a node.",
        variant="after-scheduling",
    ),
    trial(
        "PROVISIONER_MISSING",
        "look_alike",
        _unserved(at_once=True, installed=True),
        _SLOW,
        says="The driver is installed and its controller does not run.",
    ),
    trial("PROVISIONER_MISSING", "recovered", _installed_late, says="The driver was installed later."),
    trial(
        "PVC_PENDING",
        "positive",
        _unserved(at_once=True, installed=True),
        _SLOW,
        says="The driver is installed and says nothing.",
    ),
    trial("PVC_PENDING", "look_alike", _no_consumer, says="It waits for its first consumer."),
    trial("PVC_PENDING", "recovered", _young, says="It is a minute old."),
    trial(
        "PROVISIONING_FAILED",
        "positive",
        _refused,
        at_claim("PROVISIONING_FAILED"),
        says="The driver refuses in its cloud's words.",
    ),
    trial(
        "PROVISIONING_FAILED",
        "look_alike",
        _shared_by(EBS),
        at_claim("PVC_ACCESS_MODE_UNSUPPORTED"),
        says="Refused because of the access mode.",
    ),
    trial("PROVISIONING_FAILED", "recovered", _refused_once, says="Refused for a while, then made."),
    trial(
        "PVC_ACCESS_MODE_UNSUPPORTED",
        "positive",
        _shared_by(EBS),
        at_claim("PVC_ACCESS_MODE_UNSUPPORTED"),
        says="Block storage for many nodes.",
    ),
    trial("PVC_ACCESS_MODE_UNSUPPORTED", "look_alike", _shared_by(EFS), says="A shared file system can."),
    trial("PVC_ACCESS_MODE_UNSUPPORTED", "recovered", _made_anew, says="The claim was made anew."),
    trial(
        "PVC_VOLUME_MISMATCH",
        "positive",
        _misfit,
        at_claim("PVC_VOLUME_MISMATCH"),
        says="The volume it names is too small, of another class, or for reading only.",
    ),
    trial("PVC_VOLUME_MISMATCH", "look_alike", _released, _HELD, says="It would fit, and is not free."),
    trial("PVC_VOLUME_MISMATCH", "recovered", _fits_now, says="A claim that fits was made."),
    trial(
        "PV_RELEASED", "positive", _released, _HELD, says="Kept for a claim of the same name that is gone."
    ),
    trial("PV_RELEASED", "look_alike", _released_unwanted, says="A released volume that nobody wants."),
    trial("PV_RELEASED", "recovered", _given_back, says="Its claimRef was cleared."),
    trial("PVC_NO_VOLUME", "positive", _nothing_there, _NONE, says="A class without provisioner or volumes."),
    trial("PVC_NO_VOLUME", "look_alike", _static_unused, says="No pod wants it yet."),
    trial("PVC_NO_VOLUME", "recovered", _made_by_hand, says="A volume was made by hand."),
    trial("PVC_LOST", "positive", _lost, at_claim("PVC_LOST"), says="Restored without its volume."),
    trial("PVC_LOST", "look_alike", _volume_awaited, _SLOW, says="It awaits a volume that never was."),
    trial("PVC_LOST", "recovered", _lost_and_made_anew, says="The claim was made anew."),
    trial("PVC_UNBOUND", "positive", _no_claim, at_claim("PVC_UNBOUND"), says="The claim does not exist."),
    trial("PVC_UNBOUND", "look_alike", _no_class, _MISSING, says="The claim is there and gets no volume."),
    trial("PVC_UNBOUND", "recovered", _claim_comes, says="The claim was created half an hour ago."),
)
