"""Checks Signature Version 4, in the header or in the query (a pre-signed URL).

moto takes every signature. The lab checks them, so that a wrong secret fails here as it would at AWS, and so
that an EKS token proves who made it. Rules: AWS General Reference, "Create a signed AWS API request".
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote

from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.principals import AccessKey, Directory

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
SKEW = timedelta(minutes=5)
_HEADER = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<credential>[^,\s]+),\s*SignedHeaders=(?P<headers>[^,\s]+),"
    r"\s*Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class HttpMessage:
    """The parts of a request that a signature covers; header names in lower case, the path still encoded."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a request says about its own signing."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    amz_date: str
    session_token: str | None
    presigned: bool

    @property
    def scope(self) -> str:
        """The credential scope that stands in the string to sign."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"

    @property
    def signed_at(self) -> datetime:
        """When it was signed. Raises AwsError IncompleteSignature for an unreadable date."""
        try:
            return datetime.strptime(self.amz_date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError as error:
            raise _incomplete("X-Amz-Date is not a date like 20260101T000000Z") from error


def _incomplete(why: str) -> AwsError:
    return AwsError("IncompleteSignature", why, 403)


def read_signature(message: HttpMessage) -> Signature | None:
    """The signature of a request, or None when it has none. Raises AwsError for one that cannot be read."""
    query = dict(parse_qsl(message.query, keep_blank_values=True))
    if "X-Amz-Signature" in query:
        return _from_query(query)
    if authorization := message.headers.get("authorization"):
        return _from_header(authorization, message.headers)
    return None


def _from_query(query: Mapping[str, str]) -> Signature:
    if query.get("X-Amz-Algorithm") != ALGORITHM:
        raise _incomplete(f"X-Amz-Algorithm must be {ALGORITHM}")
    key, date, region, service = _split(query.get("X-Amz-Credential", ""))
    return Signature(
        access_key_id=key,
        date=date,
        region=region,
        service=service,
        signed_headers=tuple(query.get("X-Amz-SignedHeaders", "").split(";")),
        signature=query["X-Amz-Signature"],
        amz_date=query.get("X-Amz-Date", ""),
        session_token=query.get("X-Amz-Security-Token"),
        presigned=True,
    )


def _from_header(authorization: str, headers: Mapping[str, str]) -> Signature:
    found = _HEADER.fullmatch(authorization.strip())
    if found is None:
        raise _incomplete("Authorization header requires 'Credential', 'SignedHeaders' and 'Signature'")
    key, date, region, service = _split(found["credential"])
    return Signature(
        access_key_id=key,
        date=date,
        region=region,
        service=service,
        signed_headers=tuple(found["headers"].split(";")),
        signature=found["signature"],
        amz_date=headers.get("x-amz-date", ""),
        session_token=headers.get("x-amz-security-token"),
        presigned=False,
    )


def _split(credential: str) -> tuple[str, str, str, str]:
    match credential.split("/"):
        case [key, date, region, service, "aws4_request"]:
            return key, date, region, service
    raise _incomplete("Credential must read <key>/<date>/<region>/<service>/aws4_request")


def verify(message: HttpMessage, signature: Signature, directory: Directory) -> AccessKey:
    """The key that signed the request. Raises AwsError with the code AWS gives for what is wrong."""
    key = directory.key(signature.access_key_id)
    if key is None or key.session_token != signature.session_token:
        raise AwsError("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
    if key.expires_at is not None and key.expires_at <= directory.now():
        raise AwsError("ExpiredToken", "The security token included in the request is expired", 403)
    if not signature.presigned and abs(directory.now() - signature.signed_at) > SKEW:
        raise AwsError(
            "SignatureDoesNotMatch", f"Signature expired or not yet current: {signature.amz_date}", 403
        )
    # S3 signs its path otherwise and streams its bodies; no rule of the lab stands on an S3 signature.
    if signature.service != "s3" and not hmac.compare_digest(
        expected_signature(message, signature, key.secret_access_key), signature.signature
    ):
        raise AwsError(
            "SignatureDoesNotMatch", "The request signature does not match the one calculated.", 403
        )
    return key


def expected_signature(message: HttpMessage, signature: Signature, secret: str) -> str:
    """The signature that the holder of `secret` would have made for this request."""
    canonical = _canonical_request(message, signature)
    to_sign = "\n".join(
        [ALGORITHM, signature.amz_date, signature.scope, hashlib.sha256(canonical.encode()).hexdigest()]
    )
    key = f"AWS4{secret}".encode()
    for part in (signature.date, signature.region, signature.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, to_sign.encode(), "sha256").hex()


def _canonical_request(message: HttpMessage, signature: Signature) -> str:
    headers = [
        f"{name}:{' '.join(message.headers.get(name, '').split())}" for name in signature.signed_headers
    ]
    return "\n".join(
        [
            message.method.upper(),
            quote(message.path, safe="/~"),
            _canonical_query(message.query),
            *headers,
            "",
            ";".join(signature.signed_headers),
            _payload_hash(message, signature),
        ]
    )


def _canonical_query(query: str) -> str:
    pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "X-Amz-Signature"]
    encoded = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def _payload_hash(message: HttpMessage, signature: Signature) -> str:
    if signature.presigned:
        return EMPTY_SHA256
    # The declared hash is what was signed; a body that does not fit it was changed on the way.
    declared = message.headers.get("x-amz-content-sha256")
    actual = hashlib.sha256(message.body).hexdigest()
    return declared if declared is not None and declared == actual else actual
