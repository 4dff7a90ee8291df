"""`Warning:` headers of the API server: heard by whoever listens, by nobody else."""

import anyio
import pytest

from aiops_shared.kube import remarks
from tests.shared.http.wire_server import Reply, Seen, as_json
from tests.shared.kube.fake_api import fake_api, pod, pod_list

PODS = "/api/v1/namespaces/shop/pods"
OLD = '299 - "policy/v1beta1 PodDisruptionBudget is deprecated in v1.21+, unavailable in v1.25+"'


def warned(*warnings: str) -> Reply:
    return as_json(pod_list(pod("a")), Warning=", ".join(warnings))


@pytest.mark.parametrize(
    ("header", "texts"),
    [
        (OLD, ["policy/v1beta1 PodDisruptionBudget is deprecated in v1.21+, unavailable in v1.25+"]),
        (f'{OLD}, 299 - "unknown field \\"spec.replica\\""', [..., 'unknown field "spec.replica"']),
        (f"{OLD}, {OLD}", [...]),
        ('199 - "another code"', []),
        ('299 - "\x1b]0;pwn\x07 text"', ["]0;pwn text"]),
        ('299 - ""', []),
        ("nonsense", []),
        ('299 - "' + "x" * 9000 + '"', []),
    ],
)
async def test_warnings_are_heard_once_each_and_clean(header: str, texts: list[object]) -> None:
    said = remarks.Heard()
    said.add([header])
    assert len(said.texts) == len(texts)
    assert all(want is ... or want == got for want, got in zip(texts, said.texts, strict=True))


async def test_a_call_whose_answer_warns_is_heard_while_somebody_listens() -> None:
    async with fake_api(lambda seen: warned(OLD) if seen.path == PODS else None) as (api, _):
        await api.list("pods", "shop")
        with remarks.heard() as said:
            await api.list("pods", "shop")
            await api.list("pods", "shop")
        await api.list("pods", "shop")
    assert len(said.texts) == 1
    assert "deprecated" in said.texts[0]


async def test_what_is_said_to_one_task_is_not_heard_by_another() -> None:
    def answer(seen: Seen) -> Reply | None:
        if not seen.path.endswith("/pods"):
            return None
        return warned(f'299 - "said of {seen.path.split("/")[4]}"')

    heard: dict[str, list[str]] = {}

    async with fake_api(answer) as (api, _):

        async def listen(namespace: str) -> None:
            with remarks.heard() as said:
                await api.list("pods", namespace)
                heard[namespace] = said.texts

        async with anyio.create_task_group() as tasks:
            for namespace in ("shop", "bank"):
                tasks.start_soon(listen, namespace)
    assert heard == {"shop": ["said of shop"], "bank": ["said of bank"]}
