"""botocore's errors as ours, sorted by what to do next. Texts from AWS are cut to 256 characters."""

from typing import Any

import botocore.exceptions as boto

from aiops_shared.errors import (
    AccessDeniedError,
    AiopsError,
    ConflictError,
    InvalidInputError,
    NotConfiguredError,
    NotFoundError,
    ThrottledError,
    UnauthenticatedError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
)

TEXT_CHARACTERS = 256
CREDENTIALS_HINT = (
    "give credentials: AWS_PROFILE, aws sso login, or an instance, IRSA or Pod Identity role; "
    "see aws sts get-caller-identity"
)
REGION_HINT = "set AWS_REGION or name the account's regions in AIOPS_CLUSTERS_FILE"

_THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "BandwidthLimitExceeded",
        "PriorRequestNotComplete",
        "SlowDown",
    }
)
_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "UnauthorizedAccess",
        "NotAuthorized",
        "Client.UnauthorizedOperation",
    }
)
_UNAUTHENTICATED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "TokenRefreshRequired",
        "InvalidClientTokenId",
        "InvalidAccessKeyId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "InvalidSignatureException",
        "IncompleteSignature",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "AuthFailure",
    }
)
_CONFLICT = frozenset(
    {
        "ConflictException",
        "ResourceInUseException",
        "ResourceAlreadyExistsException",
        "OperationAborted",
        "IdempotentParameterMismatch",
    }
)
_INVALID = ("Validation", "InvalidParameter", "InvalidRequest", "Malformed", "MissingParameter", "BadRequest")
_UNREACHABLE = (
    boto.EndpointConnectionError,
    boto.ConnectTimeoutError,
    boto.ProxyConnectionError,
    boto.SSLError,
)
_INVALID_CALLS = (boto.ParamValidationError, boto.InvalidRegionError)


def short(text: str) -> str:
    """One line without control characters, at most 256 characters."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= TEXT_CHARACTERS else line[: TEXT_CHARACTERS - 1] + "…"


def translated(thing: str, error: boto.BotoCoreError | boto.ClientError) -> AiopsError:
    """The error that says what to do about a failed call on `thing`."""
    if isinstance(error, boto.ClientError):
        return _answered(f"{thing} ({error.operation_name})", error.response)
    text = short(str(error))
    if isinstance(error, boto.NoRegionError):
        return NotConfiguredError(thing, "no region is configured", REGION_HINT)
    if isinstance(error, _UNREACHABLE):
        return UnreachableError(thing, text, "check the network, the region and AWS_ENDPOINT_URL")
    if isinstance(error, boto.ReadTimeoutError):
        return UpstreamTimeoutError(thing, text, "again later")
    if isinstance(error, _INVALID_CALLS):
        return InvalidInputError(thing, text)
    if isinstance(error, boto.HTTPClientError | boto.ConnectionError | boto.IncompleteReadError):
        return UpstreamError(thing, text)
    return (
        NotConfiguredError(thing, text, CREDENTIALS_HINT) if _is_set_up(error) else UpstreamError(thing, text)
    )


def _is_set_up(error: boto.BotoCoreError) -> bool:
    """Whether it is about what the operator gave: credentials, profiles, SSO, configuration files."""
    return isinstance(
        error,
        boto.NoCredentialsError
        | boto.PartialCredentialsError
        | boto.CredentialRetrievalError
        | boto.MetadataRetrievalError
        | boto.ProfileNotFound
        | boto.ConfigNotFound
        | boto.ConfigParseError
        | boto.InvalidConfigError
        | boto.SSOError
        | boto.TokenRetrievalError
        | boto.UnknownCredentialError
        | boto.RefreshWithMFAUnsupportedError
        | boto.InfiniteLoopConfigError,
    )


def _answered(thing: str, response: Any) -> AiopsError:
    said = response.get("Error") or {}
    code, text = str(said.get("Code") or ""), short(str(said.get("Message") or ""))
    reason = f"{code}: {text}" if text else code
    if code in _THROTTLED:
        return ThrottledError(thing, reason, "wait, then again")
    if code in _UNAUTHENTICATED:
        return UnauthenticatedError(thing, reason, "renew the credentials (aws sso login, or a new session)")
    if code in _DENIED:
        return AccessDeniedError(thing, reason, "grant the action named to the identity named")
    if code in _CONFLICT:
        return ConflictError(thing, reason)
    if code.endswith(("NotFound", "NotFoundException")) or code.startswith("NoSuch"):
        return NotFoundError(thing, reason)
    if code == "OptInRequired":
        return NotConfiguredError(thing, reason, "enable the region or service for the account")
    if code.startswith(_INVALID):
        return InvalidInputError(thing, reason)
    return UpstreamError(thing, reason or "an error without a code")
