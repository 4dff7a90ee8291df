"""Who calls the simulated Kubernetes API: EKS tokens and the kubeconfig's own tokens become users and groups.

An EKS token is a pre-signed STS GetCallerIdentity URL (`k8s-aws-v1.` and its base64url form). What makes it
good is what aws-iam-authenticator asks (pkg/token/token.go): the URL leads to STS and asks for nothing else,
the header `x-k8s-aws-id` was signed with this cluster's name, and it is at most 15 minutes old. STS itself is
asked here by checking the signature with the lab's own directory of keys. Called by the Kubernetes app of
`aiops_lab.run` for every request.
"""

import base64
import binascii
import secrets
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import SplitResult, parse_qsl, urlsplit

from aiops_lab.aws.account import ACCOUNT_ID
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.principals import AccessKey, Directory
from aiops_lab.aws.signing import SKEW, HttpMessage, Signature, read_signature, verify
from aiops_lab.kube.ports import UserInfo

TOKEN_PREFIX = "k8s-aws-v1."  # noqa: S105  # a marker, no password
MAX_TOKEN_CHARS = 16_384
TOKEN_LIFE = timedelta(minutes=15)
CLUSTER_HEADER = "x-k8s-aws-id"
_PARAMETERS = frozenset(
    {
        "Action",
        "Version",
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Security-Token",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
    }
)


class LabAuthenticator:
    """Fulfils `aiops_lab.kube.ports.Authenticator` with the principals of the lab's account.

    `sts_host` is the lab's own AWS address, where a client with AWS_ENDPOINT_URL pre-signs its URL.
    """

    def __init__(self, directory: Directory, cluster: str, sts_host: str, account: str = ACCOUNT_ID) -> None:
        self._account = account
        self._directory = directory
        self._cluster = cluster
        self._sts_host = sts_host
        self.tokens: Mapping[str, str] = {
            one.name: f"lab-token-worth-nothing-{one.name}-{secrets.token_hex(16)}"
            for one in directory.principals.values()
            if one.account == account
        }
        own = {one.name: one.key for one in directory.principals.values() if one.account == account}
        self._users = {token: _user(directory.standing(own[name])) for name, token in self.tokens.items()}

    async def identify(self, authorization: str | None, client_cert: object | None) -> UserInfo | None:
        """The caller behind a bearer token, or None (401). Client certificates are not used here."""
        del client_cert
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_CHARS:
            return None
        if token.startswith(TOKEN_PREFIX):
            return self._from_eks_token(token)
        return self._users.get(token)

    def _from_eks_token(self, token: str) -> UserInfo | None:
        url = _decode(token)
        if url is None or not self._leads_to_sts(url):
            return None
        headers = {"host": url.netloc, CLUSTER_HEADER: self._cluster}
        message = HttpMessage("GET", url.path or "/", url.query, headers)
        try:
            signature = read_signature(message)
            if signature is None or not self._is_fresh(signature) or not _covers_cluster(signature):
                return None
            key = verify(message, signature, self._directory)
            # Access entries are the account's own principals: another's token is good, and not let in.
            return _user(key) if key.principal.account == self._account else None
        except AwsError:
            return None

    def _leads_to_sts(self, url: SplitResult) -> bool:
        at_aws = url.scheme == "https" and (
            url.netloc == "sts.amazonaws.com"
            or (url.netloc.startswith("sts.") and url.netloc.endswith(".amazonaws.com"))
        )
        if not (at_aws or (url.scheme == "http" and url.netloc == self._sts_host)) or url.path not in {
            "",
            "/",
        }:
            return False
        pairs = parse_qsl(url.query, keep_blank_values=True)
        query = dict(pairs)
        return (
            len(query) == len(pairs)
            and query.keys() <= _PARAMETERS
            and query.get("Action") == "GetCallerIdentity"
        )

    def _is_fresh(self, signature: Signature) -> bool:
        age = self._directory.now() - signature.signed_at
        return -SKEW <= age <= TOKEN_LIFE


def _covers_cluster(signature: Signature) -> bool:
    return signature.service == "sts" and {"host", CLUSTER_HEADER} <= set(signature.signed_headers)


def _decode(token: str) -> SplitResult | None:
    encoded = token.removeprefix(TOKEN_PREFIX)
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        return urlsplit(raw.decode("ascii"))
    except (binascii.Error, ValueError):
        return None


def _user(key: AccessKey) -> UserInfo:
    """What an access entry makes of a principal; the extras are those EKS hands to the audit log."""
    extra = {
        "arn": (key.caller_arn,),
        "canonicalArn": (key.principal.arn,),
        "accessKeyId": (key.access_key_id,),
        "principalId": (key.user_id.partition(":")[0],),
    }
    if key.session_name:
        extra["sessionName"] = (key.session_name,)
    return UserInfo(
        username=key.principal.name,
        groups=(*key.principal.groups, "system:authenticated"),
        extra=extra,
        uid=f"aws-iam-authenticator:{key.principal.account}:{key.user_id}",
    )
