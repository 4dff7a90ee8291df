"""The configuration files of clients and platforms, generated from the tools: most of `deploy/`.

`python -m eks_aiops.docs` writes them, tests/contracts/test_client_files.py launches what they say. There is
one module for each kind of client; what all are made of is in `client_files_entries`.
"""

from eks_aiops import (
    client_files_aws,
    client_files_editors,
    client_files_kagent,
    client_files_packages,
)
from eks_aiops.client_files_entries import Tools


def client_files(found: Tools) -> dict[str, str]:
    """Path from the root -> text of every file."""
    return {
        **client_files_editors.files(found),
        **client_files_packages.files(found),
        **client_files_kagent.files(found),
        **client_files_aws.files(found),
    }
