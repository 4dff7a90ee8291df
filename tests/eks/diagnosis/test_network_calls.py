"""Whom a log line says was called: the words of many languages, and those that call nobody."""

import pytest

from aiops_eks.diagnosis.objects import Ref, ServicePort
from aiops_eks.diagnosis.rules import calls
from tests.eks.diagnosis.worlds import NS, service, world

CALLED = (
    ("dial tcp cart:80: connect: connection refused", "cart", 80),
    ("fatal: dial tcp 172.20.4.7:5432: i/o timeout", "172.20.4.7", 5432),
    ("Error: connect ECONNREFUSED db.shop.svc.cluster.local:5432", "db.shop.svc.cluster.local", 5432),
    ('connection to server at "db" (10.0.0.1), port 5432 failed: Connection timed out', "db", 5432),
    ("HTTPConnectionPool(host='cart', port=8080): Max retries exceeded", "cart", 8080),
    ('Get "http://cart/api": context deadline exceeded', "cart", 80),
    ('Get "https://cart/api": EOF', "cart", 443),
    ("jdbc:postgresql://db:5432/orders refused", "db", 5432),
    ("read udp 10.0.1.5:4711->172.20.0.10:53: i/o timeout", "172.20.0.10", 53),
)
LOOKED_UP = (
    ("lookup api.example.com on 172.20.0.10:53: no such host", "api.example.com"),
    ("dial tcp: lookup db: no such host", "db"),
    ("Error: getaddrinfo ENOTFOUND db.internal", "db.internal"),
    ("java.net.UnknownHostException: db.internal", "db.internal"),
    ('could not translate host name "db" to address: Name or service not known', "db"),
    ("curl: (6) Could not resolve host: db.internal", "db.internal"),
)


@pytest.mark.parametrize(("line", "host", "port"), CALLED)
def test_the_first_call_is_the_one_that_failed(line: str, host: str, port: int) -> None:
    assert calls.called(line)[0] == calls.Call(host, port)


@pytest.mark.parametrize("line", ["2026-11-22 03:12:45 all is well", "took 12:30:59", "version 1.2.3", ""])
def test_times_and_versions_are_no_calls(line: str) -> None:
    assert calls.called(line) == ()


@pytest.mark.parametrize(("line", "host"), LOOKED_UP)
def test_the_name_that_was_looked_up_is_found(line: str, host: str) -> None:
    assert calls.name_looked_up(line) == host


@pytest.mark.threat("T14")
def test_a_line_without_end_is_read_in_part_only() -> None:
    line = "a." * 500_000 + ":80"
    assert calls.called(line) == ()
    assert calls.name_looked_up(line) == ""


@pytest.mark.parametrize("host", ["cart", f"cart.{NS}", f"cart.{NS}.svc", f"cart.{NS}.svc.cluster.local"])
def test_a_service_is_found_by_every_name_it_has(host: str) -> None:
    found = calls.service_of(world(service("cart")), NS, host)
    assert found is not None
    assert found.ref == Ref("Service", NS, "cart")


@pytest.mark.parametrize("host", ["cart.other", "cart.example.com", "carts", f"cart.{NS}.example.com"])
def test_a_name_of_elsewhere_is_no_service_here(host: str) -> None:
    assert calls.service_of(world(service("cart")), NS, host) is None


def test_a_service_is_found_by_its_cluster_address() -> None:
    found = calls.service_of(world(service("cart", clusterIP="172.20.4.7")), NS, "172.20.4.7")
    assert found is not None
    assert calls.service_of(world(service("cart", clusterIP="172.20.4.7")), NS, "172.20.4.8") is None


@pytest.mark.parametrize("target", ["²", "٣", "9" * 400, "http"])
def test_only_plain_digits_are_a_port_number(target: str) -> None:
    assert calls.numbers(ServicePort("x", 80, target), ()) == frozenset()
