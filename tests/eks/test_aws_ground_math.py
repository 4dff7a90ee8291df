"""The arithmetic of a subnet's room: whole free /28 blocks, against counting address by address."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_eks.models.aws_ground import (
    EXPLICIT,
    PREFIX,
    Reservation,
    SubnetRoom,
    TypeLimits,
    addresses_of,
    count_taken,
    free_blocks,
)


@st.composite
def subnets(draw: st.DrawFn) -> tuple[str, list[str], list[Reservation]]:
    length = draw(st.integers(22, 28))
    subnet = IPv4Network(f"10.{draw(st.integers(0, 255))}.0.0/{length}")
    first, size = int(subnet.network_address), subnet.num_addresses
    place = st.integers(-40, size + 40)
    single = place.map(lambda offset: str(IPv4Address(first + offset)))
    block = st.integers(0, size // 16 - 1).map(lambda index: f"{IPv4Address(first + index * 16)}/28")
    taken = draw(st.lists(st.one_of(single, block), max_size=60))
    lengths = st.integers(max(length, 24), 32)

    def reservation(offset: int, prefix: int, kind: str) -> Reservation:
        return Reservation(str(IPv4Network((first + offset, prefix), strict=False)), kind)

    made = st.builds(reservation, st.integers(0, size - 1), lengths, st.sampled_from([PREFIX, EXPLICIT]))
    return str(subnet), taken, draw(st.lists(made, max_size=3))


def counted(cidr: str, taken: list[str], reservations: list[Reservation]) -> int:
    """The same, address by address."""
    addresses = list(IPv4Network(cidr))
    used = {*addresses[:4], addresses[-1]}
    for each in taken:
        used.update(IPv4Network(each))
    prefix = [set(IPv4Network(one.cidr)) for one in reservations if one.kind == PREFIX]
    explicit = {each for one in reservations if one.kind == EXPLICIT for each in IPv4Network(one.cidr)}
    found = 0
    for start in range(0, len(addresses), 16):
        block = set(addresses[start : start + 16])
        if not block & used and not block & explicit and (not prefix or any(block <= one for one in prefix)):
            found += 1
    return found


@settings(max_examples=150, deadline=None)
@given(subnets())
def test_free_blocks_are_what_counting_every_address_finds(
    given_: tuple[str, list[str], list[Reservation]],
) -> None:
    cidr, taken, reservations = given_
    assert free_blocks(cidr, taken, reservations) == counted(cidr, taken, reservations)
    inside = {each for one in taken for each in IPv4Network(one) if each in IPv4Network(cidr)}
    assert count_taken(cidr, taken) == len(inside)


def test_nine_scattered_addresses_are_no_block() -> None:
    loose = {f"10.0.1.{each}" for each in (20, 47, 70, 99, 120, 150, 180, 200, 240)}
    taken = [str(each) for each in IPv4Network("10.0.1.0/24") if str(each) not in loose]
    assert free_blocks("10.0.1.0/24", taken) == 0
    assert SubnetRoom("subnet-1", "10.0.1.0/24", "a", free=9, free_blocks=0).scattered
    assert not SubnetRoom("subnet-1", "10.0.1.0/24", "a", free=9).scattered


@pytest.mark.parametrize("cidr", ["", "nonsense", "10.0.0.0/29", "fd00::/64", "10.0.0.0/99"])
def test_what_is_no_subnet_for_prefixes_has_no_room(cidr: str) -> None:
    assert free_blocks(cidr, ["10.0.0.1", "x", "::1"]) == 0


def test_what_is_no_address_is_passed_over() -> None:
    assert free_blocks("10.0.0.0/24", ["", "x", "::1", "10.9.0.1"]) == 14
    misshapen = {"PrivateIpAddress": 7, "PrivateIpAddresses": "x", "Ipv4Prefixes": [None, {"Ipv4Prefix": 1}]}
    assert addresses_of(misshapen) == []


def test_most_pods_are_those_of_the_published_table() -> None:
    assert TypeLimits("m5.xlarge", 4, 15).most_pods() == 58
    assert TypeLimits("m5.large", 3, 10).most_pods() == 29
    assert TypeLimits("m5.large", 3, 10).most_pods(prefixes=True) == 434
    assert TypeLimits("c4.large", 3, 10, nitro=False).most_pods(prefixes=True) == 29
