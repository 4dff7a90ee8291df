"""Each recipe of docs/policy-cookbook.md turns its verdicts as it says; each rule has its Korean line."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aiops_shared.guardrails.policy import SHIPPED, Policy
from aiops_shared.settings import PolicySettings
from eks_aiops.cli import app
from tests.contracts.repository import ROOT

PAGE = ROOT / "docs" / "policy-cookbook.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LAST = '(action == Aiops::Action::"autoscale" && resource.kind == "HorizontalPodAutoscaler")\n};'


@dataclass(frozen=True)
class Recipe:
    """One section: its blocks by language, in order."""

    title: str
    blocks: tuple[tuple[str, str], ...]

    def of(self, language: str) -> list[str]:
        """The texts of one language."""
        return [text for found, text in self.blocks if found == language]

    @property
    def questions(self) -> list[list[str]]:
        """What is asked, as the words after `eks-aiops`."""
        lines = "".join(self.of("sh")).splitlines()
        return [shlex.split(line)[1:] for line in lines if line.startswith("eks-aiops")]

    @property
    def settings(self) -> dict[str, str]:
        """What the recipe exports."""
        lines = "".join(self.of("sh")).splitlines()
        return dict(
            line.removeprefix("export ").split("=", 1) for line in lines if line.startswith("export ")
        )

    def said(self, when: str) -> str:
        """What the page promises, without the word before each line."""
        lines = self.of("text")[-1].splitlines()
        return "\n".join(line.removeprefix(f"{when}: ") for line in lines if line.startswith(f"{when}: "))


def recipes() -> list[Recipe]:
    """The numbered sections."""
    found = []
    for section in re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        if title[0].isdigit():
            found.append(Recipe(title, tuple((one[1], one[2]) for one in BLOCK.finditer(body))))
    return found


def answers(recipe: Recipe, policies: Path, settings: dict[str, str]) -> str:
    """What the policy says to every question of the recipe."""
    unset = dict.fromkeys(recipe.settings, "")
    env = {**unset, "AIOPS_POLICY_DIR": str(policies), "AIOPS_POLICY_TIME_ZONE": "", **settings}
    done = [CliRunner().invoke(app, words, env=env) for words in recipe.questions]
    assert all(one.exit_code == 0 for one in done), [one.output for one in done]
    return "".join(one.output for one in done).strip()


def bundle(recipe: Recipe, folder: Path) -> Path:
    """The shipped rules with the recipe's file beside them, and the exception that it adds to one of them."""
    for path in SHIPPED.glob("*.cedar"):
        text = path.read_text("utf-8")
        if len(recipe.of("text")) > 1 and path.name == "20-approval.cedar":
            assert text.count(LAST) == 1
            text = text.replace(LAST, LAST.removesuffix("};") + recipe.of("text")[0] + "};")
        (folder / path.name).write_text(text, "utf-8")
    for text in recipe.of("cedar"):
        name = text.splitlines()[0].removeprefix("// my-policies/")
        (folder / name).write_text(text, "utf-8")
    return folder


def test_the_page_has_its_recipes() -> None:
    assert len(recipes()) == 14


@pytest.mark.parametrize("recipe", recipes(), ids=lambda one: one.title)
def test_a_recipe_turns_its_verdicts_as_the_page_says(recipe: Recipe, tmp_path: Path) -> None:
    assert answers(recipe, SHIPPED, {}) == recipe.said("before")
    assert answers(recipe, bundle(recipe, tmp_path), recipe.settings) == recipe.said("after")


def test_the_page_names_every_fact_of_the_schema() -> None:
    schema = (SHIPPED / "schema.cedarschema").read_text("utf-8").partition("type Facts = {")[2]
    page = PAGE.read_text("utf-8")
    missing = [name for name in re.findall(r"^    (\w+): ", schema, re.MULTILINE) if f"`{name}`" not in page]
    assert not missing


def test_the_korean_page_names_every_rule() -> None:
    page = (ROOT / "docs/ko/guardrails.md").read_text("utf-8")
    missing = {rule.name for rule in Policy(PolicySettings()).rules if f"| `{rule.name}` |" not in page}
    assert not missing
