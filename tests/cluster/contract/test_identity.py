"""Who may do what: rights that come and go with bindings, reviews about oneself, and acting as another."""

from tests.cluster.contract.objects import CORE, MAPS, RBAC, given
from tests.cluster.contract.server import Server

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
ROLE = {
    "metadata": {"name": "maps"},
    "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}],
}


async def may(server: Server, verb: str, who: str = "aiops-reader") -> bool:
    asked = {"namespace": "{ns}", "verb": verb, "resource": "configmaps"}
    review = await server.ask(f"POST {REVIEWS}", {"spec": {"resourceAttributes": asked}}, who=who)
    assert review.code == 201
    allowed: bool = review.body["status"]["allowed"]
    return allowed


async def test_an_administrator_may_do_everything(server: Server) -> None:
    assert await may(server, "delete", "lab-admin")


async def test_who_has_no_role_may_do_nothing(server: Server) -> None:
    assert not await may(server, "list")
    assert (await server.ask(f"GET {MAPS}", who="aiops-reader")).code == 403


async def test_a_role_gives_a_right_without_its_binding_to_nobody(server: Server) -> None:
    await server.made(f"{RBAC}/namespaces/{{ns}}/roles", ROLE)
    assert (await server.ask(f"GET {MAPS}", who="aiops-reader")).code == 403


async def test_everybody_may_discover_and_ask_about_oneself(server: Server) -> None:
    for path in ("/api", "/apis", "/apis/apps/v1", "/version", "/healthz"):
        assert (await server.ask(f"GET {path}", who="aiops-reader")).code == 200, path
    rules = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    assert (
        await server.ask(f"POST {rules}", {"spec": {"namespace": "{ns}"}}, who="aiops-reader")
    ).code == 201


async def test_who_am_i(server: Server) -> None:
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    info = (await server.ask(f"POST {path}", {}, who="aiops-reader")).ok["status"]["userInfo"]
    assert (info["username"], info["groups"]) == ("aiops-reader", ["aiops:read", "system:authenticated"])


async def test_acting_as_another_shows_what_that_one_may(server: Server) -> None:
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    acting = {"impersonate-user": "alice", "impersonate-group": "ops"}
    info = (await server.ask(f"POST {path}", {}, headers=acting)).ok["status"]["userInfo"]
    assert (info["username"], info["groups"]) == ("alice", ["ops", "system:authenticated"])


async def test_an_unknown_token_is_nobody(server: Server) -> None:
    answer = await server.ask(f"GET {MAPS}", headers={"authorization": "Bearer nobody"})
    assert answer.refusal == {"code": 401, "reason": "Unauthorized", "message": "Unauthorized"}


async def test_a_token_for_an_account(server: Server) -> None:
    await given(server, "account")
    asked = {"spec": {"expirationSeconds": 600}}
    made = (await server.ask(f"POST {CORE}/serviceaccounts/robot/token", asked)).ok
    assert (made["kind"], made["spec"]["expirationSeconds"]) == ("TokenRequest", 600)
    assert made["spec"]["audiences"] == ["https://kubernetes.default.svc"]
    assert sorted(made["status"]) == ["expirationTimestamp", "token"]
