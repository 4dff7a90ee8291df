"""A world as those see it who build on it from inside: the ground and the furniture.

`world.World` fulfils it. They take this and not the World, which itself calls them.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from aiops_lab.clock import VirtualClock
from aiops_lab.scenarios.images import Image
from aiops_lab.world.cluster import Cluster
from aiops_lab.world.cronjobs import CronJobs
from aiops_lab.world.objects import Obj


class Site(Protocol):
    """Where objects are put, changed and timed. Times are seconds before T0."""

    clock: VirtualClock
    cluster: Cluster
    cronjobs: CronJobs
    started_at: datetime

    def at(self, before_s: float, act: Callable[[], None]) -> None:
        """Do something at that moment."""

    def put(self, *objects: Obj, by: str = ...) -> None:
        """Create objects now."""

    def put_at(self, before_s: float, *objects: Obj, by: str = ...) -> None:
        """Create objects at that moment."""

    def change_at(
        self, before_s: float, kind: str, namespace: str, name: str, change: Callable[[Obj], None]
    ) -> None:
        """Edit an object at that moment."""

    def publish(self, ref: str, image: Image | None = None) -> str:
        """Make an image exist in the registry; returns its name."""
        ...
