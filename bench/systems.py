"""The systems that are compared: how each is started for the same work."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS_ENVIRONMENT = HERE / ".venv"
PEERS_PYTHON = PEERS_ENVIRONMENT / "bin" / "python"
PEERS_PACKAGES = ("scrapy", "crawlee[parsel]")
DEFAULT = ("scrapekit", "hand", "scrapy", "crawlee", "crawlee+disk")
_PEERS = {"scrapy": HERE / "peers" / "scrapy_peer.py", "crawlee": HERE / "peers" / "crawlee_peer.py"}
_SPIDER = HERE / "spiders" / "docs_bench.py"


def command(system: str, url: str, output: Path, in_flight: int, settings: Sequence[str]) -> list[str]:
    """What to run.

    Args:
        system: ``scrapekit``, ``scrapekit+FLEET`` (such as ``scrapekit+processes:2``), ``hand``, ``scrapy``,
            ``crawlee`` (its queue in memory) or ``crawlee+disk``.
        url: Where the crawl starts.
        output: The JSONL file to write.
        in_flight: Requests that may be open at once, in all processes together.
        settings: ``key=value`` for scrapekit's ``-s``, besides the number of workers and connections.
    """
    if system == "hand":
        return [sys.executable, str(HERE / "peers" / "hand.py"), url, str(output), str(in_flight)]
    name, _, variant = system.partition("+")
    if name in _PEERS:
        storage = [variant or "memory"] if name == "crawlee" else []
        return [str(PEERS_PYTHON), str(_PEERS[name]), url, str(output), str(in_flight), *storage]
    processes = int(variant.rpartition(":")[2]) if variant.startswith("processes:") else 1
    given = [f"workers={in_flight // processes}", f"throttle.maxsize={in_flight}", *settings]
    line = [sys.executable, "-m", "scrapekit", "crawl", str(_SPIDER), "-a", f"url={url}", "-O", str(output)]
    line += [argument for setting in given for argument in ("-s", setting)]
    return line + (["--fleet", variant] if variant else [])


def environment() -> dict[str, str]:
    """The environment of every run: ours, with this checkout's scrapekit first and no stray proxy."""
    ours = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    ours.pop("PYTHONDONTWRITEBYTECODE", None)  # the peers were compiled when pip installed them
    return ours | {"PYTHONPATH": str(HERE.parent), "PYTHONUNBUFFERED": ""}


def is_peer(system: str) -> bool:
    """Whether ``system`` runs in the peers' environment."""
    return system.partition("+")[0] in _PEERS


def install_peers(wanted: Sequence[str]) -> str | None:
    """Make the peers' own environment if ``wanted`` needs it. Returns why it couldn't be made, or None."""
    if not any(map(is_peer, wanted)) or _installed():
        return None
    print(f"installing {' and '.join(PEERS_PACKAGES)} into {PEERS_ENVIRONMENT} ...", file=sys.stderr)
    try:
        venv.create(PEERS_ENVIRONMENT, with_pip=True)
        subprocess.run([PEERS_PYTHON, "-m", "pip", "install", "--quiet", *PEERS_PACKAGES], check=True, timeout=600)
    except (subprocess.SubprocessError, OSError) as error:
        return f"they could not be installed from PyPI ({error})"
    return None if _installed() else "they were installed, but can't be imported"


def versions(wanted: Sequence[str]) -> dict[str, str]:
    """The versions of the systems and of what they stand on."""
    found = {"python": sys.version.split()[0], "lxml": importlib.metadata.version("lxml")}
    found["urllib3"] = importlib.metadata.version("urllib3")
    if any(map(is_peer, wanted)):
        code = (
            "import json, importlib.metadata as m; print(json.dumps({n: m.version(n) for n in "
            "('scrapy', 'twisted', 'crawlee', 'impit', 'parsel')}))"
        )
        found |= json.loads(subprocess.run([PEERS_PYTHON, "-c", code], capture_output=True, check=True).stdout)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False
    )
    return found | {"scrapekit": commit.stdout.strip() or importlib.metadata.version("scrapekit")}


def _installed() -> bool:
    if not PEERS_PYTHON.exists():
        return False
    return subprocess.run([PEERS_PYTHON, "-c", "import scrapy, crawlee, parsel"], check=False).returncode == 0
