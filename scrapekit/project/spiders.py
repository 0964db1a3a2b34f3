"""Finding spiders: the files of a project's ``spiders`` folder, and any other file by its path."""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from scrapekit.errors import ScrapekitError, SpiderError, SpiderNotFound
from scrapekit.spider import Spider

FOLDER = "spiders"
_YAML = (".yaml", ".yml")
_SUFFIXES = (".py", *_YAML)
_NAME = re.compile(r"\w[\w.-]*")


class Found(NamedTuple):
    """A spider, or a file that can't be read as one.

    Args:
        name: What ``scrapekit crawl NAME`` calls it; of a broken file, its name without the suffix.
        path: The file.
        summary: The first line of the class's docstring.
        cls: The spider; None of a file that is broken, or was not read.
        error: What is wrong with a broken file, in one line with file and line number.
    """

    name: str
    path: Path
    summary: str = ""
    cls: type[Spider] | None = None
    error: str = ""


def find_spiders(folder: Path, name: str | None = None) -> list[Found]:
    """All spiders of the files right in ``folder``, by file name; those that start with ``_`` are not looked at.

    Where it is a ``name`` that is looked for, YAML that can't be called so is found, but not read.

    Each file is imported anew, under a name of its own. Spiders may import modules that lie beside them and in the
    folder above: both are at the end of ``sys.path`` from then on, so that no spider can hide an installed module. What
    a file only imports is not its spider, nor is a class that is abstract or whose name starts with ``_``.

    Raises:
        SpiderNotFound: The folder does not exist.
    """
    if not folder.is_dir():
        here = folder.parent.resolve()
        above = next((each for each in here.parents if (each / folder.name).is_dir()), None)
        fix = f"there is one in {above}: cd there" if above else "'scrapekit init' starts a project"
        raise SpiderNotFound(f"there is no folder {folder.name!r} in {here}: {fix}")
    found: list[Found] = []
    for path in sorted(path for suffix in _SUFFIXES for path in folder.glob(f"[!_.]*{suffix}")):
        if name is not None and path.suffix in _YAML and not _may_be(path, name):
            found.append(Found(path.stem, path))
            continue
        try:
            found += [Found(cls.name, path, _summary(cls), cls) for cls in _spiders_in(path, folder.parent)]
        except SpiderError as error:
            found.append(Found(path.stem, path, error=str(error)))
    return found


def load_spider(name: str, root: Path) -> type[Spider]:
    """The spider that ``scrapekit crawl NAME`` means.

    Args:
        name: A spider of ``root/spiders``; or the path of a file with one spider in it, ``my_spider.py`` or
            ``my_spider.yaml``; or ``my_spider.py:Name`` where it has several, with the class's name or the spider's.
        root: The project's folder.

    Raises:
        SpiderNotFound: There is none of that name. The message says which there are.
        SpiderError: Its file can't be imported, or two spiders have that name.
    """
    file, _, which = name.rpartition(":") if any(f"{suffix}:" in name for suffix in _SUFFIXES) else (name, "", "")
    if file.endswith(_SUFFIXES):
        return _from_file(Path(file), which, root)
    found = find_spiders(root / FOLDER, name)
    matching = [each for each in found if each.name == name and (each.cls or each.path.suffix in _YAML)]
    if len(matching) > 1:
        files = " and in ".join(_shown(each.path) for each in matching)
        raise SpiderError(f"spider {name!r} is there twice, in {files}: rename one of them")
    if matching and matching[0].cls:
        return matching[0].cls
    broken = [each.error for each in found if each.error]
    for each in found:
        if each.error and each.name == name:
            raise SpiderError(each.error)
    known = list(dict.fromkeys(each.name for each in found if not each.error))
    also = f"; a file that can't be imported: {broken[0]}" if broken else ""
    raise SpiderNotFound(f"there is no spider {name!r} in {_shown(root / FOLDER)}/{_choice(name, known)}{also}")


def make_spider(cls: type[Spider], arguments: Mapping[str, str]) -> Spider:
    """An instance of the spider, from its ``-a`` arguments.

    Raises:
        SpiderError: It does not take them; whatever its ``__init__`` raised, in one line.
    """
    try:
        return cls(**arguments)
    except SpiderError:
        raise
    except ScrapekitError as error:
        raise SpiderError(f"spider {cls.name!r}: {error}") from error
    except (Exception, SystemExit) as error:
        message = _one_line(f"{type(error).__name__}: {error}")
        what = f"spider {cls.name!r} can't be made with these arguments (-a NAME=VALUE)"
        raise SpiderError(f"{what}: {message}") from error


def settings_origin(cls: type[Spider]) -> str:
    """Where a spider's ``settings`` stand, for messages: ``spiders/quotes.py Quotes.settings``."""
    return f"{_shown(file_of(cls))} {cls.__qualname__}.settings"


def file_of(cls: type[Spider]) -> Path:
    """The file in which a spider is found again.

    Raises:
        TypeError, OSError: There is none.
    """
    declared = cls.__dict__.get("declared_in")  # its own: a subclass is defined elsewhere
    if isinstance(declared, str):
        return Path(declared)
    return Path(inspect.getfile(cls))


def _from_file(path: Path, which: str, root: Path) -> type[Spider]:
    if not path.is_file():
        near = root / FOLDER / path
        raise SpiderNotFound(f"there is no file {path}" + (f": did you mean {_shown(near)}?" if near.is_file() else ""))
    spiders = _spiders_in(path, root)
    names = ", ".join(cls.__name__ for cls in spiders)
    if not spiders:
        raise SpiderNotFound(f"{_shown(path)}: no subclass of scrapekit.Spider is defined in it")
    chosen = [cls for cls in spiders if not which or which in {cls.__name__, cls.name}]
    if not chosen:
        raise SpiderNotFound(f"{_shown(path)}: there is no spider {which!r} in it, only {names}")
    if len(chosen) > 1:
        raise SpiderError(f"{_shown(path)} has several spiders, {names}: say which, as in {path}:{chosen[0].__name__}")
    return chosen[0]


def _spiders_in(path: Path, root: Path) -> list[type[Spider]]:
    if path.suffix in _YAML:
        from scrapekit.declarative import load  # noqa: PLC0415  (for those who want it)

        return [load(path)]
    module = _imported(path, root)
    # An alias is the same class twice.
    spiders = [
        value
        for value in dict.fromkeys(value for value in vars(module).values() if isinstance(value, type))
        if issubclass(value, Spider) and value.__module__ == module.__name__
        if not value.__name__.startswith("_") and not inspect.isabstract(value)
    ]
    for cls in spiders:
        name: Any = cls.name  # whatever the user wrote
        # Jobs and outputs are called after it, so it must be fit for a file's name and for a command line.
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise SpiderError(
                f"{_shown(path)}: {cls.__name__}.name must be letters, digits, '_', '.' and '-', not {name!r}"
            )
    return spiders


def _may_be(path: Path, name: str) -> bool:
    """Whether a YAML file can be the spider of that name: by its own, or because it says one."""
    try:
        return path.stem == name or b"name" in path.read_bytes()
    except OSError:
        return True  # reading it as a spider tells why not


def _imported(path: Path, root: Path) -> ModuleType:
    """The module that a file is, under a private name: it must not shadow the module that is called like the file."""
    for folder in (path.parent.resolve(), root.resolve()):
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    name = f"_spider_{blake2b(bytes(path.resolve()), digest_size=4).hexdigest()}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # the suffix is .py
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # dataclasses look their module up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise SpiderError(_what_went_wrong(error, path)) from error
    return module


def _what_went_wrong(error: BaseException, path: Path) -> str:
    """One line, with the place in the user's own code: the deepest frame in the spider's folder."""
    if isinstance(error, SyntaxError):
        line = f":{error.lineno}" if error.lineno else ""
        return _one_line(f"{_shown(Path(error.filename or path))}{line}: {type(error).__name__}: {error.msg}")
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).resolve().parent == path.resolve().parent]
    at = f"{_shown(Path(own[-1].filename))}:{own[-1].lineno}" if own else _shown(path)
    return _one_line(f"{at}: {type(error).__name__}: {error}")


def _choice(name: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415  (for a typing mistake only)

    if not known:
        return ", which has no spiders: 'scrapekit new NAME URL' writes one"
    near = get_close_matches(name, known, 1)
    return (f": did you mean {near[0]!r}? There are " if near else "; there are ") + ", ".join(known)


def _summary(cls: type[Spider]) -> str:
    return next(iter((cls.__dict__.get("__doc__") or "").strip().splitlines()), "")


def _shown(path: Path) -> str:
    path, here = path.absolute(), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _one_line(text: str) -> str:
    return " ".join(text.split())
