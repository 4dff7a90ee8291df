"""Trials of programs that AWS refuses: IRSA, Pod Identity, the node's role, a permission that is missing.

Words: AWS SDKs for Go, Python and Java around what STS and EKS Auth answer (STS API reference, errors of
AssumeRoleWithWebIdentity; EKS user guide, "EKS Pod Identity"; IAM user guide, "access denied error "
"messages").
"""

from collections.abc import Callable
from random import Random

from aiops_lab.aws.account import ACCOUNT_ID, REGION
from aiops_lab.scenarios.base import Build, Expect, Expected, Stage, nothing
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import failing, logfmt
from aiops_lab.scenarios.trials.base import HOME, Role, Trial, trial
from aiops_lab.scenarios.trials.pods_base import crashed_and_recovered, put_app, recent_s

ISSUER = f"https://oidc.eks.{REGION}.amazonaws.com/id/LAB"
Words = Callable[[Names], tuple[str, ...]]


def _account(names: Names) -> str:
    return f"{names.api}-aws"


def _role(names: Names) -> str:
    return f"arn:aws:iam::{ACCOUNT_ID}:role/{names.api}"


def _trust(names: Names) -> tuple[str, ...]:
    del names
    refused = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
    return (
        f"An error occurred (AccessDenied) when calling the AssumeRoleWithWebIdentity operation: {refused}",
        logfmt(
            "fatal",
            "operation error STS: AssumeRoleWithWebIdentity, https response error StatusCode: 403, "
            f"api error AccessDenied: {refused}",
        ),
        (
            "WebIdentityErr: failed to retrieve credentials caused by: InvalidIdentityToken: Incorrect "
            "token audience"
        ),
    )


def _provider(names: Names) -> tuple[str, ...]:
    del names
    missing = f"InvalidIdentityToken: No OpenIDConnect provider found in your account for {ISSUER}"
    return (
        f"WebIdentityErr: failed to retrieve credentials caused by: {missing}",
        logfmt("fatal", f"failed to refresh cached credentials, operation error STS: {missing}"),
    )


def _invalid(names: Names) -> tuple[str, ...]:
    del names
    return (
        (
            "An error occurred (ValidationError) when calling the AssumeRoleWithWebIdentity operation: "
            "Request ARN is invalid"
        ),
        logfmt(
            "fatal",
            "operation error STS: AssumeRoleWithWebIdentity, api error ValidationError: Request ARN is "
            "invalid",
        ),
    )


def _agent(names: Names) -> tuple[str, ...]:
    del names
    return (
        (
            "botocore.exceptions.CredentialRetrievalError: Error when retrieving credentials from "
            "container-role: Connect "
            'timeout on endpoint URL: "http://169.254.170.23/v1/credentials"'
        ),
        logfmt(
            "fatal",
            "failed to load credentials: Get http://169.254.170.23/v1/credentials: dial tcp "
            "169.254.170.23:80: "
            "connect: connection refused",
        ),
    )


def _refused(names: Names) -> tuple[str, ...]:
    del names
    words = "Unauthorized Exception! EKS does not have permissions to assume the associated role."
    return (
        logfmt("fatal", f"failed to refresh cached credentials, failed to load credentials, {words}"),
        (
            "operation error EKS Auth: AssumeRoleForPodIdentity, https response error StatusCode: 400, "
            f"AccessDeniedException: {words}"
        ),
    )


def _may_not(session: str, role: str) -> Words:
    def words(names: Names) -> tuple[str, ...]:
        principal = f"{role}/{session}".format(api=names.api)
        who = f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/{principal}"
        table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/{names.api}"
        refused = f"User: {who} is not authorized to perform:"
        why = "because no identity-based policy allows the"
        return (
            (
                "An error occurred (AccessDeniedException) when calling the Query operation: "
                f"{refused} dynamodb:Query on resource: {table} {why} dynamodb:Query action"
            ),
            logfmt(
                "fatal", f"AccessDenied: {refused} s3:GetObject on resource: arn:aws:s3:::assets {why} action"
            ),
        )

    return words


_NODE_ROLE = _may_not("i-0fedcba9876543210", "my-cluster-node")
_OWN_ROLE = _may_not("eks-{api}-7d9f", "{api}")


def _says(words: Words) -> Build:
    """The program ends with AWS's refusal."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        ways = words(names)
        line = ways[names.seed % len(ways)]
        program = failing(logfmt("info", f"starting {names.api}"), line, after_s=rng.uniform(1, 5))
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {
                "name": _account(names),
                "namespace": HOME,
                "annotations": {"eks.amazonaws.com/role-arn": _role(names)},
            },
        }
        began_s = recent_s(rng)
        stage.put_at(began_s + 60, account)
        put_app(stage, names, began_s, program, pod={"serviceAccountName": _account(names)})

    return build


def _said(words: Words) -> Build:
    """It said so at its first starts, and was let in then."""
    return crashed_and_recovered(lambda names, rng: failing(rng.choice(words(names)), after_s=2))


def _at_account(code: str) -> Expect:
    def expect(names: Names) -> tuple[Expected, ...]:
        return (Expected(code, "ServiceAccount", HOME, _account(names), hurts_name=names.api),)

    return expect


def _elsewhere(code: str, kind: str, home: str, name: str) -> Expect:
    def expect(names: Names) -> tuple[Expected, ...]:
        return (Expected(code, kind, home, name, hurts_name=names.api),)

    return expect


_PROVIDER = _elsewhere("IRSA_PROVIDER_MISSING", "Cluster", "", "my-cluster")
_AGENT = _elsewhere("POD_IDENTITY_AGENT_ABSENT", "DaemonSet", "kube-system", "eks-pod-identity-agent")
_TRUST, _ROLE = _at_account("IRSA_TRUST_REFUSED"), _at_account("IRSA_ROLE_INVALID")
_POD, _NODE = _at_account("POD_IDENTITY_REFUSED"), _at_account("AWS_IDENTITY_MISSING")
_RIGHT = _at_account("AWS_PERMISSION_MISSING")
# Code, its words, where it is, and the neighbour that it is told from.
_CAUSES: tuple[tuple[str, Words, Expect, Words, Expect], ...] = (
    ("IRSA_TRUST_REFUSED", _trust, _TRUST, _provider, _PROVIDER),
    ("IRSA_PROVIDER_MISSING", _provider, _PROVIDER, _trust, _TRUST),
    ("IRSA_ROLE_INVALID", _invalid, _ROLE, _trust, _TRUST),
    ("POD_IDENTITY_AGENT_ABSENT", _agent, _AGENT, _refused, _POD),
    ("POD_IDENTITY_REFUSED", _refused, _POD, _agent, _AGENT),
    ("AWS_IDENTITY_MISSING", _NODE_ROLE, _NODE, _OWN_ROLE, _RIGHT),
    ("AWS_PERMISSION_MISSING", _OWN_ROLE, _RIGHT, _NODE_ROLE, _NODE),
)


def _of(code: str, role: Role, build: Build, expect: Expect, says: str) -> Trial:
    return trial(code, role, build, expect, says=says, needs_aws=True)


TRIALS: tuple[Trial, ...] = tuple(
    made
    for code, own, here, other, there in _CAUSES
    for made in (
        _of(code, "positive", _says(own), here, "Its log ends with AWS's refusal."),
        _of(code, "look_alike", _says(other), there, "Refused by AWS too, for another reason."),
        _of(code, "recovered", _said(own), nothing, "Refused at first, and let in since."),
    )
)
