"""What only POSIX systems have is used only behind a look whether it is there, so that the rest works without it."""

import ast
from pathlib import Path

import pytest

import scrapekit

ROOT = Path(scrapekit.__file__).parent
# Not those that prove what a crawl survives: they kill processes, which other systems do in other ways.
PROOFS = ("testing/killer", "testing/mortal.py", "testing/simulate")
SOURCES = [path for path in sorted(ROOT.rglob("*.py")) if not str(path.relative_to(ROOT)).startswith(PROOFS)]

# From the documentation of Python 3.11: "Availability: Unix", or "not Windows".
MODULES = {"crypt", "fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"}
ATTRIBUTES = {  # in words, which read better than quotes
    "os": set(
        "O_CLOEXEC O_DIRECTORY O_DSYNC O_NOCTTY O_NOFOLLOW O_NONBLOCK O_SYNC WEXITSTATUS WIFEXITED WIFSIGNALED chown "
        "confstr ctermid fchdir fchmod fchown fdatasync fork forkpty fstatvfs getegid geteuid getgid getgroups "
        "getloadavg getpgid getpgrp getpriority getresuid getsid getuid initgroups killpg lchown lockf mkfifo mknod "
        "nice openpty pathconf pidfd_open pipe2 posix_fadvise posix_fallocate posix_spawn pread preadv pwrite pwritev "
        "readv register_at_fork sched_getaffinity sched_setaffinity sched_yield sendfile setegid seteuid setgid "
        "setgroups setpgid setpriority setsid setuid statvfs sync sysconf tcgetpgrp tcsetpgrp ttyname uname wait wait3 "
        "wait4 waitid writev".split()
    ),
    "signal": set(
        "SIGALRM SIGBUS SIGCHLD SIGCONT SIGHUP SIGIO SIGKILL SIGPIPE SIGPROF SIGQUIT SIGSTOP SIGTSTP SIGTTIN SIGTTOU "
        "SIGUSR1 SIGUSR2 SIGWINCH alarm getitimer pause pthread_kill pthread_sigmask setitimer siginterrupt sigpending "
        "sigtimedwait sigwait sigwaitinfo".split()
    ),
    "socket": {"AF_UNIX", "CMSG_LEN", "recv_fds", "send_fds", "socketpair_unix"},
    "select": {"epoll", "kqueue", "poll"},
    "time": {"pthread_getcpuclockid", "tzset"},
}
# Keyword arguments that raise on Windows.
KEYWORDS = {"preexec_fn", "process_group", "start_new_session", "umask"}
FOLDERS = ("/proc/", "/sys/", "/dev/")


class Guards(ast.NodeVisitor):
    """Collects what a source uses of the above without a look whether it is there."""

    def __init__(self):
        self.found = []
        self.looked_at = []  # what the statements around say is there, or may be missing

    def visit_FunctionDef(self, node):
        self.within(node, asked_in(node))

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_If(self, node):
        self.within(node, asked_in(node.test))

    visit_IfExp = visit_If

    def visit_Try(self, node):
        caught = catches_import_error(node)
        names = {name.name for each in node.body if isinstance(each, ast.Import) for name in each.names}
        self.within(node, names if caught else set())

    def within(self, node, looked_at):
        self.looked_at.append(looked_at)
        self.generic_visit(node)
        self.looked_at.pop()

    def known(self, name):
        return any(name in each or "sys.platform" in each for each in self.looked_at)

    def visit_Import(self, node):
        for name in node.names:
            if name.name in MODULES and not self.known(name.name):
                self.found.append((node.lineno, f"import {name.name}"))

    def visit_ImportFrom(self, node):
        for name in node.names:
            if node.module in MODULES or name.name in ATTRIBUTES.get(node.module, ()):
                self.found.append((node.lineno, f"from {node.module} import {name.name}"))

    def visit_Attribute(self, node):
        self.generic_visit(node)
        if not isinstance(node.value, ast.Name):
            return
        module = node.value.id
        missing = node.attr in ATTRIBUTES.get(module, ()) and not self.known(f"{module}.{node.attr}")
        if missing or (module in MODULES and not self.known(module)):
            self.found.append((node.lineno, f"{module}.{node.attr}"))

    def visit_keyword(self, node):
        self.generic_visit(node)
        if node.arg in KEYWORDS and not (isinstance(node.value, ast.Constant) and node.value.value is None):
            self.found.append((node.value.lineno, f"{node.arg}="))

    def visit_Constant(self, node):
        if isinstance(node.value, str) and node.value.startswith(FOLDERS) and not self.known("sys.platform"):
            self.found.append((node.lineno, repr(node.value)))


def catches_import_error(node):
    return any(handler.type and "ImportError" in ast.unparse(handler.type) for handler in node.handlers)


def asked_in(node):
    """What is looked at: ``hasattr(os, "fork")``, ``fcntl is None``, ``sys.platform == "linux"`` (all of it)."""
    asked = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == "hasattr":
            what, name = each.args
            if isinstance(name, ast.Constant):
                asked.add(f"{ast.unparse(what)}.{name.value}")
        elif isinstance(each, ast.Compare) and isinstance(each.ops[0], ast.Is | ast.IsNot):
            asked.add(ast.unparse(each.left))
        elif isinstance(each, ast.Compare) and ast.unparse(each.left) == "sys.platform":
            asked.add("sys.platform")
        elif isinstance(each, ast.Try) and catches_import_error(each):
            asked.update(name.name for one in each.body if isinstance(one, ast.Import) for name in one.names)
    return asked


def unguarded(source):
    guards = Guards()
    guards.visit(ast.parse(source))
    return guards.found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_that_only_posix_has_is_used_without_a_look(path):
    assert unguarded(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("import fcntl", 1),
        ("try:\n    import fcntl\nexcept ImportError:\n    fcntl = None", 0),
        ("def f(fd):\n    fcntl.flock(fd, fcntl.LOCK_EX)", 2),
        ("def f(fd):\n    if fcntl is None:\n        return\n    fcntl.flock(fd, fcntl.LOCK_EX)", 0),
        ("import signal\nsignal.signal(signal.SIGHUP, f)", 1),
        ("import signal\nsignals = [signal.SIGHUP] if hasattr(signal, 'SIGHUP') else []", 0),
        ("import signal\nnumber = getattr(signal, 'SIGHUP', None)", 0),
        ("import os\nos.fork()", 1),
        ("from os import getuid", 1),
        ("open('/proc/self/status')", 1),
        ("import sys\nif sys.platform == 'linux':\n    open('/proc/self/status')", 0),
        ("import sys\nif sys.platform == 'win32':\n    import msvcrt\nelse:\n    import fcntl", 0),
        ("Popen(words, process_group=0)", 1),
    ],
    ids=str,
)
def test_the_look_is_looked_for(source, count):
    assert len(unguarded(source)) == count
