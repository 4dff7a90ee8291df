"""Several accounts and regions behind one AWS endpoint: whose account answers a call.

Every world of a fleet plays in the lab's home account and region, as every room of operations knows them;
here a call is led to the worlds of the caller's account and its region, its texts are put into home words on
the way in and into the account's own on the way out (ARNs, regions, ids of the network). A call that names a
cluster is that cluster's; any other is asked of every cluster there, and lists are joined. Called by
`aiops_lab.fleet`.

Zones keep the home region's names, on both sides of a cluster: its nodes carry them too.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from aiops_lab.aws.account import ACCOUNT_ID, REGION
from aiops_lab.aws.errors import AwsError, not_found
from aiops_lab.aws.overlay import Call, Operation, Operations

MOST_PAGES = 100
_TOKENS = ("nextToken", "NextToken")
_NAMES = ("clusterName", "name")  # of a cluster, in EKS's parameters
_READS = ("List", "Describe", "Get", "Lookup")
_NETWORK = re.compile(r"\b(vpc|subnet|sg)-(\d)(?=[0-9a-z])")
_ACCOUNTLESS = frozenset({"sts"})


@dataclass(frozen=True)
class Member:
    """One cluster of the fleet. `place` tells its network from others' in the same account and region."""

    account: str
    region: str
    cluster: str
    operations: Operations
    place: int = 0

    def inward(self, value: Any) -> Any:
        """A caller's words in the words of home."""
        return _told(value, lambda text: self._network(_swapped(text, self, home=True), self.place, 0))

    def outward(self, value: Any) -> Any:
        """Words of home as this account's own."""
        return _told(value, lambda text: self._network(_swapped(text, self, home=False), 0, self.place))

    @staticmethod
    def _network(text: str, mine: int, theirs: int) -> str:
        """Ids of the network begin with 0 at home; an id of another cluster's stays one that nobody knows."""
        if mine == theirs:
            return text

        def change(found: re.Match[str]) -> str:
            digit = theirs if int(found[2]) == mine else 9
            return f"{found[1]}-{digit}"

        return _NETWORK.sub(change, text)

    def answer(self, key: tuple[str, str], call: Call) -> Mapping[str, Any]:
        """What this cluster's world answers. Raises AwsError, in the account's own words."""
        inner = replace(call, region=REGION, params=self.inward(call.params))
        try:
            found: Mapping[str, Any] = self.outward(self.operations[key](inner))
        except AwsError as error:
            raise AwsError(error.code, self.outward(error.message), error.status) from error
        return found


class Switchboard:
    """The operations of all members as one set of operations."""

    def __init__(self, members: Iterable[Member]) -> None:
        self._members: list[Member] = []
        for member in members:
            alike = self._at(member.account, member.region)
            self._members.append(replace(member, place=len(alike)))

    def operations(self) -> Operations:
        """What the overlay serves."""
        keys = {key for member in self._members for key in member.operations}
        return {key: self._operation(key) for key in keys}

    def _operation(self, key: tuple[str, str]) -> Operation:
        if key[0] in _ACCOUNTLESS:
            return next(one.operations[key] for one in self._members if key in one.operations)
        return partial(self._led, key)

    def _at(self, account: str, region: str) -> list[Member]:
        return [one for one in self._members if (one.account, one.region) == (account, region)]

    def _led(self, key: tuple[str, str], call: Call) -> Mapping[str, Any]:
        """The answer of the cluster that is named, or of all that are there."""
        here = self._at(call.caller.principal.account, call.region)
        if (name := _cluster_of(key, call)) is not None:
            named = [one for one in here if one.cluster == name]
            if not named:
                raise not_found(f"No cluster found for name: {name}.")
            return named[0].answer(key, call)
        if not here:  # an account or a region without clusters: what is asked of a world from elsewhere
            return self._members[0].operations[key](replace(call, region="elsewhere"))
        return _joined(key, call, here)


def _cluster_of(key: tuple[str, str], call: Call) -> str | None:
    if key[0] != "eks":
        return None
    return next((str(call.params[name]) for name in _NAMES if call.params.get(name)), None)


def _joined(key: tuple[str, str], call: Call, members: list[Member]) -> Mapping[str, Any]:
    """The lists of all members one after the other; a change is made by the first that knows its object.

    Raises the last member's AwsError when none knows.
    """
    found: list[Mapping[str, Any]] = []
    refused: AwsError | None = None
    for member in members:
        try:
            found.append(_whole(member, key, call) if len(members) > 1 else member.answer(key, call))
        except AwsError as error:
            refused = error
            continue
        if not key[1].startswith(_READS):
            break
    if not found and refused is not None:
        raise refused
    return _together(found)


def _whole(member: Member, key: tuple[str, str], call: Call) -> Mapping[str, Any]:
    """Every page of one member, since a token of one means nothing to the next."""
    params = {name: value for name, value in call.params.items() if name not in _TOKENS}
    pages: list[Mapping[str, Any]] = []
    while len(pages) < MOST_PAGES:
        pages.append(member.answer(key, replace(call, params=params)))
        token = next((name for name in _TOKENS if pages[-1].get(name)), None)
        if token is None:
            break
        params[token] = pages[-1][token]
    return {name: value for name, value in _together(pages).items() if name not in _TOKENS}


def _together(answers: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    joined = dict(answers[0])
    for answer in answers[1:]:
        for name, value in answer.items():
            known = joined.get(name)
            joined[name] = [*known, *value] if isinstance(known, list) and isinstance(value, list) else value
    return joined


def _told(value: Any, change: Callable[[str], str]) -> Any:
    """The same data with every text changed, keys of maps included."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {_told(name, change): _told(item, change) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_told(item, change) for item in value]
    return value


def _swapped(text: str, member: Member, *, home: bool) -> str:
    """Account and region of an ARN or a URL; a zone (`us-east-1a`) is no region."""
    accounts, regions = (member.account, ACCOUNT_ID), (member.region, REGION)
    if not home:
        accounts, regions = accounts[::-1], regions[::-1]
    text = re.sub(rf"\b{accounts[0]}\b", accounts[1], text)
    return re.sub(rf"\b{regions[0]}(?![a-z0-9])", regions[1], text)
