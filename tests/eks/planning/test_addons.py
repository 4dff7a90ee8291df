"""Add-on changes planned from what stands around: versions, configuration, prerequisites, what is lost."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from aiops_eks.models.aws_addons import AddonVersion, CatalogueAddon
from aiops_eks.planning.addons import check_fits, draft, plain, refuse_unfit
from aiops_eks.planning.addons_configuration import leaves_of, problems_of, schema_of, values_of
from aiops_eks.planning.addons_scene import (
    AddonScene,
    AddonWish,
    chosen,
    compatible,
    compatible_list,
    measure,
    preserves,
)
from aiops_eks.planning.addons_words import explained
from aiops_eks.planning.drafts import Obj
from aiops_shared.errors import ActionRefusedError, InvalidInputError, NotFoundError
from aiops_shared.guardrails.models import ObjectRef

NAME, OLD, MID, NEW = "some-add-on", "v1.0.0-eksbuild.1", "v1.1.0-eksbuild.1", "v1.2.0-eksbuild.1"
OFFERED = CatalogueAddon(
    NAME,
    "storage",
    "aws",
    versions=(AddonVersion(NEW), AddonVersion(MID, default=True, requires_iam=True), AddonVersion(OLD)),
)
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"size": {"type": "integer", "minimum": 1}, "deep": {"$ref": "#/definitions/deep"}},
    "definitions": {"deep": {"type": "object", "properties": {"on": {"type": "boolean"}}}},
}


def wish(action: str, name: str = NAME, **more: Any) -> AddonWish:
    return AddonWish.model_validate({"action": action, "name": name, **more})


def installed(version: str = OLD, status: str = "ACTIVE", **spec: Any) -> Obj:
    made = {"version": version, "configuration": "", "role": "", "podIdentities": [], **spec}
    return {"metadata": {"name": NAME, "uid": "u"}, "spec": made, "status": {"status": status}}


def scene(obj: Obj | None = None, **more: Any) -> AddonScene:
    ref = ObjectRef(cluster="c", api_version="eks.amazonaws.com/v1", kind="Addon", name=NAME)
    known: dict[str, Any] = {"offered": OFFERED, "schema": SCHEMA, "pods": 3, **more}
    return AddonScene(ref=ref, now=datetime(2026, 1, 1, tzinfo=UTC), kubernetes="1.35", obj=obj, **known)


def warned(found: AddonScene, asked: AddonWish) -> str:
    return " ".join(draft(found, asked).warnings)


@pytest.mark.row("S13")
def test_the_version_is_as_asked_or_eks_default_and_never_older_than_what_runs() -> None:
    assert chosen(scene(), wish("create")) == MID
    assert chosen(scene(), wish("create", version=OLD)) == OLD
    assert chosen(scene(installed(OLD)), wish("update")) == MID
    assert chosen(scene(installed(MID)), wish("update")) == NEW
    assert chosen(scene(installed(NEW)), wish("update")) == NEW
    assert chosen(scene(installed(OLD)), wish("update", configuration="{}")) == OLD


def test_what_eks_does_not_offer_or_could_not_be_asked_is_not_compatible() -> None:
    asked = wish("create", version="v9")
    assert not compatible(scene(), asked)
    assert f"compatible with Kubernetes 1.35: {NEW}, {MID}, {OLD}" in compatible_list(scene())
    unknown = scene(offered=None, offers_known=False, gaps=("eks:DescribeAddonVersions: no",))
    assert not compatible(unknown, wish("create", version=MID))
    assert "DescribeAddonVersions" in compatible_list(unknown)
    assert "no version fits" in compatible_list(scene(offered=None))
    assert not measure(scene(), asked, "full").addon_compatible
    assert measure(scene(), wish("delete"), "full").addon_compatible


def test_configuration_is_held_to_the_schema_with_the_place_of_what_is_wrong() -> None:
    for wrong, said in (
        ('{"size": 0}', "$.size"),
        ('{"siz": 1}', "siz"),
        ('{"deep": {"on": 1}}', "$.deep.on"),
    ):
        with pytest.raises(InvalidInputError, match="does not take it") as caught:
            refuse_unfit(scene(), wish("create", configuration=wrong), ())
        assert said in str(caught.value)
    refuse_unfit(scene(), wish("create", configuration='{"size": 3}'), ())


def test_a_schema_that_is_broken_or_points_elsewhere_checks_nothing_and_fetches_nothing() -> None:
    assert problems_of({"type": 5}, {"a": 1}) == []
    assert problems_of({"$ref": "http://127.0.0.1:9/schema"}, {"a": 1}) == []
    assert schema_of("no json") is None
    assert schema_of("[]") is None


@pytest.mark.parametrize("text", ["[1]", "nothing", "5", "[" * 100_000])
def test_configuration_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        values_of(text)


def test_spellings_of_configuration_are_one_and_yaml_of_others_is_kept() -> None:
    assert plain('{"b": 1,\n "a": {}}') == '{"a":{},"b":1}'
    assert plain(" ") == plain("{}") == ""
    assert plain("env:\n  A: b") == "env:\n  A: b"
    assert leaves_of('{"a": {"b": [1, "x"]}, "c": {}}') == {"a.b[0]": "1", "a.b[1]": "x", "c": "{}"}
    assert leaves_of("env: {}") == {"(yaml)": "env: {}"}


def test_configuration_is_replaced_whole_and_what_goes_is_said() -> None:
    before = installed(configuration=plain('{"size": 1, "deep": {"on": true}}'))
    made = draft(scene(before), wish("update", configuration='{"size": 2}'))
    assert {(row.path, row.before, row.after) for row in made.diff} == {
        ("configuration.size", "1", "2"),
        ("configuration.deep.on", "true", ""),
    }
    assert "no longer set: deep.on" in " ".join(made.warnings)
    assert made.steps[0].values == {"spec.configuration": '{"size":2}'}
    assert made.reversible == "full"


def test_secrets_in_configuration_do_not_reach_the_diff() -> None:
    secret = "AKIA" + "IOSFODNN7EXAMPLE"
    made = draft(scene(installed(), schema=None), wish("update", configuration=json.dumps({"key": secret})))
    assert secret not in str(made.diff)
    assert "was not checked" in " ".join(made.warnings)


def test_an_update_that_changes_nothing_names_what_is_newer() -> None:
    with pytest.raises(InvalidInputError, match=NEW):
        draft(scene(installed(MID)), wish("update", version=MID))


def test_a_version_that_is_offered_no_more_leaves_no_way_back() -> None:
    made = draft(scene(installed("v0.9.0")), wish("update"))
    assert made.reversible == "partial"
    assert "no way back" in made.lost[0]


@pytest.mark.row("S16")
def test_prerequisites_and_rights_that_are_missing_are_named() -> None:
    accounts = (("collector", ("arn:aws:iam::aws:policy/Writes",)),)
    found = replace(scene(accounts=accounts), offered=replace(OFFERED, name="adot"))
    said = warned(found, wish("create", "adot"))
    assert "Prerequisite: cert-manager is not there" in said
    assert "collector with Writes" in said
    there = replace(found, works=frozenset({"cert-manager"}))
    role = "arn:aws:iam::111122223333:role/r"
    assert warned(there, wish("create", "adot", role=role)) == ""
    blind = replace(found, works_known=False)
    assert "was not seen" in warned(blind, wish("create", "adot"))


def test_conflicts_name_who_and_the_choice() -> None:
    own = scene(self_managed="Deployment a/b")
    assert "choose overwrite" in warned(own, wish("create", version=OLD))
    taken = draft(own, wish("create", version=OLD, resolve="overwrite"))
    assert (taken.reversible, "Deployment a/b" in taken.lost[0]) == ("partial", True)
    others = scene(installed(), foreign=("DaemonSet x .spec (helm)",))
    assert "preserve (theirs)" in warned(others, wish("update"))
    assert draft(others, wish("update", resolve="overwrite")).lost[0].startswith("what others set")
    assert draft(others, wish("update", resolve="preserve")).reversible == "full"


def test_a_delete_of_what_a_cluster_needs_keeps_what_runs_unless_told_otherwise() -> None:
    assert preserves(wish("delete", "vpc-cni"))
    assert not preserves(wish("delete"))
    made = draft(scene(installed(), works=frozenset({"adot"})), wish("delete", "cert-manager"))
    assert "adot needs it" in " ".join(made.warnings)
    assert (made.reversible, made.steps[0].body) == ("partial", {"preserve": False})
    bad = draft(scene(installed()), wish("delete", "vpc-cni", preserve=False))
    assert "pods get no address" in " ".join((*bad.warnings, *bad.lost))


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(NotFoundError, match="vpc-cni"):
        refuse_unfit(scene(), wish("update", "vpc-cn"), ("vpc-cni", "coredns"))
    with pytest.raises(ActionRefusedError, match="installed already"):
        refuse_unfit(scene(installed()), wish("create"), ())
    with pytest.raises(ActionRefusedError, match="UPDATING"):
        refuse_unfit(scene(installed(status="UPDATING")), wish("delete"), ())
    for wrong in (
        {"action": "delete", "version": OLD},
        {"action": "create", "preserve": True},
        {"action": "create", "resolve": "preserve"},
    ):
        with pytest.raises(InvalidInputError):
            check_fits(AddonWish.model_validate({"name": NAME, **wrong}))


def test_issues_are_explained_with_what_to_do() -> None:
    assert "resolve_conflicts=overwrite" in explained("ConfigurationConflict: x")
    assert "diagnose" in explained("InsufficientNumberOfReplicas")
    assert "trust" in explained("AccessDenied: x")
    assert explained("ClusterUnreachable") == ""
