"""The linter: a sound file passes, and each rule says `file:line: message` about the file that breaks it."""

import json
from pathlib import Path

import anyio
import pytest

from aiops_shared.errors import InvalidInputError
from aiops_shared.settings import Settings
from aiops_sop.clients.library import shipped
from aiops_sop.documents.exporting import kiro_files, prose, skill_files
from aiops_sop.documents.expressions import evaluate, filled, holds
from aiops_sop.documents.linting import World, lint, said
from aiops_sop.documents.parsing import parse
from eks_aiops.sop_pages import every_sop
from eks_aiops.sops_command import export, lint_files, world
from tests.sop.documents.writing import BODY, CHANGE, FRONT, LOOK, sop

NAME = "fix-it.sop.md"
LISTED = Path(__file__).parents[2] / "contracts" / "tools"


def tools() -> dict[str, dict[str, dict[str, object]]]:
    """The servers' tools as the snapshots have them."""
    found = {}
    for server in ("eks", "observability", "cost", "sop"):
        listed = json.loads((LISTED / f"{server}.json").read_text(encoding="utf-8"))
        found[server] = {tool["name"]: tool for tool in listed}
    return found


WORLD = World(tools(), {}, frozenset({"OOM_LIMIT_TOO_LOW"}), frozenset({"pod-crashloop"}))
FAULTS = {
    "a section is missing": (
        sop(body=BODY.replace("## Examples\nOnce.\n", "")),
        "section Examples is missing",
    ),
    "a section is empty": (sop(body=BODY.replace("Fixes it.\n", "")), "section Overview is empty"),
    "sections are mixed up": (
        sop(body=BODY.replace("## Overview\nFixes it.\n", "") + "\n## Overview\nx\n"),
        "sections are not in their order",
    ),
    "a section twice": (sop(body=BODY + "\n## Examples\nx\n"), "section Examples stands there twice"),
    "a line without parameter": (
        sop(body=BODY.replace("- **count**", "- **size**")),
        "size is not in the front",
    ),
    "a parameter without line": (
        sop(FRONT + "\n  more: {type: string, required: false}"),
        "more has no line under Parameters",
    ),
    "required in one place": (
        sop(body=BODY.replace("(required)", "(optional)")),
        "name is required in the front",
    ),
    "another default": (sop(body=BODY.replace('"3"', '"4"')), "the default of count is 3"),
    "a line of another form": (
        sop(body=BODY.replace("- **name** (required): the", "- name: the")),
        "no parameter line",
    ),
    "steps not numbered": (sop(body=BODY.replace("### 2.", "### 3.")), "is not numbered 2"),
    "a step without words": (sop(body=BODY.replace("Look at it.\n", "")), "does not say in words"),
    "no constraints": (sop(body=BODY.replace("- You MUST look first\n", "")), "has no **Constraints:**"),
    "a weak word": (sop(body=BODY.replace("You MUST look", "You must look")), "write MUST"),
    "a NOT without reason": (sop(body=BODY.replace(" because it is in use", "")), "gives no reason"),
    "no such tool": (
        sop(look=LOOK.replace("eks.diagnose", "eks.diagnos")),
        "eks.diagnos is no tool; nearest: diagnose",
    ),
    "no such argument": (sop(look=LOOK.replace("kind:", "kynd:")), "has no argument kynd; nearest: kind"),
    "a missing argument": (sop(change=CHANGE.replace("action: scale, ", "")), "needs the argument action"),
    "a value that does not fit": (
        sop(change=CHANGE.replace("scale", "explode")),
        "does not take this action",
    ),
    "a parameter that does not fit": (
        sop(change=CHANGE.replace("{{ params.count }}", "{{ params.name }}")),
        "wants replicas as integer, params.name is string",
    ),
    "no such field of an answer": (
        sop(look=LOOK.replace("findings", "fyndings")),
        "the answer has no fyndings",
    ),
    "a field that may be left out": (
        sop(look=LOOK.replace("has(result.findings)", "size(result.findings) > 0")),
        "findings is left out of an answer when empty",
    ),
    "a write without verify": (
        sop(change=CHANGE.split("verify:")[0] + "on_fail: undo"),
        "writes and has no verify",
    ),
    "a verify that does not look": (
        sop(change=CHANGE.replace('"!has(result.findings)"', '"true"')),
        "does not look at its result",
    ),
    "a risk below its steps": (sop(FRONT.replace("medium", "low")), "risk is low, a step is medium"),
    "an unreachable step": (sop(change=CHANGE.replace("steps.look.ok", '"1 > 2"')), "is unreachable"),
    "a later step": (sop(look=LOOK + "\nwhen: steps.change.ok"), "comes later"),
    "a SOP that is not there": (sop(look="id: look\nrun: elsewhere"), "runs elsewhere, which is no SOP"),
    "a write without target": (sop(FRONT.replace('target: "params.name"\n', "")), "writes without a target"),
    "a cause that is none": (sop(FRONT + "\ncauses: [NO_SUCH]"), "causes names NO_SUCH"),
    "a story that is none": (
        sop(FRONT + "\nproof: {scenario: nope, params: {name: x}}"),
        "the lab does not have",
    ),
    "a proof that lacks": (
        sop(FRONT + "\nproof: {scenario: pod-crashloop}"),
        "lacks name, which is required",
    ),
    "a secret": (
        sop(body=BODY.replace("Once.", "password=Fake-Canary-12345-not-real")),
        "looks like a secret",
    ),
    "an account": (sop(body=BODY.replace("Once.", "Account 314159265358.")), "looks like an account id"),
    "a path": (
        sop(body=BODY.replace("Once.", "See /home/anna/notes.")),
        "holds a path of a machine: /home/anna",
    ),
    "a gate without waves": (
        sop(change=CHANGE + '\ngate: {call: eks.diagnose, until: "!has(result.findings)"}'),
        "a gate without waves",
    ),
}


def test_a_sound_file_has_no_fault() -> None:
    assert said(NAME, lint(sop(), NAME, WORLD)) == ()


@pytest.mark.parametrize("name", FAULTS)
def test_each_rule_says_where_and_what(name: str) -> None:
    text, says = FAULTS[name]
    found = lint(text, NAME, WORLD)
    assert any(says in fault.says for fault in found), said(NAME, found)
    assert all(1 <= fault.line <= len(text.split("\n")) for fault in found)
    assert len(found) <= 3, said(NAME, found)


def test_a_file_that_does_not_parse_is_one_fault_with_its_line() -> None:
    assert said("x/fix-it.sop.md", lint(sop(look="id: [look"), NAME, WORLD))[0].startswith(
        "x/fix-it.sop.md:3"
    )


@pytest.fixture(scope="module")
def suite() -> World:
    """What the command checks against."""
    return anyio.run(world, Settings())


@pytest.mark.row("S47")
def test_every_shipped_sop_passes_the_linter(suite: World) -> None:
    files = sorted(shipped().glob("*.sop.md"))
    assert len(files) >= 35
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert said(file.name, lint(text, file.name, suite)) == ()


def test_the_linter_knows_the_servers_the_causes_and_the_stories(suite: World) -> None:
    assert "diagnose" in suite.tools["eks"]
    assert "OOM_LIMIT_TOO_LOW" in suite.codes
    assert "disk-pressure" in suite.scenarios


async def test_the_command_prints_file_line_and_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, gone = tmp_path / NAME, tmp_path / "gone.sop.md"
    bad.write_text(sop(FRONT.replace("medium", "low")), encoding="utf-8")
    assert await lint_files([bad, gone]) == 1
    told = capsys.readouterr()
    assert f"{bad}:4: risk is low, a step is medium" in told.out
    assert "2 files, 2 faults" in told.out
    assert f"{gone}:1: cannot be read" in told.err


async def test_the_command_writes_what_other_hosts_load(tmp_path: Path) -> None:
    assert await export("skills", tmp_path) == 0
    assert (tmp_path / "disk-pressure" / "SKILL.md").is_file()
    assert await export("kiro", tmp_path) == 0
    assert (tmp_path / ".kiro" / "steering" / "eks-aiops.md").is_file()
    with pytest.raises(InvalidInputError, match="skills, kiro"):
        await export("everything", tmp_path)


def test_sops_are_exported_as_skills_and_as_steering_that_every_host_can_read() -> None:
    sops = every_sop(shipped())
    skills, kiro = skill_files(sops), kiro_files(sops)
    assert set(skills) == {f"{one.id}/SKILL.md" for one in sops}
    assert ".kiro/steering/eks-aiops.md" in kiro
    for name, text in skills.items():
        front = text.split("---\n")[1].splitlines()
        assert json.loads(front[0].removeprefix("name: ")) == name.partition("/")[0]
        assert 20 <= len(json.loads(front[1].removeprefix("description: "))) <= 1024
        assert "```yaml step" not in text
        assert "start_run(sop=" in text
    assert kiro[".kiro/steering/eks-aiops.md"].startswith('---\ninclusion: "always"\n')


def test_the_prose_of_a_sop_is_without_what_only_the_engine_reads() -> None:
    found = prose(parse(sop(), NAME))
    assert found.startswith("# Fix it")
    assert "yaml step" not in found
    assert "call:" not in found
    assert "You MUST NOT delete it because it is in use" in found


def test_values_are_filled_in_typed_where_they_are_the_whole_text() -> None:
    context = {"params": {"n": 3, "none": None, "l": ["a", "b"]}, "now": "2026-11-22T10:00:00+00:00"}
    tree = {
        "n": "{{ params.n }}",
        "text": "{{ params.n + 1 }} of {{ params.l }}{{ params.none }}",
        "absent": "{{ params.none }}",
        "kept": None,
        "deep": [{"absent": "{{ params.none }}"}],
        "then": "{{ now - duration('1h') }}",
    }
    assert filled(tree, context) == {
        "n": 3,
        "text": "4 of a, b",
        "kept": None,
        "deep": [{"absent": None}],
        "then": "2026-11-22T09:00:00+00:00",
    }


def test_tables_are_read_by_column_and_absent_fields_by_a_question_mark() -> None:
    result = {"series": {"columns": ["node", "last"], "rows": [["n1", 5.0], ["n2", 20.0]]}}
    assert holds("result.series.records.exists(r, r.node == 'n2' && r.last > 10.0)", {"result": result})
    assert evaluate("result.?findings.orValue([])", {"result": result}) == []
    assert evaluate("steps.a.ok ? 1 : 2", {"steps": {"a": {"ok": False}}}) == 2
