"""`make proofs`: take each control away, see its tests turn red, write docs/proofs.md; 1 on a survivor."""

import argparse
import datetime as dt
import sys
import time

from proofs.controls import CONTROLS
from proofs.judging import Verdict
from proofs.mutation import Mutation
from proofs.page import Proof, kept, lines, table, written
from proofs.runner import proved


def main(arguments: list[str] | None = None) -> int:
    """Prove, print the table, keep the page; 1 when a control is not proved."""
    parser = argparse.ArgumentParser(prog="python -m proofs")
    parser.add_argument(
        "--only", default="", help="ids, or words of a control, with commas; other rows stay as they were"
    )
    parser.add_argument("--page", action="store_true", help="write the page anew from its rows, run nothing")
    asked = parser.parse_args(arguments)
    wanted = [word.strip() for word in asked.only.split(",") if word.strip()]
    chosen = [] if asked.page else [one for one in CONTROLS if not wanted or any(map(one.named, wanted))]
    started = time.monotonic()
    now: dict[Mutation, Proof] = {}

    def told(mutation: Mutation, verdict: Verdict) -> None:
        """The page is written each time, so that a run that is stopped has not run for nothing."""
        now[mutation] = Proof(mutation, verdict.word, _today())
        written(lines([now.get(proof.mutation, proof) for proof in kept()]))

    if chosen:
        proved(chosen, told)
    rows = [now.get(proof.mutation, proof) for proof in kept()]
    written(lines(rows))
    print("\n".join(table([proof for proof in rows if proof.mutation in now] or rows)))
    killed = sum(proof.killed for proof in now.values())
    print(f"{killed} of {len(chosen)} controls proved in {time.monotonic() - started:.0f} s", file=sys.stderr)
    return 0 if killed == len(chosen) else 1


def _today() -> str:
    return dt.datetime.now(dt.UTC).date().isoformat()  # noqa: TID251  # the day of a measurement


if __name__ == "__main__":
    sys.exit(main())
