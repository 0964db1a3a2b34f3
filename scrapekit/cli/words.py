"""The kinds of words on the command line, by what a shell may complete them to at the Tab key."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from click.types import StringParamType

if TYPE_CHECKING:
    from click import Context, Parameter
    from click.shell_completion import CompletionItem


class File(StringParamType):
    """The name of a file."""

    name = "file"

    def shell_complete(self, ctx: Context, param: Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Have the shell do it."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]


class SpiderName(File):
    """The name of a spider of this folder, or of a file."""

    name = "name"

    def shell_complete(self, ctx: Context, param: Parameter, incomplete: str) -> list[CompletionItem]:
        """The names that begin so; files where none does."""
        return _beginning(incomplete, _spiders(Path("spiders"))) or super().shell_complete(ctx, param, incomplete)


class Key(StringParamType):
    """A setting, or a section of them."""

    name = "key"

    def shell_complete(self, ctx: Context, param: Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """Those that begin so."""
        from scrapekit.cli.explain import keys

        return _beginning(incomplete, keys())


def _beginning(incomplete: str, words: Iterable[str]) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(word) for word in sorted({*words}) if word.startswith(incomplete)]


def _spiders(folder: Path) -> Iterator[str]:
    """What the spiders are called, as far as it can be read without running their files at each Tab."""
    for path in folder.glob("[!_.]*"):
        if path.suffix in {".yaml", ".yml"}:
            yield path.stem
        elif path.suffix == ".py":
            try:
                tree = ast.parse(path.read_bytes())
            except (OSError, SyntaxError, ValueError):
                continue
            yield from (name for each in tree.body if isinstance(each, ast.ClassDef) for name in _name(each))


def _name(cls: ast.ClassDef) -> list[str]:
    """The name of a class that looks like a spider."""
    for each in cls.body:
        match each:
            case (
                ast.Assign(targets=[ast.Name(id="name")], value=ast.Constant(value=str(name)))
                | ast.AnnAssign(target=ast.Name(id="name"), value=ast.Constant(value=str(name)))
            ):
                return [name]
    is_spider = not cls.name.startswith("_") and any(ast.unparse(base).endswith("Spider") for base in cls.bases)
    return [cls.name.lower()] if is_spider else []
