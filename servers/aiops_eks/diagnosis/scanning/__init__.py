"""Judges manifests: what is unsafe or unreliable in them, and the same manifest without it.

Pure, as all of `diagnosis`; called by `tools/manifests.py`. The lists of what is unsafe are those of the Pod
Security Standards, https://kubernetes.io/docs/concepts/security/pod-security-standards/.
"""
