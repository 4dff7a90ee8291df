"""What this server itself needs of AWS: telling people, and nothing else. It has no right in any cluster.

What its runs and investigations need is what the servers need that it calls, each with its own identity.
"""

from collections.abc import Mapping

from aiops_shared.auth.rights import AwsRow, Rights, Role

WHAT: Mapping[Role, str] = {
    Role.READ: "Nothing: facts come from the other servers.",
    Role.EXECUTE: "Telling people: publish to the SNS topic, send mail by SES, where those are set.",
}

AWS: tuple[AwsRow, ...] = (
    ("sns:Publish", Role.EXECUTE, ("submit_event", "start_run", "control_run")),
    ("ses:SendEmail", Role.EXECUTE, ("submit_event", "start_run", "control_run")),
)

RIGHTS = Rights.of("sop", (), AWS, WHAT)
