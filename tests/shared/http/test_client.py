"""The one HTTP client factory: what it refuses to talk to."""

import pytest

from aiops_shared.errors import NotConfiguredError
from aiops_shared.http.client import Tls, is_loopback, make_client


@pytest.mark.parametrize(
    "address",
    [
        "http://10.0.0.1",
        "ftp://a.example",
        "https://user:pw@a.example",
        "https://",
        "nonsense",
        "https://a b",
    ],
)
def test_only_a_plain_https_address_is_taken(address: str) -> None:
    with pytest.raises(NotConfiguredError):
        make_client(address, timeout_s=1)


async def test_a_client_follows_no_redirect_and_verifies() -> None:
    client = make_client("https://a.example", timeout_s=1)
    assert client.follow_redirects is False
    assert client.timeout.connect == 1
    await client.aclose()


@pytest.mark.parametrize(
    "tls",
    [
        Tls(ca_file="/nonexistent/ca.crt"),
        Tls(ca_data="nonsense"),
        Tls(cert_file="/nonexistent/c", key_file="/n"),
    ],
)
def test_a_certificate_that_does_not_load_is_the_operators_to_fix(tls: Tls) -> None:
    with pytest.raises(NotConfiguredError):
        make_client("https://a.example", timeout_s=1, tls=tls)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("[::1]", True),
        ("10.0.0.1", False),
        ("localhost.evil.example", False),
    ],
)
def test_loopback_is_told_by_address_and_not_by_prefix(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
