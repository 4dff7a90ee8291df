"""Where the SQLite file may lie: a private directory on a local disk.

Called once, before the store is opened. SQLite's locks are not kept on network file systems (sqlite.org,
"How To Corrupt An SQLite Database File", section 2.1), so two processes there would both hold one lease.
"""

import os
import stat
import threading
from pathlib import Path

from aiops_shared.errors import NotConfiguredError

MOUNTS = Path("/proc/self/mountinfo")
NETWORK_TYPES = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs"),
        *("ceph", "glusterfs", "lustre", "gpfs", "beegfs", "davfs"),
        *("fuse.sshfs", "fuse.s3fs", "fuse.goofys", "fuse.rclone", "fuse.mount-s3"),
        *("fuse.glusterfs", "fuse.ceph", "fuse.davfs2"),
    }
)


def _unescaped(mount_point: str) -> str:
    return mount_point.encode("latin-1", "replace").decode("unicode_escape")


def filesystem_type(path: Path, mountinfo: str) -> str:
    """Type of the file system that holds `path`, from Linux's mountinfo (proc(5)); "" when unknown."""
    best, found = "", ""
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split(" ")
        if len(fields) < 5 or not right:
            continue
        point = _unescaped(fields[4])
        # Later lines mount over earlier ones, hence >=.
        if path.is_relative_to(point) and len(point) >= len(best):
            best, found = point, right.split(" ")[0]
    return found


def _mountinfo() -> str:
    try:
        return MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux: the type cannot be told
        return ""


def refuse_network_filesystem(directory: Path, mountinfo: str | None = None) -> None:
    """Raise `NotConfiguredError` when the directory lies on a network file system (D37)."""
    found = filesystem_type(directory.resolve(), _mountinfo() if mountinfo is None else mountinfo)
    if found in NETWORK_TYPES:
        raise NotConfiguredError(
            f"state directory {directory}",
            f"it lies on a network file system ({found}), where SQLite's locks are not kept",
            "set AIOPS_STATE_DIR to a local disk, or AIOPS_STATE_URL to a PostgreSQL",
        )


def private_directory(directory: Path) -> None:
    """Make the directory with mode 0700; refuse one that everybody may write to."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = directory.stat().st_mode
    except OSError as error:
        raise NotConfiguredError(
            f"state directory {directory}",
            error.strerror or "cannot be made",
            "set AIOPS_STATE_DIR to a directory that this user may write to",
        ) from error
    if mode & stat.S_IWOTH:
        raise NotConfiguredError(
            f"state directory {directory}",
            "every user of this machine may write to it",
            "set AIOPS_STATE_DIR to a directory of its own, for example a new one below it",
        )


_making = threading.Lock()


def private_file(path: Path) -> None:
    """Make the file with mode 0600, or take others' rights away. SQLite's -wal and -shm inherit it.

    A database that is there is never opened here: closing any descriptor of it drops the locks that SQLite
    holds for this whole process, and another process would then take it for closed and remove its WAL
    (sqlite.org, "How To Corrupt An SQLite Database File", section 2.2).
    """
    try:
        with _making:  # nobody opens it as a database before the descriptor that made it is closed
            _make_unless_there(path)
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            raise NotConfiguredError(f"state file {path}", "it is a link", "name the file itself")
        if found.st_mode & 0o077:
            path.chmod(0o600)
    except OSError as error:
        raise NotConfiguredError(
            f"state file {path}",
            error.strerror or "cannot be opened",
            "give this user the file, or set AIOPS_STATE_DIR to another directory",
        ) from error
    if not os.access(path, os.R_OK | os.W_OK):
        raise NotConfiguredError(
            f"state file {path}",
            "this user may not write it",
            "give this user the file, or set AIOPS_STATE_DIR to another directory",
        )


def _make_unless_there(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
