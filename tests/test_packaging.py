"""What is installed: the sdist and the wheel, the wheel alone in an environment of its own, and what it brings along."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path, PurePosixPath

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scrapekit.testing import SampleSite, serve

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# The core, and no more: docs/design.md says why each is there. What else a feature needs is an extra.
CORE = {
    "urllib3", "certifi", "lxml", "cssselect", "w3lib", "protego", "publicsuffixlist", "tenacity", "pyyaml", "msgspec",
    "click", "rich",
}  # fmt: skip
EXTRAS = PROJECT["project"]["optional-dependencies"]

pytestmark = pytest.mark.xdist_group("packaging")  # what is built is built once


def name_of(requirement):
    return canonicalize_name(Requirement(requirement).name)


MODULES_OF_EXTRAS = {name_of(each).replace("-", "_") for group in EXTRAS.values() for each in group}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The sdist of this checkout, and the wheel that is built from that sdist alone."""
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [sdist], [wheel] = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """Runs a command with the wheel alone: its Python has the core that the wheel asks for, and nothing else."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--disable-pip-version-check", built[1]], check=True)
    [packages] = folder.glob("lib/python*/site-packages")
    for each in needed(PROJECT["project"]["dependencies"]):
        for name in {file.parts[0] for file in distribution(each).files if file.parts[0] != ".."}:
            if not (packages / name).exists() and name != "__pycache__":
                (packages / name).symlink_to(Path(distribution(each).locate_file(name)))

    def run(*words, **options):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))}
        return subprocess.run(
            [python, "-I", *words], env=environment, capture_output=True, text=True, timeout=60, **options
        )

    return run


def needed(requirements, extras=("",)):
    """The distributions that these requirements stand for here, with all that those require in turn."""
    found = set()
    for each in map(Requirement, requirements):
        if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras):
            found |= {canonicalize_name(each.name)}
            found |= needed(distribution(each.name).requires or [], ("", *each.extras))
    return found


def test_the_sdist_has_what_it_takes_to_build_test_and_read_it(built):
    with tarfile.open(built[0]) as archive:
        names = {PurePosixPath(name).relative_to(PurePosixPath(name).parts[0]) for name in archive.getnames()}
    tops = {name.parts[0] for name in names if name.parts}
    assert tops >= {"scrapekit", "spiders", "tests", "docs", "settings.yaml", "pyproject.toml", "README.md", "LICENSE"}
    assert not any("__pycache__" in name.parts or name.suffix == ".pyc" for name in names)


def test_the_wheel_has_the_whole_package_and_nothing_else(built):
    with zipfile.ZipFile(built[1]) as archive:
        names = set(archive.namelist())
    checkout = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "scrapekit").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    info = {name for name in names if name.partition("/")[0].endswith(".dist-info")}
    shipped = {"scrapekit/shipped/settings.yaml", "scrapekit/shipped/settings.md"}
    assert names - info == checkout | shipped
    assert "scrapekit/py.typed" in names
    assert {name.partition("/")[2] for name in info} >= {"METADATA", "entry_points.txt", "licenses/LICENSE"}


def test_a_plain_install_asks_for_the_core_and_no_more(built):
    with zipfile.ZipFile(built[1]) as archive:
        [metadata] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        lines = archive.read(metadata).decode().split("\n\n")[0].splitlines()
    required = [line.partition(": ")[2] for line in lines if line.startswith("Requires-Dist: ")]
    assert {name_of(each) for each in required if "extra ==" not in each} == CORE
    assert {line.partition(": ")[2] for line in lines if line.startswith("Provides-Extra: ")} == EXTRAS.keys()


def test_the_wheel_alone_starts_a_project_crawls_and_says_what_it_lacks(installed, tmp_path):
    done = installed("-m", "scrapekit", "init", "shop", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    project = tmp_path / "shop"
    spider = (ROOT / "spiders" / "books.py").read_text()
    (project / "spiders" / "books.py").write_text(spider)
    with serve(SampleSite(books=20, retry_after=0)) as site:
        done = installed("-m", "scrapekit", "crawl", "books", "-a", f"url={site.url}/", "-o", "-", cwd=project)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 20
    assert "books" in installed("-m", "scrapekit", "list", cwd=project).stdout
    assert "throttle.maxsize" in installed("-m", "scrapekit", "settings", "books", cwd=project).stdout
    assert "robots.obey" in installed("-m", "scrapekit", "settings", "--explain", "robots.obey", cwd=project).stdout
    version = PROJECT["project"]["version"]
    assert installed("-m", "scrapekit", "--version", cwd=tmp_path).stdout == f"scrapekit {version}\n"
    done = installed("-m", "scrapekit", "crawl", "books", "-o", "x.parquet", cwd=project)
    assert done.returncode == 2
    assert "pip install '.[parquet]'" in done.stderr


def test_every_module_that_needs_no_extra_can_be_imported_from_the_wheel(installed, tmp_path):
    """Those that do need one stand in a room that says so; nothing that a plain crawl imports is among them."""
    program = (
        "import importlib, pkgutil, scrapekit\n"
        "for module in pkgutil.walk_packages(scrapekit.__path__, 'scrapekit.'):\n"
        "    if module.name.endswith('__main__'):\n"
        "        continue\n"
        "    try:\n"
        "        importlib.import_module(module.name)\n"
        "    except ImportError as error:\n"
        "        print(module.name, error.name)\n"
    )
    done = installed("-c", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    missing = dict(line.split() for line in done.stdout.splitlines())
    assert set(missing.values()) <= MODULES_OF_EXTRAS | {"pytest"}
    assert not any(name.startswith(("scrapekit.engine", "scrapekit.download")) for name in missing)


def test_starting_and_crawling_imports_no_extra(tmp_path):
    """In the environment of the tests, where all of them are installed."""
    program = (
        "import sys\n"
        "from scrapekit.cli import main\n"
        "main(['--help'])\n"
        "main(['list'])\n"
        "main(['crawl', 'books', '-a', f'url={sys.argv[1]}/', '-o', '-', '-q'])\n"
        "print('imported:', *sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    shutil.copytree(ROOT / "spiders", tmp_path / "spiders")
    with serve(SampleSite(books=5, retry_after=0)) as site:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", program, site.url], capture_output=True, text=True, cwd=tmp_path, env=environment
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"title"') == 5
    imported = set(done.stdout.rpartition("imported:")[2].split())
    assert "lxml" in imported
    assert imported & (MODULES_OF_EXTRAS | {"pytest"}) == set()
