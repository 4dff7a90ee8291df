"""`make proofs`: take each control away, see its tests turn red, write docs/proofs.md; 1 on a survivor."""

import argparse
import datetime as dt
import sys
import time

from proofs.controls import CONTROLS
from proofs.page import Proof, kept, lines, table, written
from proofs.runner import proved


def main(arguments: list[str] | None = None) -> int:
    """Prove, print the table, keep the page; 1 when a control is not proved."""
    parser = argparse.ArgumentParser(prog="python -m proofs")
    parser.add_argument(
        "--only", default="", help="ids, with commas: T6,R11; then the other rows stay as they were"
    )
    parser.add_argument("--page", action="store_true", help="write the page anew from its rows, run nothing")
    asked = parser.parse_args(arguments)
    wanted = {word.strip() for word in asked.only.split(",") if word.strip()}
    chosen = [] if asked.page else [one for one in CONTROLS if not wanted or one.id in wanted]
    started = time.monotonic()
    verdicts = proved(chosen) if chosen else []
    today = dt.datetime.now(dt.UTC).date().isoformat()  # noqa: TID251  # the day of a measurement, not a decision
    now = [Proof(mutation, verdict.word, today) for mutation, verdict in zip(chosen, verdicts, strict=True)]
    rows = [*(proof for proof in kept() if proof.mutation not in chosen), *now]
    written(lines(rows))
    print("\n".join(table(now or rows)))
    killed = sum(proof.killed for proof in now)
    print(f"{killed} of {len(now)} controls proved in {time.monotonic() - started:.0f} s", file=sys.stderr)
    return 0 if killed == len(now) else 1


if __name__ == "__main__":
    sys.exit(main())
