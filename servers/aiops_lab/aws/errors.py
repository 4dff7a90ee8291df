"""What the lab's AWS says when it refuses: an error code of the real service, a message, an HTTP status."""

from moto.core import errors as moto_errors
from moto.core.exceptions import ServiceException

# Codes every AWS service may answer and no service model lists. moto warns about codes it does not know; the
# list is the place it offers for them.
COMMON_CODES = (
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
    "NotImplementedByLab",
    "RequestEntityTooLarge",
    "RequestLimitExceeded",
    "ServerException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "SignatureDoesNotMatch",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
)
moto_errors.COMMON_ERROR_CODES.extend(COMMON_CODES)


class AwsError(ServiceException):
    """A typed AWS error: botocore raises it to the caller as `client.exceptions.<code>` or ClientError."""

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(code, message)
        self.status = status


def not_found(message: str) -> AwsError:
    """`ResourceNotFoundException`, as EKS answers an unknown name."""
    return AwsError("ResourceNotFoundException", message)


def denied(message: str) -> AwsError:
    """`AccessDenied`, as STS and EC2 answer a caller without the right."""
    return AwsError("AccessDenied", message, 403)
