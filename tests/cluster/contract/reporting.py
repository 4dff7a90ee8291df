"""Which test ids are contracts, and the closing line: how many held on both servers, how many differ."""

import re
from collections.abc import Iterable

from tests.cluster.contract.known import listed

_CONTRACT = re.compile(
    r"(?P<test>tests/cluster/contract/.+\[(?:.+-)?)(?P<server>simulator|real)(?P<rest>[-\]].*)"
)


def contract_of(nodeid: str) -> tuple[str, str] | None:
    """The server of a contract's test id, and the id without it; None for any other test."""
    found = _CONTRACT.search(nodeid)
    if found is None:
        return None
    return found["server"], f"{found['test']}{found['rest']}"


def closing_line(passed: Iterable[str], failed: Iterable[str]) -> str | None:
    """What a run says at its end about the contracts; None where none ran."""
    held: dict[str, set[str]] = {"simulator": set(), "real": set()}
    for nodeid in passed:
        if found := contract_of(nodeid):
            held[found[0]].add(found[1])
    broken = sum(contract_of(nodeid) is not None for nodeid in failed)
    if not (held["simulator"] or held["real"] or broken):
        return None
    both = held["simulator"] & held["real"]
    alone = len(held["simulator"] ^ held["real"])
    return (
        f"contracts: {len(both)} ids held on the simulator and on a real kube-apiserver alike, "
        f"{alone} on one alone, {broken} failed; {len(listed())} differences listed"
    )
