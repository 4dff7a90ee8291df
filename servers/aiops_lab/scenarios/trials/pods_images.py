"""Trials of images that cannot be had: each by the words of containerd and of registries.

Answers as containerd's resolver and the registries give them (`core/remotes/docker`); how the kubelet passes
them on: `pkg/kubelet/images/image_manager.go`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Stage
from aiops_lab.scenarios.images import Image, canonical, split
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.pulls import set_image
from aiops_lab.scenarios.trials.base import Trial, trial
from aiops_lab.scenarios.trials.pods_base import (
    HOME,
    HOUR_S,
    held,
    put_app,
    recent_s,
    waits,
    wrong,
)

_RESOLVE = 'failed to pull and unpack image "{full}": failed to resolve reference "{full}": '
_FETCH = 'failed to pull and unpack image "{full}": failed to copy: '


@dataclass(frozen=True, slots=True)
class Answers:
    """What the registry or the runtime answers, and the answer that only looks like it."""

    code: str
    lines: tuple[str, ...]
    looks_like: str  # the answer of the look-alike
    is_in_fact: str  # and its code


_ANSWERS = (
    Answers(
        "IMAGE_NOT_FOUND",
        (
            "rpc error: code = NotFound desc = " + _RESOLVE + "{full}: not found",
            _RESOLVE + "unexpected status from HEAD request to {url}: 404 Not Found",
            _FETCH + "manifest unknown: manifest unknown",
        ),
        _RESOLVE + "pull access denied, repository does not exist or may require authorization: server "
        "message: insufficient_scope: authorization failed",
        "IMAGE_AUTH",
    ),
    Answers(
        "IMAGE_AUTH",
        (
            _RESOLVE + "unexpected status from HEAD request to {url}: 401 Unauthorized",
            _RESOLVE + "unexpected status from HEAD request to {url}: 403 Forbidden",
            _RESOLVE + "pull access denied, repository does not exist or may require authorization: "
            "authorization failed: no basic auth credentials",
        ),
        _RESOLVE + "failed to do request: Head {url}: dial tcp 10.0.0.2:443: connect: connection refused",
        "REGISTRY_UNREACHABLE",
    ),
    Answers(
        "IMAGE_RATE_LIMITED",
        (
            _FETCH
            + "httpReadSeeker: failed open: unexpected status code {url}: 429 Too Many Requests - Server "
            "message: toomanyrequests: You have reached your unauthenticated pull rate limit.",
            _RESOLVE + "unexpected status from HEAD request to {url}: 429 Too Many Requests",
        ),
        _RESOLVE + "unexpected status from HEAD request to {url}: 403 Forbidden",
        "IMAGE_AUTH",
    ),
    Answers(
        "REGISTRY_UNREACHABLE",
        (
            _RESOLVE + "failed to do request: Head {url}: dial tcp {ip}:443: i/o timeout",
            _RESOLVE + "failed to do request: Head {url}: dial tcp {ip}:443: connect: connection refused",
            _RESOLVE + "failed to do request: Head {url}: net/http: TLS handshake timeout",
            "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
        ),
        _RESOLVE + "failed to do request: Head {url}: dial tcp: lookup {host} on 10.0.0.2:53: no such host",
        "REGISTRY_DNS",
    ),
    Answers(
        "REGISTRY_DNS",
        (
            _RESOLVE
            + "failed to do request: Head {url}: dial tcp: lookup {host} on 10.0.0.2:53: no such host",
            _RESOLVE + "failed to do request: Head {url}: dial tcp: lookup {host}: i/o timeout",
            _RESOLVE + "failed to do request: Head {url}: dial tcp: lookup {host} on 10.0.0.2:53: server "
            "misbehaving",
        ),
        _RESOLVE + "failed to do request: Head {url}: dial tcp {ip}:443: i/o timeout",
        "REGISTRY_UNREACHABLE",
    ),
    Answers(
        "REGISTRY_TLS",
        (
            _RESOLVE
            + "failed to do request: Head {url}: tls: failed to verify certificate: x509: certificate "
            "signed by unknown authority",
            _RESOLVE
            + "failed to do request: Head {url}: tls: failed to verify certificate: x509: certificate "
            "has expired or is not yet valid",
        ),
        _RESOLVE + "failed to do request: Head {url}: net/http: TLS handshake timeout",
        "REGISTRY_UNREACHABLE",
    ),
    Answers(
        "IMAGE_WRONG_PLATFORM",
        (
            'failed to pull and unpack image "{full}": no match for platform in manifest: not found',
            (
                'rpc error: code = NotFound desc = failed to pull and unpack image "{full}": no match for '
                "platform in manifest: not found"
            ),
        ),
        _RESOLVE + "{full}: not found",
        "IMAGE_NOT_FOUND",
    ),
    Answers(
        "IMAGE_PULL_FAILED",
        (
            'failed to pull and unpack image "{full}": failed to extract layer: unpigz: skipping: corrupted',
            'failed to pull and unpack image "{full}": mismatched image rootfs and manifest layers',
        ),
        _RESOLVE + "failed to do request: Head {url}: read: connection reset by peer",
        "REGISTRY_UNREACHABLE",
    ),
)


def _answer(names: Names, rng: Random, line: str) -> Image:
    repository, tag = split(names.api_image)
    host = repository.partition("/")[0] if "." in repository.partition("/")[0] else "registry-1.docker.io"
    words = line.format(
        full=canonical(names.api_image),
        url=f'"https://{host}/v2/{names.api}/manifests/{tag}"',
        host=host,
        ip=f"10.{rng.randint(0, 90)}.{rng.randint(0, 90)}.{rng.randint(2, 250)}",
    )
    return Image(serving(names.api), pull_error=words)


def _refused(*lines: str) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        line = lines[(names.seed + rng.randrange(2)) % len(lines)]
        stage.publish(names.api_image, _answer(names, rng, line))
        put_app(stage, names, recent_s(rng))

    return build


def _refused_for_a_while(*lines: str) -> Build:
    """The same answer three quarters of an hour ago, for some minutes; then the image came."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        stage.publish(names.api_image, _answer(names, rng, lines[names.seed % len(lines)]))
        began_s = rng.uniform(48, 55) * 60
        put_app(stage, names, began_s)
        stage.at(began_s - rng.uniform(60, 240), lambda: _publish(stage, names))

    return build


def _publish(stage: Stage, names: Names) -> None:
    stage.publish(names.api_image, Image(serving(names.api)))


def _trials_of(one: Answers) -> tuple[Trial, ...]:
    return (
        trial(
            one.code,
            "positive",
            _refused(*one.lines),
            wrong(one.code),
            says="The image cannot be had: the registry's answer says why.",
        ),
        trial(
            one.code,
            "look_alike",
            _refused(one.looks_like),
            wrong(one.is_in_fact),
            says="An answer that sounds alike and means something else.",
        ),
        trial(
            one.code,
            "recovered",
            _refused_for_a_while(*one.lines),
            says="It was so for some minutes, an hour ago; the image has been there since.",
        ),
    )


def _misspelt(stage: Stage, names: Names, rng: Random) -> None:
    """A rollout to a name that is none."""
    put_app(stage, names, rng.uniform(2, 9) * 24 * HOUR_S, serving(names.api))
    repository, tag = split(names.api_image)
    bad = rng.choice(
        (
            f"{repository}:{tag}@sha256:{rng.getrandbits(40):x}",
            f"-{repository}:{tag}",
            f"{repository.upper()}:{tag}",
        )
    )
    stage.change_at(recent_s(rng), "Deployment", HOME, names.api, set_image(bad))


def _odd_but_valid(stage: Stage, names: Names, rng: Random) -> None:
    """A name full of signs that is valid, and not there."""
    put_app(stage, names, rng.uniform(2, 9) * 24 * HOUR_S, serving(names.api))
    odd = f"{split(names.api_image)[0]}:v{rng.randint(1, 9)}__rc.{rng.randint(1, 9)}-x"
    stage.change_at(recent_s(rng), "Deployment", HOME, names.api, set_image(odd))


def _then_rolled_back(change: Callable[[Obj], None]) -> Build:
    """A bad template for some minutes, three quarters of an hour ago."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        put_app(stage, names, rng.uniform(2, 9) * 24 * HOUR_S, serving(names.api))
        began_s = rng.uniform(45, 55) * 60
        stage.change_at(began_s, "Deployment", HOME, names.api, change)
        stage.change_at(began_s - 300, "Deployment", HOME, names.api, _back(names))

    return build


def _back(names: Names) -> Callable[[Obj], None]:
    def change(obj: Obj) -> None:
        main = obj["spec"]["template"]["spec"]["containers"][0]
        main["image"] = names.api_image
        main.pop("imagePullPolicy", None)

    return change


def _never_pulled(stage: Stage, names: Names, rng: Random) -> None:
    put_app(stage, names, recent_s(rng), serving(names.api), imagePullPolicy="Never")


def _never(obj: Obj) -> None:
    main = obj["spec"]["template"]["spec"]["containers"][0]
    main["image"], main["imagePullPolicy"] = "local/built-here:dev", "Never"


def _if_not_present(stage: Stage, names: Names, rng: Random) -> None:
    """May be pulled, and is nowhere."""
    put_app(stage, names, rng.uniform(2, 9) * 24 * HOUR_S, serving(names.api), imagePullPolicy="IfNotPresent")
    gone = f"{split(names.api_image)[0]}:{rng.randint(20, 90)}.0.0"
    stage.change_at(recent_s(rng), "Deployment", HOME, names.api, set_image(gone))


def _waiting(reason: str, *lines: str) -> Build:
    """The kubelet says so in the container's status."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        words = lines[names.seed % len(lines)].format(image=names.api_image)
        began_s = recent_s(rng)
        pods = held(stage, names, began_s, waits(reason, words))
        for again in range(3):
            for pod in pods:
                stage.say_at(began_s - 30 - 60 * again, "Pod", HOME, pod, "Failed", f"Error: {reason}")

    return build


_INSPECT = (
    'Failed to inspect image "{image}": rpc error: code = Unknown desc = layer not known',
    (
        'Failed to inspect image "{image}": rpc error: code = Unavailable desc = connection error: '
        'desc = "transport: Error while dialing: dial unix /run/containerd.sock: connection refused"'
    ),
)
_SIGNED = (
    (
        "image pull failed for {image} because the signature validation failed: Source image rejected: A "
        "signature was required, but no signature exists"
    ),
    (
        "image pull failed for {image} because the signature validation failed: Source image rejected: "
        "Invalid GPG signature"
    ),
)

TRIALS: tuple[Trial, ...] = (
    *(one for answers in _ANSWERS for one in _trials_of(answers)),
    trial("IMAGE_NAME_INVALID", "positive", _misspelt, wrong("IMAGE_NAME_INVALID"), says="No valid name."),
    trial(
        "IMAGE_NAME_INVALID", "look_alike", _odd_but_valid, wrong("IMAGE_NOT_FOUND"), says="Valid, and gone."
    ),
    trial("IMAGE_NAME_INVALID", "recovered", _then_rolled_back(set_image("Bad::Name")), says="Rolled back."),
    trial(
        "IMAGE_NEVER_PULLED",
        "positive",
        _never_pulled,
        wrong("IMAGE_NEVER_PULLED"),
        says="It may not be pulled, and no node has it.",
    ),
    trial(
        "IMAGE_NEVER_PULLED", "look_alike", _if_not_present, wrong("IMAGE_NOT_FOUND"), says="May be pulled."
    ),
    trial("IMAGE_NEVER_PULLED", "recovered", _then_rolled_back(_never), says="Rolled back."),
    trial(
        "IMAGE_INSPECT_FAILED",
        "positive",
        _waiting("ImageInspectError", *_INSPECT),
        wrong("IMAGE_INSPECT_FAILED"),
        says="The runtime cannot look at the image.",
    ),
    trial(
        "IMAGE_INSPECT_FAILED",
        "look_alike",
        _refused(_RESOLVE + "{full}: not found"),
        wrong("IMAGE_NOT_FOUND"),
        says="The registry was asked and has no such image.",
    ),
    trial(
        "IMAGE_INSPECT_FAILED",
        "recovered",
        _refused_for_a_while("failed to inspect image: layer not known"),
        says="For some minutes, an hour ago.",
    ),
    trial(
        "IMAGE_SIGNATURE_INVALID",
        "positive",
        _waiting("SignatureValidationFailed", *_SIGNED),
        wrong("IMAGE_SIGNATURE_INVALID"),
        says="The node's policy wants a signature.",
    ),
    trial(
        "IMAGE_SIGNATURE_INVALID",
        "look_alike",
        _refused(
            _RESOLVE + "failed to do request: Head {url}: tls: failed to verify certificate: x509: invalid "
            "signature: parent certificate cannot sign this kind of certificate"
        ),
        wrong("REGISTRY_TLS"),
        says="A signature too, but of the registry's certificate.",
    ),
    trial(
        "IMAGE_SIGNATURE_INVALID",
        "recovered",
        _refused_for_a_while("SignatureValidationFailed: Source image rejected"),
        says="For some minutes, an hour ago.",
    ),
)
