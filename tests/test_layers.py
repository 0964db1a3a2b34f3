"""The house: imports go down its layers only, and no room is without a place in them."""

import ast
from pathlib import Path

import pytest

import scrapekit

ROOT = Path(scrapekit.__file__).parent
LAYERS = {
    "errors": 0,
    "selection": 0,
    "safe": 0,
    "messages": 1,
    "web": 1,
    "settings": 2,
    "spider": 2,
    "download": 3,
    "parse": 3,
    "export": 3,
    "items": 3,
    "forms": 3,
    "pipelines": 3,
    "hooks": 3,
    "engine": 3,
    "fleet": 4,
    "store": 4,
    "spiders": 4,
    "declarative": 4,
    "project": 5,
    "dashboard": 6,
    "cli": 6,
    "testing": 6,
    "pytest_plugin": 6,
    "__init__": 6,
    "__main__": 6,
}
# Rooms that may import another one of their own layer. Nothing else may: the rooms of a layer don't know each other.
NEIGHBOURS = {
    ("errors", "safe"),
    ("messages", "web"),
    ("declarative", "spiders"),
    ("cli", "dashboard"),
    ("__main__", "cli"),
}
MODULES = sorted(ROOT.rglob("*.py"))


def room_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[0]


def imported_rooms(path):
    """Each room that a module imports, wherever the import stands: at the top, in a function, under TYPE_CHECKING."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import hides where it goes"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == "scrapekit":
                room = rest.partition(".")[0]
                yield (room if room in LAYERS else "__init__"), node.lineno


def test_nothing_is_pickled():
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {"pickle", "cloudpickle", "dill", "marshal", "shelve"}.isdisjoint(names), path


def test_every_room_has_a_layer():
    assert {room_of(path) for path in MODULES} == set(LAYERS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path):
    room = room_of(path)
    up = [
        f"{path.relative_to(ROOT)}:{line}: {room} (layer {LAYERS[room]}) imports {other} (layer {LAYERS[other]})"
        for other, line in imported_rooms(path)
        if other != room
        and LAYERS[other] >= LAYERS[room]
        and (room, other) not in NEIGHBOURS
        and not (room == "__init__" and other != "__init__")
    ]
    assert up == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_fits_in_the_head(path):
    assert len(path.read_text().splitlines()) <= 400


def lines_of_code(path):
    """Lines that are neither blank, nor a comment, nor of a docstring: explaining more is never the wrong thing."""
    source = path.read_text()
    said = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for line in range(node.lineno, node.end_lineno + 1)
    }
    lines = enumerate(source.splitlines(), 1)
    return sum(1 for number, line in lines if line.strip() and number not in said and line.strip()[0] != "#")


def test_the_core_stays_small():
    core = ("messages", "web", "download", "parse", "engine", "fleet")
    assert sum(lines_of_code(path) for path in MODULES if room_of(path) in core) <= 6800
