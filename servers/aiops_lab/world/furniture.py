"""Healthy workloads."""

from random import Random
from typing import TYPE_CHECKING

from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.shapes import container, deployment, http_probe, service, template

if TYPE_CHECKING:
    from aiops_lab.world.world import World

DAY_S = 86_400.0


def furnish(world: "World", names: Names, rng: Random) -> None:
    """Create them."""
    for place, replicas in enumerate((3, 2, 3)):
        subject = names.others[place]
        image = world.publish(names.image(subject, f"1.{rng.randint(0, 20)}.{rng.randint(0, 9)}"))
        pod = template({"app": subject}, [container("app", image, readinessProbe=http_probe())])
        since_s = rng.uniform(4, 25) * DAY_S
        world.put_at(since_s, deployment("production", subject, replicas, pod))
        world.put_at(since_s, service("production", subject, subject))
