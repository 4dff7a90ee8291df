"""What starts the published package: name and version on the line are this release's, and then it starts.

That wheel and tarball start so from a clean machine, tests/launch show; here the lines of the pages are held
to the release, and the rest of each line is run by this checkout.
"""

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement

from tests.contracts.repository import ROOT
from tests.docs.programs.ours import eks_aiops

NAME = "eks-aiops"
_WITH_VALUE = {
    "--from",
    "--spec",
    "--python",
    "--constraint",
    "-c",
    "--target",
    "--platform",
    "--only-binary",
}
_WITH_VALUE |= {"--python-version", "-r", "--requirement", "--package"}


def parted(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    """Options (a lone one has the value ""), and from the first other word on the rest."""
    options: dict[str, str] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        name, _, value = rest.pop(0).partition("=")
        options[name] = value or (rest.pop(0) if name in _WITH_VALUE else "")
    return options, rest


def ours(named: str) -> None:
    """A requirement, a folder or a file that is this release of this package."""
    if named == "." or named.startswith(("./", "/")):
        found = Path(named)
        wheel = re.fullmatch(r"eks_aiops-(.+)-py3-none-any\.whl", found.name)
        assert (found / "pyproject.toml").exists() or (wheel and wheel[1] == version(NAME)), named
        return
    wanted = Requirement(named)
    assert wanted.name == NAME, named
    assert not wanted.specifier or str(wanted.specifier) == f"=={version(NAME)}", f"{named}: {version(NAME)}"


def uvx(arguments: list[str]) -> int:
    """uvx: what `--from` names is this release, and the command after it runs."""
    options, (command, *rest) = parted(arguments)
    ours(options["--from"])
    assert command == NAME, command
    return eks_aiops(rest)


def pipx(arguments: list[str]) -> int:
    """pipx run: as uvx. pipx install: the same, without a run."""
    verb, *more = arguments
    options, rest = parted(more)
    assert verb in {"run", "install"}, verb
    ours(options.get("--spec") or rest[0])
    return eks_aiops(rest[1:]) if verb == "run" else 0


def npx(arguments: list[str]) -> int:
    """npx: our package at its version, then its command; the inspector of tests/clients, for real."""
    options, (package, *rest) = parted(arguments)
    package_json = json.loads((ROOT / "deploy/npm/package.json").read_text("utf-8"))
    if package.startswith("@modelcontextprotocol/inspector"):
        return _inspector(package, rest)
    if "--package" in options:
        packed = f"file:./{package_json['name']}-{package_json['version']}.tgz"
        assert options["--package"] == packed, f"{options['--package']}: npm pack makes {packed}"
        assert package in package_json["bin"], package
    else:
        assert package == f"{package_json['name']}@{package_json['version']}", package
    return eks_aiops(rest)


def _inspector(package: str, rest: list[str]) -> int:
    from tests.clients.packages import INSPECTOR, NPM, packages

    assert package == f"{INSPECTOR}@{NPM[INSPECTOR]}", package
    assert rest[0] == "--cli"
    return subprocess.run([*packages().inspector, *rest[1:]], check=False).returncode


def environment(folder: Path) -> int:
    """An empty environment: its python and pip are the checkers, its eks-aiops comes with an install."""
    beside = Path(shutil.which("pip") or "").parent
    (folder / "bin").mkdir(parents=True)
    for name in ("python", "pip"):
        (folder / "bin" / name).symlink_to(beside / name)
    return 0


def _installed(python: str) -> None:
    """The command, where an install into that environment would put it."""
    where = Path(python)
    where = where / "bin" if (where / "bin").is_dir() else where.parent
    (where / NAME).symlink_to(Path(shutil.which("uvx") or "").with_name(NAME))


def pip(arguments: list[str]) -> int:
    """pip install: our package at this release, or a file whose every line is a pinned requirement."""
    verb, *more = arguments
    assert verb == "install", verb
    options, rest = parted(more)
    for name in ("-r", "--requirement", "-c", "--constraint"):
        if name in options:
            _pinned(Path(options[name]))
    for named in rest:
        ours(named.partition("[")[0] if named.startswith(".") else named)
    if "--target" in options:
        Path(options["--target"]).mkdir(parents=True, exist_ok=True)
    elif rest and Path(sys.argv[0]).parent.name == "bin" and Path(sys.argv[0]).is_symlink():
        _installed(sys.argv[0])
    return 0


def _pinned(file: Path) -> None:
    for line in file.read_text("utf-8").splitlines():
        if line.strip() and not line.startswith((" ", "#")):
            wanted = Requirement(line.rstrip(" \\"))
            assert str(wanted.specifier).startswith("=="), line


def uv(arguments: list[str]) -> int:
    """uv venv and uv pip install, as python -m venv and pip."""
    if arguments[:1] == ["venv"]:
        return environment(Path(arguments[-1]).expanduser())
    assert arguments[:1] == ["pip"], arguments
    code = pip(arguments[1:])
    options, rest = parted(arguments[2:])
    if rest and "--python" in options:
        _installed(options["--python"])
    return code
