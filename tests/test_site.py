"""The documentation as a site: it builds without a network and a warning, fetches nothing when it is read, and its
reference has every public name."""

import os
import re
import subprocess
import sys
import zlib
from importlib import import_module
from pathlib import Path
from types import FunctionType

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = [
    "declarative",
    "errors",
    "forms",
    "hooks",
    "items",
    "items.processors",
    "parse",
    "pipelines",
    "spiders",
    "testing",
]
# What these rooms offer to other rooms, and not to users.
INTERNAL = {"GROUP", "Hooks", "ItemWriter", "is_validation", "rejection", "request_error"}


pytestmark = pytest.mark.xdist_group("site")  # it is built once


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT, env=os.environ | nowhere, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_pages_load_nothing_from_elsewhere(built):
    pages = list(built.rglob("*.html"))
    assert len(pages) > len(list((ROOT / "docs").glob("*.md")))
    for page in pages:
        tags = re.findall(r"<(?:script|img|iframe|source|link)\b[^>]*>", page.read_text(encoding="utf-8"))
        assert [tag for tag in tags if re.search(r"""(?:src|href)=["']?(?:https?:)?//""", tag)] == []


def test_the_reference_has_every_public_name(built):
    inventory = zlib.decompress((built / "objects.inv").read_bytes().split(b"\n", 4)[4]).decode()
    documented = {line.split()[0] for line in inventory.splitlines()}
    public = {f"scrapekit.{name}" for name in import_module("scrapekit").__all__}
    for room in ROOMS:
        module = import_module(f"scrapekit.{room}")
        own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
        own = [name for name in own if isinstance(vars(module)[name], type | FunctionType)]
        public |= {f"scrapekit.{room}.{name}" for name in getattr(module, "__all__", own) if name[0] != "_"}
    names = {name for name in public if name.rpartition(".")[2] not in INTERNAL}
    modules = {
        "scrapekit.testing.response",
        "scrapekit.spiders.directives",
    }  # in which functions of the same names stand
    names = {f"{name}.{name.rpartition('.')[2]}" if name in modules else name for name in names}
    assert sorted(names - documented) == []


def test_no_docstring_shows_its_markup(built):
    for page in (built / "reference").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r":(?:class|func|meth|mod|data|attr|exc):", text), page
        assert not re.search(r"``\w", text), page
