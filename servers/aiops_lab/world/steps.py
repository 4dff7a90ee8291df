"""A value that changed at moments: how the world remembers what its exporters would have recorded."""

from typing import Generic, TypeVar

T = TypeVar("T")


class Steps(Generic[T]):
    """A value that changed at moments (Unix seconds); grows at its end."""

    __slots__ = ("told",)

    def __init__(self) -> None:
        self.told: list[tuple[float, T]] = []

    def say(self, at_s: float, value: T) -> None:
        """Note it if it is new."""
        if not self.told or self.told[-1][1] != value:
            self.told.append((at_s, value))
