"""`make faults`: kill, stop and crowd the suite; write docs/faults.md; end 1 where something broke."""

import sys

from evals.figures import Evaluation

FAULTS = Evaluation(
    package="faults",
    title="What runs survive",
    introduction="Processes with the whole suite in them are killed, stopped and crowded while SOPs run on"
    " the lab. Effects are counted by the simulators' own logs and compared with an undisturbed run of the"
    " same story; the world is compared object by object, the audit is verified. Made by `make faults`."
    " It ends 1 where an invariant broke or something was not played; a figure of speed that is missed is"
    " printed as missed, named on the last line, and fails nothing.",
    page="faults.md",
    parts={
        "kills": "Killed at every point",
        "moments": "Killed at any moment",
        "stops": "Stopped, told to end, cut off",
        "wires": "Throttled, silent, refused, away",
        "crowds": "Many at once",
        "concerns": "R1 to R23: where each is proved",
    },
)

if __name__ == "__main__":
    sys.exit(FAULTS.run([*sys.argv[1:], "--write"]))
