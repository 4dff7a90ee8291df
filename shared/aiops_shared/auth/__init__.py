"""Whose identity a call uses: the caller over stdio, and the token that EKS takes for an AWS identity.

`eks_token` is loaded by the first EKS cluster, not before (decision D31).
"""

from aiops_shared.auth.callers import CallerIdentity, caller_from

__all__ = ["CallerIdentity", "caller_from"]
