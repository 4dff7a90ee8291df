"""A server that misbehaves on purpose, and certificates that clients can verify."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from aiops_lab.kube.faults import Fault, Faults
from aiops_lab.kube.tls import make_certificates
from tests.lab.kube.lab import KubeLab
from tests.lab.kube.objects import config_map

MAPS = "/api/v1/namespaces/shop/configmaps"


async def test_the_next_request_is_throttled_and_the_one_after_is_not(lab: KubeLab) -> None:
    lab.faults.add(Fault("throttle", retry_after_s=3))
    refused = await lab.client().get(MAPS)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3")
    assert (await lab.client().get(MAPS)).status_code == 200
    assert lab.faults.played == 1


@pytest.mark.parametrize("status", [500, 503])
async def test_an_error_does_nothing_and_hits_the_verbs_it_is_meant_for(lab: KubeLab, status: int) -> None:
    lab.faults.add(
        Fault("error", times=None, status=status, verbs=frozenset({"create"}), path_contains="configmaps")
    )
    assert (await lab.client().post(MAPS, json=config_map())).status_code == status
    assert (await lab.client().get(MAPS)).json()["items"] == []


async def test_a_reset_before_does_nothing_and_a_reset_after_has_done_it(lab: KubeLab) -> None:
    lab.faults.add(Fault("reset_before"))
    with pytest.raises(httpx.TransportError):
        await lab.client().post(MAPS, json=config_map("one"))
    assert lab.store.list("ConfigMap", "shop") == []
    lab.faults.add(Fault("reset_after"))
    with pytest.raises(httpx.TransportError):
        await lab.client().post(MAPS, json=config_map("two"))
    assert [m["metadata"]["name"] for m in lab.store.list("ConfigMap", "shop")] == ["two"]
    assert [e.status for e in lab.requests.entries] == [0, 0]


async def test_a_stalled_request_outlasts_its_client(lab: KubeLab) -> None:
    lab.faults.add(Fault("stall", stall_s=5))
    with pytest.raises(httpx.ReadTimeout):
        await lab.client().get(MAPS, timeout=0.3)


@pytest.mark.threat("T14")
async def test_hostile_bodies_are_served_as_told(lab: KubeLab) -> None:
    client = lab.client()
    lab.faults.add(Fault("wrong_type"))
    assert (await client.get(MAPS)).headers["Content-Type"].startswith("text/html")
    lab.faults.add(Fault("bad_utf8"))
    with pytest.raises(UnicodeDecodeError):
        (await client.get(MAPS)).content.decode()
    lab.faults.add(Fault("deep"))
    assert (await client.get(MAPS)).content.count(b"{") == 100_000
    lab.faults.add(Fault("huge", body_bytes=1 << 20))
    assert len((await client.get(MAPS)).content) > 1 << 20


def test_a_share_of_the_requests_is_hit_the_same_way_each_time() -> None:
    def hits() -> list[bool]:
        faults = Faults(seed=7)
        faults.add(Fault("error", times=None, share=0.3))
        return [faults.next("get", "/") is not None for _ in range(200)]

    assert 30 < sum(hits()) < 90
    assert hits() == hits()


def test_clearing_forgets_every_fault() -> None:
    faults = Faults()
    faults.add(Fault("error"))
    faults.clear()
    assert faults.next("get", "/") is None


def test_certificates_are_private_and_name_loopback(tmp_path: Path) -> None:
    made = make_certificates(tmp_path / "tls", datetime.now(UTC))  # noqa: TID251 - TLS lives in real time
    for path in (made.ca_path, made.certificate_path, made.key_path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    certificate = x509.load_pem_x509_certificate(made.certificate_path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert "127.0.0.1" in {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert b"PRIVATE" not in made.ca_path.read_bytes()


async def test_a_client_that_does_not_trust_the_authority_is_not_served(lab: KubeLab) -> None:
    async with httpx.AsyncClient(trust_env=False) as stranger:
        with pytest.raises(httpx.ConnectError):
            await stranger.get(f"{lab.url}/version")
