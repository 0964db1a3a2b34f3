"""The lock that keeps a second process off a job."""

from __future__ import annotations

import errno
import logging
import os
import sys
from pathlib import Path

from scrapekit.errors import FrontierError, JobLocked

if sys.platform == "win32":  # pragma: no cover  (tested on POSIX)
    import msvcrt
else:
    import fcntl

logger = logging.getLogger("scrapekit")

_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}  # what file systems without locks say
_FAR = 1 << 30  # Windows locks bytes, and nobody can read those: lock one where the pid doesn't stand


class JobLock:
    """A lock on a file, held from here to :meth:`close`. The kernel frees it when the process dies, however it dies.

    Args:
        path: The file; it is created, and stays.
        job: The job's id, for messages.

    Raises:
        JobLocked: Another process holds it, or another object of this one. The message has the process id.
        FrontierError: The file can't be opened or locked.
    """

    def __init__(self, path: Path, job: str) -> None:
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise FrontierError(f"{path}: can't be opened: {error.strerror}") from error
        try:
            _lock(self._fd, path)
        except (BlockingIOError, PermissionError) as error:
            pid = os.pread(self._fd, 20, 0).decode("ascii", "replace") if hasattr(os, "pread") else ""
            os.close(self._fd)
            raise JobLocked(f"job {job} is being run by {f'process {pid}' if pid else 'another process'}") from error
        except OSError as error:
            os.close(self._fd)
            raise FrontierError(f"{path}: can't be locked: {error.strerror}") from error
        os.ftruncate(self._fd, 0)
        os.write(self._fd, str(os.getpid()).encode())

    def close(self) -> None:
        """Let the lock go. Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock of that file at this moment. Any thread."""
    try:
        fd = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        _lock(fd, path)
    except (BlockingIOError, PermissionError):
        return True
    finally:
        os.close(fd)
    return False


def _lock(fd: int, path: Path) -> None:
    if sys.platform == "win32":  # pragma: no cover  (tested on POSIX)
        os.lseek(fd, _FAR, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        os.lseek(fd, 0, os.SEEK_SET)
        return
    try:
        # flock() and not lockf(), so that it holds within this process as well.
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        logger.warning("%s can't be locked on this file system: run this job in no second process", path)
