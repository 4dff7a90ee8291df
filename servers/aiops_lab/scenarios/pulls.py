"""Images that cannot be pulled: a tag that does not exist, a registry that refuses."""

from collections.abc import Callable
from random import Random

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Expect, Expected, Scenario, Stage
from aiops_lab.scenarios.images import Image, split
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.shapes import container, deployment, http_probe, service, template

HOME, DAY_S = "production", 86_400.0


def set_image(image: str) -> Callable[[Obj], None]:
    """A change of the first container's image."""

    def change(obj: Obj) -> None:
        obj["spec"]["template"]["spec"]["containers"][0]["image"] = image

    return change


def _app(stage: Stage, names: Names, rng: Random) -> None:
    stage.publish(names.api_image, Image(serving(names.api)))
    pod = template({"app": names.api}, [container("app", names.api_image, readinessProbe=http_probe())])
    since_s = rng.uniform(2, 9) * DAY_S
    stage.put_at(since_s, deployment(HOME, names.api, names.api_replicas, pod))
    stage.put_at(since_s, service(HOME, names.api, names.api))


def _tag_missing(stage: Stage, names: Names, rng: Random) -> None:
    """A rollout to a tag that was never pushed; the old revision serves on."""
    _app(stage, names, rng)
    wrong = f"{split(names.api_image)[0]}:{rng.randint(10, 40)}.{rng.randint(0, 9)}.0-rc{rng.randint(1, 4)}"
    stage.change_at(rng.uniform(13, 17) * 60, "Deployment", HOME, names.api, set_image(wrong))


def _refused(stage: Stage, names: Names, rng: Random) -> None:
    """A rollout to a repository that nobody here may read."""
    _app(stage, names, rng)
    repository = f"registry.example.com/{names.api}/private"
    stage.deny(repository)
    change = set_image(f"{repository}:{rng.randint(1, 9)}.0")
    stage.change_at(rng.uniform(13, 17) * 60, "Deployment", HOME, names.api, change)


def _says(code: str) -> Expect:
    def expect(names: Names) -> tuple[Expected, ...]:
        return (Expected(code, "Deployment", HOME, names.api, hurts_name=names.api, headline=names.api),)

    return expect


def _scenario(name: str, title: str, says: str, build: Build, code: str) -> Scenario:
    return Scenario(name, title, says, name, build, _says(code))


SCENARIOS = (
    _scenario(
        "image-pull",
        "ImagePullBackOff: the tag does not exist",
        "A rollout asks for a tag that was never pushed: ErrImagePull, ImagePullBackOff, and after ten "
        "minutes ProgressDeadlineExceeded. The old revision serves on.",
        _tag_missing,
        "IMAGE_NOT_FOUND",
    ),
    _scenario(
        "image-pull-denied",
        "ImagePullBackOff: the registry refuses",
        "A rollout asks for an image of a private repository without credentials.",
        _refused,
        "IMAGE_AUTH",
    ),
)
