"""A container engine, which CI does not have."""

from pathlib import Path

WITH_VALUE = {
    "-f",
    "-t",
    "--file",
    "--tag",
    "-e",
    "--env",
    "-v",
    "--volume",
    "-p",
    "--publish",
    "--tmpfs",
    "--name",
}
WITH_VALUE |= {
    "--cap-drop",
    "--security-opt",
    "--user",
    "--network",
    "--platform",
    "--build-arg",
    "--env-file",
}
ALONE = {"--rm", "--read-only", "-d", "-i", "-it", "--detach", "--init", "--pull", "--push"}


def docker(arguments: list[str]) -> int:
    """The options are docker's; a build's file and folder are there, whose steps tests/launch runs."""
    verb, *rest = arguments
    assert verb in {"build", "run", "push", "tag", "logs", "stop", "pull", "login"}, verb
    options: dict[str, list[str]] = {}
    while rest and rest[0].startswith("-"):
        name, _, value = rest.pop(0).partition("=")
        assert name in WITH_VALUE | ALONE, f"docker {verb}: {name}"
        options.setdefault(name, []).append(value or (rest.pop(0) if name in WITH_VALUE else ""))
    assert rest, f"docker {verb}: of what?"
    if verb == "build":
        assert (Path(rest[0]) / "pyproject.toml").exists()
        assert Path(options.get("-f", ["Dockerfile"])[0]).read_text("utf-8").count("FROM ")
    return 0
