"""Fault R2 at the Kubernetes client: 5xx and broken connections. `test_kube_lost_answers` has the tools'."""

from collections.abc import Awaitable, Callable

import pytest

from aiops_shared.errors import AiopsError, ConflictError, UpstreamError
from aiops_shared.kube.writing import Effect
from tests.faults.kube_scripts import CONFIG_MAP, MAPS, PERMIT, PODS, RecordedPace, script, sent
from tests.shared.http.wire_server import Reply, as_json, status
from tests.shared.kube.fake_api import fake_api, pod, pod_list

pytestmark = pytest.mark.fault("R2")
BROKEN = [Reply(reset=True), status(503), status(500), status(502)]


@pytest.mark.parametrize("trouble", BROKEN)
async def test_a_read_that_breaks_is_tried_again(trouble: Reply) -> None:
    answer = script(PODS, trouble, trouble, as_json(pod_list(pod("a"))))
    async with fake_api(answer, pace=RecordedPace()) as (api, server):
        assert len((await api.list("pods", "shop")).items) == 1
    assert len(sent(server, PODS)) == 3


@pytest.mark.parametrize("trouble", [Reply(reset=True), status(503), status(500)])
async def test_a_read_that_stays_broken_ends_after_five_tries_with_a_clear_error(trouble: Reply) -> None:
    async with fake_api(script(PODS, trouble), pace=RecordedPace()) as (api, server):
        with pytest.raises(UpstreamError, match=r"list of pods in shop: (HTTP 50|the connection broke)"):
            await api.list("pods", "shop")
    assert len(sent(server, PODS)) == 5


@pytest.mark.parametrize("trouble", [*BROKEN, status(504)])
async def test_a_change_that_breaks_is_never_sent_twice_and_says_that_its_outcome_is_unknown(
    trouble: Reply,
) -> None:
    async with fake_api(script(MAPS, trouble), pace=RecordedPace()) as (api, server):
        with pytest.raises(UpstreamError, match="unknown"):
            await api.replace(CONFIG_MAP, dry_run=False, permit=PERMIT)
    assert [one.method for one in sent(server, MAPS)] == ["PUT"]


@pytest.mark.parametrize("verb", ["create", "apply", "patch", "delete", "evict"])
async def test_no_kind_of_change_is_sent_twice_when_its_answer_is_lost(verb: str) -> None:
    async with fake_api(lambda seen: Reply(reset=True) if "shop" in seen.path else None) as (api, server):
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "create": lambda: api.create(CONFIG_MAP, dry_run=False, permit=PERMIT),
            "apply": lambda: api.apply(CONFIG_MAP, dry_run=False, permit=PERMIT),
            "patch": lambda: api.patch("cm", "shop", "a", {}, effect=Effect(dry_run=False, permit=PERMIT)),
            "delete": lambda: api.delete("cm", "shop", "a", uid="u", dry_run=False, permit=PERMIT),
            "evict": lambda: api.evict("shop", "a", uid="u", dry_run=False, permit=PERMIT),
        }
        with pytest.raises(UpstreamError, match="unknown"):
            await calls[verb]()
    assert len(sent(server, "/api/v1/namespaces/shop")) == 1


async def test_a_dry_run_that_breaks_is_tried_again_since_it_changes_nothing() -> None:
    answer = script(MAPS, Reply(reset=True), as_json(CONFIG_MAP))
    async with fake_api(answer, pace=RecordedPace()) as (api, server):
        assert await api.replace(CONFIG_MAP, dry_run=True) == CONFIG_MAP
    assert [one.query["dryRun"] for one in sent(server, MAPS)] == ["All", "All"]


async def test_a_change_that_nobody_could_receive_is_no_riddle() -> None:
    async with fake_api(lambda _: None) as (api, server):
        await api.kind("cm")
        await server.__aexit__()
        with pytest.raises(AiopsError) as caught:
            await api.replace(CONFIG_MAP, dry_run=False, permit=PERMIT)
    assert caught.value.code == "unreachable"
    assert "unknown" not in str(caught.value)


async def test_an_apply_conflict_lists_the_fields_and_their_owners() -> None:
    causes = [
        {"reason": "FieldManagerConflict", "message": 'conflict with "kubectl" using v1', "field": ".data.a"}
    ]
    body = {
        "kind": "Status",
        "code": 409,
        "reason": "Conflict",
        "message": "Apply failed",
        "details": {"causes": causes},
    }
    async with fake_api(script(MAPS, as_json(body, 409))) as (api, _):
        with pytest.raises(ConflictError, match=r"\.data\.a: conflict with \"kubectl\""):
            await api.apply(CONFIG_MAP, dry_run=True)
