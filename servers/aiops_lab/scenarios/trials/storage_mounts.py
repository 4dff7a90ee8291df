"""Trials of volumes that a node does not get: attached elsewhere, or refused by whoever should give them."""

from collections.abc import Callable
from random import Random

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.shapes import config_map, container, deployment, http_probe, service, template
from aiops_lab.scenarios.trials.base import Trial, trial
from aiops_lab.scenarios.trials.storage_base import (
    DAY_S,
    EFS,
    HOME,
    HOUR_S,
    MIN_S,
    at_api,
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

_ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
_NODES = ("ip-10-0-0-41.ec2.internal", "ip-10-0-1-42.ec2.internal", "ip-10-0-2-43.ec2.internal")
_SET_UP = 'MountVolume.SetUp failed for volume "{volume}" : '
_DEVICE = 'MountVolume.MountDevice failed for volume "{volume}" : '
_ATTACH = 'AttachVolume.Attach failed for volume "{volume}" : '
# pkg/volume/csi and k8s.io/mount-utils give the frames, the drivers the words inside
_INTERNAL = "rpc error: code = Internal desc = "
_STATUS = "mount failed: exit status 32 Output: "
_TIMES_OUT = (
    f"{_SET_UP}rpc error: code = DeadlineExceeded desc = context deadline exceeded",
    f'{_SET_UP}{_INTERNAL}Could not mount "fs-1:/" at "/var/lib/kubelet": mount failed: exit status 1',
    f"{_DEVICE}rpc error: code = Aborted desc = An operation with the given Volume ID already exists",
)
_WRONG_FS = (
    f"{_DEVICE}{_INTERNAL}could not mount: {_STATUS}mount: wrong fs type, bad option, bad superblock on sdf",
    f'{_DEVICE}failed to mount the volume as "ext4", it already contains xfs. Mount error: {_STATUS}',
)
_DENIED = (
    f"{_SET_UP}{_STATUS}mount.nfs: access denied by server while mounting 10.0.9.8:/",
    f'{_SET_UP}{_INTERNAL}Could not mount "fs-0ab:/": {_STATUS}mount.nfs4: Operation not permitted',
)
_NO_ATTACH = (
    f'{_ATTACH}rpc error: code = NotFound desc = Volume "vol-0a1b2c3d4e5f60718" not found',
    f"{_ATTACH}{_INTERNAL}Could not attach volume: attachment limit exceeded",
    f"{_ATTACH}timed out waiting for external-attacher of ebs.csi.aws.com CSI driver to attach volume vol-1",
)
_UNREGISTERED = (
    f"{_DEVICE}kubernetes.io/csi: attacher.MountDevice failed to create newCsiDriverClient: driver name "
    "ebs.csi.aws.com not found in the list of registered CSI drivers"
)


def _secret_words(names: Names) -> str:
    return (
        f"{_DEVICE}fetching NodeStageSecretRef {HOME}/{names.config}-mount failed: kubernetes.io/csi: failed "
        f"to find the secret {names.config}-mount in the namespace {HOME} with error: secrets "
        f'"{names.config}-mount" not found'
    )


def _refused(words: tuple[str, ...], reason: str = "FailedMount") -> Build:
    """The claim gets its volume, and the pod never gets its mount."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        at_s = since(rng)
        said = words[names.seed % len(words)]
        stage.at(at_s + 60, lambda: stage.refuse_volume(HOME, data(names), said, reason))
        stage.put_at(at_s + 20, claim(data(names), size=f"{rng.randint(2, 60)}Gi"))
        put_keeper(stage, names, at_s, data(names))

    return build


def _refused_for_a_while(words: tuple[str, ...], reason: str = "FailedMount") -> Build:
    """Refused until half an hour ago."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        at_s = rng.uniform(45, 55) * MIN_S
        said = words[names.seed % len(words)]
        stage.at(at_s + 60, lambda: stage.refuse_volume(HOME, data(names), said, reason))
        stage.at(rng.uniform(20, 35) * MIN_S, lambda: stage.allow_volume(HOME, data(names)))
        stage.put_at(at_s + 20, claim(data(names)))
        put_keeper(stage, names, at_s, data(names))

    return build


def _no_secret(stage: Stage, names: Names, rng: Random) -> None:
    _refused((_secret_words(names),))(stage, names, rng)


def _secret_came(stage: Stage, names: Names, rng: Random) -> None:
    _refused_for_a_while((_secret_words(names),))(stage, names, rng)


def _pinned(names: Names) -> str:
    return _NODES[names.seed % len(_NODES)]


def _unregistered(*, until_s: float = 0.0, words: str = _UNREGISTERED) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        at_s = rng.uniform(45, 55) * MIN_S if until_s else since(rng)
        stage.at(at_s + 60, lambda: stage.refuse_volume(HOME, data(names), words))
        if until_s:
            stage.at(until_s, lambda: stage.allow_volume(HOME, data(names)))
        stage.put_at(at_s + 20, claim(data(names)))
        pinned = {"kubernetes.io/hostname": _pinned(names)}
        put_keeper(stage, names, at_s, data(names), nodeSelector=pinned)

    return build


def _config_gone(stage: Stage, names: Names, rng: Random) -> None:
    """The same ContainerCreating, because of a ConfigMap volume that is not there."""
    at_s = since(rng)
    image = stage.publish(names.api_image, Image(serving(names.api)))
    main = container("app", image, readinessProbe=http_probe())
    main["volumeMounts"] = [{"name": "cfg", "mountPath": "/etc/app"}]
    volumes = [{"name": "cfg", "configMap": {"name": names.config}}]
    pod = template({"app": names.api}, [main], volumes=volumes)
    stage.put_at(at_s + 30, config_map(HOME, f"{names.config}-old", {"a": "b"}))
    stage.put_at(at_s, deployment(HOME, names.api, 1, pod), service(HOME, names.api, names.api))


# VOLUME_MULTI_ATTACH


def _newer(stage: Stage, names: Names) -> Callable[[Obj], None]:
    newer = stage.publish(f"{names.api_image}-next", Image(serving(names.api)))

    def move(found: Obj) -> None:
        spec = found["spec"]["template"]["spec"]
        spec["containers"][0]["image"] = newer
        rule = {"key": "kubernetes.io/hostname", "operator": "NotIn", "values": [_pinned(names)]}
        terms = [{"matchExpressions": [rule]}]
        spec.pop("nodeSelector", None)
        spec["affinity"] = {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
        }

    return move


def _moves(of: str, before_s: float, *, strategy: Obj, ends_s: float = 0.0) -> Build:
    """The next revision has to go to another node of the zone while the old pod still runs."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        del rng
        mode = "ReadWriteOnce"
        if of != "gp3":
            stage.put_at(3 * DAY_S, storage_class(of, EFS), csi_driver(EFS))
            stage.at(3 * DAY_S, lambda: stage.let_driver(EFS))
            mode = "ReadWriteMany"
        stage.put_at(2 * DAY_S, claim(data(names), of, mode=mode))
        pinned = {"kubernetes.io/hostname": _pinned(names)}
        put_keeper(stage, names, 2 * DAY_S - 60, data(names), strategy=strategy, nodeSelector=pinned)
        stage.change_at(before_s, "Deployment", HOME, names.api, _newer(stage, names))
        if ends_s:
            stage.change_at(ends_s, "Deployment", HOME, names.api, _recreate)

    return build


def _recreate(found: Obj) -> None:
    found["spec"]["strategy"] = {"type": "Recreate"}


# VOLUME_ZONE_CONFLICT


def _in_zone(zone: str, *, cpu: str = "") -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        home = zone or ("us-east-1a", "us-east-1b", "us-east-1c")[names.seed % 3]
        name = f"{names.api}-disk"
        stage.put_at(3 * HOUR_S, volume(name, "zonal", zone=home), storage_class("zonal", "ebs.csi.aws.com"))
        stage.put_at(2 * HOUR_S, claim(data(names), "zonal", volumeName=name))
        put_keeper(stage, names, since(rng), data(names))
        if cpu:
            stage.change_at(14 * MIN_S, "Deployment", HOME, names.api, lambda found: _want(found, cpu))

    return build


def _want(found: Obj, cpu: str) -> None:
    found["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] = cpu


def _zone_mended(stage: Stage, names: Names, rng: Random) -> None:
    """The claim was made anew where nodes are."""
    name = f"{names.api}-disk"
    stage.put_at(3 * HOUR_S, volume(name, "zonal", zone="us-east-1f"))
    stage.put_at(2 * HOUR_S, storage_class("zonal", "ebs.csi.aws.com"))
    stage.put_at(55 * MIN_S, claim(data(names), "zonal", volumeName=name))
    put_keeper(stage, names, 50 * MIN_S, data(names))
    stage.put_at(40 * MIN_S, claim(f"{names.api}-data2"))

    def use(found: Obj) -> None:
        found["spec"]["template"]["spec"]["volumes"][0]["persistentVolumeClaim"] = {
            "claimName": f"{names.api}-data2"
        }

    stage.change_at(rng.uniform(25, 35) * MIN_S, "Deployment", HOME, names.api, use)


_NODE = expects("CSI_DRIVER_NOT_REGISTERED", "Node", _pinned)
_SECRET = expects("VOLUME_SECRET_MISSING", "Secret", lambda names: f"{names.config}-mount")
_CONFIG = expects("CONFIGMAP_MISSING", "ConfigMap", lambda names: names.config)
_FAILED = at_api("VOLUME_MOUNT_FAILED")
_DENY = at_claim("VOLUME_MOUNT_DENIED")
_FS = at_claim("VOLUME_FILESYSTEM_MISMATCH")
_HELD = at_api("VOLUME_MULTI_ATTACH")


def _pair(code: str, words: tuple[str, ...], reason: str = "FailedMount") -> tuple[Trial, ...]:
    """What every kind of refusal has."""
    found = _FAILED if code == "VOLUME_MOUNT_FAILED" else at_claim(code)
    return (
        trial(code, "positive", _refused(words, reason), found, says="Refused since it started."),
        trial(code, "recovered", _refused_for_a_while(words, reason), says="Refused for a while, then not."),
    )


TRIALS: tuple[Trial, ...] = (
    *_pair("VOLUME_MOUNT_FAILED", _TIMES_OUT),
    trial("VOLUME_MOUNT_FAILED", "look_alike", _config_gone, _CONFIG, says="A ConfigMap is what is missing."),
    *_pair("VOLUME_FILESYSTEM_MISMATCH", _WRONG_FS),
    trial(
        "VOLUME_FILESYSTEM_MISMATCH", "look_alike", _refused(_DENIED), _DENY, says="Refused by the server."
    ),
    *_pair("VOLUME_MOUNT_DENIED", _DENIED),
    trial("VOLUME_MOUNT_DENIED", "look_alike", _refused(_WRONG_FS), _FS, says="A wrong file system."),
    *_pair("VOLUME_ATTACH_FAILED", _NO_ATTACH, "FailedAttachVolume"),
    trial("VOLUME_ATTACH_FAILED", "look_alike", _refused(_TIMES_OUT), _FAILED, says="Attached, not mounted."),
    trial("VOLUME_SECRET_MISSING", "positive", _no_secret, _SECRET, says="The driver's Secret is missing."),
    trial("VOLUME_SECRET_MISSING", "look_alike", _refused(_DENIED), _DENY, says="Refused with its Secret."),
    trial("VOLUME_SECRET_MISSING", "recovered", _secret_came, says="The Secret was created."),
    trial("CSI_DRIVER_NOT_REGISTERED", "positive", _unregistered(), _NODE, says="No plugin on that node."),
    trial(
        "CSI_DRIVER_NOT_REGISTERED",
        "look_alike",
        _unregistered(words=_TIMES_OUT[0]),
        _FAILED,
        says="The plugin is there and does not answer.",
    ),
    trial(
        "CSI_DRIVER_NOT_REGISTERED",
        "recovered",
        _unregistered(until_s=30 * MIN_S),
        says="The plugin registered half an hour ago.",
    ),
    trial(
        "VOLUME_MULTI_ATTACH",
        "positive",
        _moves("gp3", 20 * MIN_S, strategy=_ROLLING),
        _HELD,
        says="A rollout that starts the new pod before the old one is gone.",
    ),
    trial(
        "VOLUME_MULTI_ATTACH",
        "look_alike",
        _moves("shared", 20 * MIN_S, strategy=_ROLLING),
        says="The same with a shared file system.",
    ),
    trial(
        "VOLUME_MULTI_ATTACH",
        "recovered",
        _moves("gp3", 50 * MIN_S, strategy=_ROLLING, ends_s=35 * MIN_S),
        says="The strategy became Recreate half an hour ago.",
    ),
    trial(
        "VOLUME_ZONE_CONFLICT",
        "positive",
        _in_zone("us-east-1f"),
        at_api("VOLUME_ZONE_CONFLICT"),
        says="The volume is in a zone without nodes.",
    ),
    trial(
        "VOLUME_ZONE_CONFLICT",
        "look_alike",
        _in_zone("", cpu="20"),
        at_api("INSUFFICIENT_CPU"),
        says="Its zone has nodes, and none has that much cpu.",
    ),
    trial("VOLUME_ZONE_CONFLICT", "recovered", _zone_mended, says="It uses another claim by now."),
)
