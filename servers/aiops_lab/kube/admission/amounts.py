"""Quantities that can be added and are written as Kubernetes writes them.

After k8s.io/apimachinery/pkg/api/resource: a sum keeps the format of its first part, and the canonical form
takes the largest unit that leaves a whole number.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from aiops_lab.kube.quantities import parse_quantity

_DECIMAL = ("n", "u", "m", "", "k", "M", "G", "T", "P", "E")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_KIBI, _KILO = 1024, 1000


@dataclass(frozen=True, slots=True)
class Amount:
    """A number and whether it is written in powers of 1024."""

    value: Fraction
    binary: bool = False

    def __add__(self, other: "Amount") -> "Amount":
        """The sum, in the format of the first part that is not zero."""
        return Amount(self.value + other.value, self.binary if self.value else other.binary)

    def __sub__(self, other: "Amount") -> "Amount":
        """The difference, never below zero."""
        return Amount(max(Fraction(0), self.value - other.value), self.binary)

    def __str__(self) -> str:
        """The canonical form: `500m`, `1`, `2k`, `128Mi`."""
        if self.binary and abs(self.value) >= _KIBI:
            return _in_units(Fraction(math.ceil(self.value)), _BINARY, _KIBI)
        return _in_units(Fraction(math.ceil(self.value * 10**9)), _DECIMAL, _KILO)


NOTHING = Amount(Fraction(0))


def _in_units(number: Fraction, units: tuple[str, ...], base: int) -> str:
    place = 0
    while number and number % base == 0 and place < len(units) - 1:
        number, place = number / base, place + 1
    return f"{number}{units[place]}" if number else "0"


def amount(text: object) -> Amount:
    """A quantity of an object that passed validation; what is none counts as zero."""
    return _read(text) if isinstance(text, str | int | float) else NOTHING


@lru_cache(maxsize=4096)
def _read(text: str | int | float) -> Amount:
    number = parse_quantity(text)
    return Amount(number or Fraction(0), binary=str(text).endswith("i"))


def amounts(listed: dict[str, object] | None) -> dict[str, Amount]:
    """A ResourceList."""
    return {name: amount(text) for name, text in (listed or {}).items()}


def added(one: dict[str, Amount], other: dict[str, Amount]) -> dict[str, Amount]:
    """The sum of two lists."""
    return {**one, **{name: one.get(name, NOTHING) + more for name, more in other.items()}}


def larger(one: dict[str, Amount], other: dict[str, Amount]) -> dict[str, Amount]:
    """Per resource the larger of the two."""
    taken = {name: more for name, more in other.items() if name not in one or more.value > one[name].value}
    return {**one, **taken}


def of_pod(spec: dict[str, object], part: str) -> dict[str, Amount]:
    """What a pod requests or is limited to (`part`): containers and sidecars together, or one init container.

    After k8s.io/component-helpers/resource (PodRequests, PodLimits).
    """
    total: dict[str, Amount] = {}
    for container in _listed(spec, "containers"):
        total = added(total, _part(container, part))
    sidecars: dict[str, Amount] = {}
    peak: dict[str, Amount] = {}
    for container in _listed(spec, "initContainers"):
        own = _part(container, part)
        if container.get("restartPolicy") == "Always":
            total, sidecars = added(total, own), added(sidecars, own)
            peak = larger(peak, sidecars)
        else:
            peak = larger(peak, added(own, sidecars))
    return added(larger(total, peak), amounts(_object(spec.get("overhead"))))


def _listed(spec: dict[str, object], name: str) -> list[dict[str, object]]:
    held = spec.get(name)
    return [each for each in held if isinstance(each, dict)] if isinstance(held, list) else []


def _object(held: object) -> dict[str, object]:
    return held if isinstance(held, dict) else {}


def _part(container: dict[str, object], part: str) -> dict[str, Amount]:
    return amounts(_object(_object(container.get("resources")).get(part)))
