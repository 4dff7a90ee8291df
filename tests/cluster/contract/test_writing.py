"""Writes: generations, the status subresource, versions, dry runs, warnings, scale, and dying namespaces."""

from typing import Any

from tests.cluster.contract.objects import DEPLOYMENTS, MAPS, PODS, config_map, deployment, given
from tests.cluster.contract.server import MERGE, STRATEGIC, Server

WEB = f"{DEPLOYMENTS}/web"
STALE = (
    'Operation cannot be fulfilled on deployments.apps "web": the object has been modified; '
    "please apply your changes to the latest version and try again"
)


async def patched(server: Server, body: dict[str, Any], path: str = WEB) -> Any:
    return (await server.ask(f"PATCH {path}", body, sent_as=MERGE)).ok


async def test_a_generation_counts_intents(server: Server) -> None:
    await given(server, "deployment")
    labelled = await patched(server, {"metadata": {"labels": {"a": "b"}}})
    assert labelled["metadata"]["generation"] == 1
    scaled = await patched(server, {"spec": {"replicas": 3}})
    assert scaled["metadata"]["generation"] == 2
    reported = await patched(server, {"status": {"replicas": 2}}, f"{WEB}/status")
    assert reported["metadata"]["generation"] == 2


async def test_status_is_written_through_its_own_door(server: Server) -> None:
    await given(server, "deployment")
    both = {"spec": {"replicas": 3}, "status": {"replicas": 9}}
    assert not (await patched(server, both)).get("status")
    reported = await patched(server, {"spec": {"replicas": 7}, "status": {"replicas": 2}}, f"{WEB}/status")
    assert (reported["spec"]["replicas"], reported["status"]) == (3, {"replicas": 2})


async def test_a_status_that_nobody_wrote(server: Server) -> None:
    await given(server, "deployment")
    assert (await server.ask(f"GET {WEB}")).ok.get("status") == server.differing("status-nobody-wrote")


async def test_a_write_of_nothing_new_keeps_the_version(server: Server) -> None:
    await given(server, "deployment")
    first = await patched(server, {"spec": {"replicas": 1}})
    again = await patched(server, {"spec": {"replicas": 1}})
    assert first["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]


async def test_an_update_of_an_old_version_is_refused(server: Server) -> None:
    await given(server, "deployment")
    read = (await server.ask(f"GET {WEB}")).ok
    await patched(server, {"spec": {"replicas": 2}})
    refused = await server.ask(f"PUT {WEB}", {**read, "spec": {**read["spec"], "replicas": 5}})
    assert (refused.code, refused.refusal["message"]) == (409, STALE)
    del read["metadata"]["resourceVersion"]
    assert (await server.ask(f"PUT {WEB}", read)).ok["spec"]["replicas"] == 1


async def test_dry_runs_of_every_write_change_nothing(server: Server) -> None:
    await given(server, "deployment")
    before = (await server.ask(f"GET {WEB}")).ok
    dry = await server.ask(f"PATCH {WEB}?dryRun=All", {"spec": {"replicas": 5}}, sent_as=MERGE)
    assert (dry.ok["spec"]["replicas"], dry.ok["metadata"]["generation"]) == (5, 2)
    changed = {**before, "spec": {**before["spec"], "replicas": 6}}
    assert (await server.ask(f"PUT {WEB}?dryRun=All", changed)).ok["spec"]["replicas"] == 6
    scale = {"spec": {"replicas": 7}}
    scaled = await server.ask(f"PATCH {WEB}/scale?dryRun=All", scale, sent_as=MERGE)
    assert scaled.ok["spec"]["replicas"] == 7
    assert (await server.ask(f"GET {WEB}")).ok == before
    made = await server.ask(f"POST {MAPS}?dryRun=All", config_map("dry"))
    assert (made.code, "resourceVersion" in made.ok["metadata"]) == (201, False)
    assert (await server.ask(f"GET {MAPS}/dry")).code == 404


async def test_a_dry_create_is_judged_like_the_create(server: Server) -> None:
    await given(server, "map")
    assert (await server.ask(f"POST {MAPS}?dryRun=All", config_map())).code == 409
    assert (await server.ask(f"POST {DEPLOYMENTS}?dryRun=All", deployment(replicas=-1))).code == 422


async def test_a_name_is_generated_from_its_stem(server: Server) -> None:
    meta = (await server.made(MAPS, {"metadata": {"generateName": "x-"}}))["metadata"]
    assert (meta["name"][:2], len(meta["name"]), meta["generateName"]) == ("x-", 7, "x-")


async def test_an_unknown_field_is_dropped_with_a_warning(server: Server) -> None:
    warned = await server.ask(f"POST {MAPS}", {**config_map("warned"), "dta": {}})
    assert (warned.code, "dta" in warned.ok) == (201, False)
    assert warned.headers["warning"] == '299 - "unknown field \\"dta\\""'
    ignored = await server.ask(f"POST {MAPS}?fieldValidation=Ignore", {**config_map("ignored"), "dta": {}})
    assert (ignored.code, "warning" in ignored.headers) == (201, False)


async def test_yaml_is_read_as_well(server: Server) -> None:
    body = b"metadata:\n  name: written\ndata:\n  a: b\n"
    assert (await server.ask(f"POST {MAPS}", body, sent_as="application/yaml")).ok["data"] == {"a": "b"}


async def test_a_scale_shows_and_sets_one_number(server: Server) -> None:
    await given(server, "deployment")
    shown = (await server.ask(f"GET {WEB}/scale")).masked
    assert shown == {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": "web",
            "namespace": "{ns}",
            "uid": "UID",
            "resourceVersion": "RV",
            "creationTimestamp": "TIME",
        },
        "spec": {"replicas": 1},
        "status": {"replicas": 0, "selector": "app=web"},
    }
    await patched(server, {"spec": {"replicas": 6}}, f"{WEB}/scale")
    assert (await server.ask(f"GET {WEB}")).ok["spec"]["replicas"] == 6


async def test_an_image_of_a_running_pod_may_change(server: Server) -> None:
    await given(server, "placed pod")
    image = {"spec": {"containers": [{"name": "app", "image": "registry.example/app:2"}]}}
    changed = (await server.ask(f"PATCH {PODS}/p", image, sent_as=STRATEGIC)).ok
    assert changed["spec"]["containers"][0]["image"] == "registry.example/app:2"


async def test_a_dying_namespace_takes_nothing_new(server: Server) -> None:
    held = {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}}
    await server.made(MAPS, held)
    gone = (await server.ask("DELETE /api/v1/namespaces/{ns}")).ok
    assert (gone["kind"], gone["status"]["phase"]) == ("Namespace", "Terminating")
    refused = (await server.ask(f"POST {MAPS}", config_map("late"))).refusal
    why = "unable to create new content in namespace {ns} because it is being terminated"
    assert (refused["code"], refused["message"]) == (403, f'configmaps "late" is forbidden: {why}')
    assert refused["details"]["causes"] == [
        {
            "reason": "NamespaceTerminating",
            "message": "namespace {ns} is being terminated",
            "field": "metadata.namespace",
        }
    ]
    assert (await patched(server, {"data": {"a": "b"}}, f"{MAPS}/held"))["data"] == {"a": "b"}


async def test_a_new_namespace_is_active_and_labelled(server: Server) -> None:
    found = (await server.ask("GET /api/v1/namespaces/{ns}")).masked
    assert found["metadata"]["labels"] == {"kubernetes.io/metadata.name": "{ns}"}
    assert (found["spec"], found["status"]) == ({"finalizers": ["kubernetes"]}, {"phase": "Active"})
