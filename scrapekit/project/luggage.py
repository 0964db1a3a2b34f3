"""What a spider's code is, to go to machines that don't have it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scrapekit.errors import SpiderError
from scrapekit.pipelines import FilesPipeline
from scrapekit.spider import Spider

_LARGEST = 32 * 2**20
_OURS = Path(__file__).resolve().parents[1]


def pack(spider: Path, root: Path) -> tuple[str, dict[str, bytes]]:
    """The spider's file and what it may need: the ``.py`` files and packages beside it and in the project's folder.

    A spider in a folder of its own takes the YAML files beside it along, too: spiders may be made of them.

    Args:
        spider: Its file.
        root: The project's folder; it goes along if the spider lies in it, at whatever depth.

    Returns:
        The path of the spider's file, and the content of all files by path, relative to the folder that they need.

    Raises:
        SpiderError: They can't be read, or are more than 32 MiB.
    """
    spider, root = spider.resolve(), root.resolve()
    if not spider.is_relative_to(root):
        root = spider.parent
    files: dict[str, bytes] = {}
    left = _LARGEST
    # Not the YAML of the project's folder: its settings may hold passwords, and go another way.
    declared = () if spider.parent == root else [*spider.parent.glob("*.yaml"), *spider.parent.glob("*.yml")]
    for path in dict.fromkeys([spider, *_code_in(root), *_code_in(spider.parent), *declared]):
        try:
            name = str(path.relative_to(root)).encode().decode()  # no lone surrogates
            content = files[name] = path.read_bytes()
        except (OSError, UnicodeEncodeError) as error:
            why = getattr(error, "strerror", "its name is not UTF-8")
            raise SpiderError(f"{path} can't go to the workers with the spider: {why}") from error
        left -= len(content)
        if left < 0:
            raise SpiderError(
                f"the Python files of {spider} are more than 32 MiB: keep the spider in a folder of its own"
            )
    return str(spider.relative_to(root)), files


def check_folders(spider: Spider) -> None:
    """Whether the files that its pipelines keep would outlast an actor, whose working directory goes with it.

    Raises:
        SpiderError: They would not.
    """
    for stage in spider.pipelines:
        if isinstance(stage, FilesPipeline) and not stage.folder.is_absolute():
            raise SpiderError(
                f"{type(stage).__name__} of spider {spider.name!r} keeps files in {str(stage.folder)!r}, which goes "
                "with each actor: give it an absolute path, which all nodes share or each has, or leave out fleet ray"
            )


def _code_in(folder: Path) -> Iterator[Path]:
    yield from folder.glob("*.py")
    for init in folder.glob("[!.]*/__init__.py"):
        if init.parent != _OURS:  # in a checkout of scrapekit itself: the nodes have it
            yield from init.parent.rglob("*.py")
