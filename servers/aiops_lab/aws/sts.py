"""STS: who calls, and sessions of roles.

moto answers any key with some identity; the lab knows only its own principals, so that a wrong key fails.
"""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations
from aiops_lab.aws.principals import AccessKey, Directory

SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}")
MIN_SESSION_S, MAX_SESSION_S = 900, 43_200


def sts_operations(directory: Directory) -> Operations:
    """The operations of service `sts`, bound to one directory."""
    return {
        ("sts", "GetCallerIdentity"): lambda call: caller_identity(call.caller),
        ("sts", "AssumeRole"): partial(assume_role, directory),
    }


def caller_identity(caller: AccessKey) -> Mapping[str, Any]:
    """What GetCallerIdentity answers for this key."""
    return {"UserId": caller.user_id, "Account": caller.principal.account, "Arn": caller.caller_arn}


def assume_role(directory: Directory, call: Call) -> Mapping[str, Any]:
    """A session of a role that trusts the caller. Raises AwsError ValidationError or AccessDenied."""
    session_name = str(call.params["RoleSessionName"])
    duration_s = int(call.params.get("DurationSeconds") or 3600)
    if SESSION_NAME.fullmatch(session_name) is None:
        raise AwsError("ValidationError", "roleSessionName must match [\\w+=,.@-]{2,64}")
    if not MIN_SESSION_S <= duration_s <= MAX_SESSION_S:
        raise AwsError("ValidationError", f"durationSeconds must be from {MIN_SESSION_S} to {MAX_SESSION_S}")
    role_arn, external_id = str(call.params["RoleArn"]), str(call.params.get("ExternalId") or "")
    session = directory.assume(call.caller, role_arn, session_name, duration_s, external_id)
    return {
        "Credentials": {
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret_access_key,
            "SessionToken": session.session_token,
            "Expiration": session.expires_at,
        },
        "AssumedRoleUser": {"AssumedRoleId": session.user_id, "Arn": session.caller_arn},
        "PackedPolicySize": 6,
    }
