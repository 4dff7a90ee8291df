"""One target under atheris, in a process of its own: libFuzzer ends the process that it runs in.

`python -m fuzz.parsers.child TARGET FOLDER [libFuzzer's options]`; started by `fuzz.parsers.running`. An
input that breaks something is written into FOLDER, and the exit code is not 0.
"""

import sys
from contextlib import suppress

import atheris

OURS = ["aiops_shared", "aiops_eks", "aiops_observability", "aiops_cost", "aiops_sop", "yaml", "fuzz"]


def main(name: str, options: list[str]) -> None:
    """Fuzz until the options say so."""
    with atheris.instrument_imports(include=OURS, enable_loader_override=False):
        from fuzz.parsers import corpus, targets

        for seed in corpus.seeds(name)[:40]:  # what a target imports by itself is instrumented too
            _tried(targets, name, seed)

    def one(data: bytes) -> None:
        targets.attack(name, data)

    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()


def _tried(targets: object, name: str, seed: bytes) -> None:
    with suppress(Exception):  # atheris finds it again, and writes it down
        targets.attack(name, seed)  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
