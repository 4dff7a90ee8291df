"""Where the database may lie (D37)."""

from pathlib import Path

import pytest

from aiops_shared.errors import NotConfiguredError
from aiops_shared.state.places import filesystem_type, private_directory, refuse_network_filesystem

MOUNTINFO = r"""22 28 0:21 / /proc rw,nosuid shared:14 - proc proc rw
28 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 28 0:35 / /home rw,relatime - nfs4 filer:/home rw,vers=4.2
41 40 254:1 / /home/ann/local rw - xfs /dev/vdb rw
42 28 0:36 / /mnt/my\040share rw - cifs //filer/share rw
43 28 0:37 / /mnt/my\040share/over rw - tmpfs tmpfs rw
43 28 0:38 / /mnt/my\040share/over rw - fuse.sshfs host: rw
broken line
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/var/lib/eks-aiops", "ext4"),
        ("/home/ann/.local/state", "nfs4"),
        ("/home/ann/local/state", "xfs"),
        ("/homework", "ext4"),
        ("/mnt/my share/state", "cifs"),
        ("/mnt/my share/over/state", "fuse.sshfs"),
    ],
)
def test_the_innermost_latest_mount_says_the_type(path: str, expected: str) -> None:
    assert filesystem_type(Path(path), MOUNTINFO) == expected


def test_a_network_file_system_is_refused_with_both_ways_out(tmp_path: Path) -> None:
    mounted = f"1 0 0:1 / {tmp_path} rw - nfs4 filer:/x rw\n"
    with pytest.raises(NotConfiguredError, match="network file system \\(nfs4\\)") as caught:
        refuse_network_filesystem(tmp_path, mounted)
    assert "AIOPS_STATE_DIR" in caught.value.hint
    assert "AIOPS_STATE_URL" in caught.value.hint


def test_a_local_or_unknown_file_system_is_taken(tmp_path: Path) -> None:
    refuse_network_filesystem(tmp_path)
    refuse_network_filesystem(tmp_path, "")


def test_a_directory_that_can_not_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotConfiguredError, match="state directory"):
        private_directory(tmp_path / "file" / "below")
