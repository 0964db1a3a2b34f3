"""The pytest plugin: the fixture ``check_spider`` and the option ``--update-golden``. pytest loads it by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from scrapekit.spider import Spider


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--update-golden``."""
    parser.getgroup("scrapekit").addoption(
        "--update-golden", action="store_true", help="Accept the items that spiders give now for recorded pages."
    )


@pytest.fixture
def check_spider(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Check a spider as ``scrapekit check`` does: ``check_spider(Quotes)``, for ``tests/golden/quotes.*``.

    Its arguments are a Spider class or an instance; ``name``, of the files, if it is not the spider's; ``settings``, as
    for :func:`scrapekit.run`, if they are not those of settings.yaml; and keyword arguments for the class.
    """
    return checker(request.config.rootpath, update=bool(request.config.getoption("update_golden")))


def checker(root: Path, *, update: bool) -> Callable[..., None]:
    """The function that ``check_spider`` is.

    Args:
        root: The project's folder.
        update: Whether to accept what comes.
    """
    from scrapekit.project.golden import FOLDER, Golden  # noqa: PLC0415  (pytest loads this module in every project)
    from scrapekit.project.library import made, settings_for  # noqa: PLC0415

    def check(
        spider: type[Spider] | Spider,
        *,
        name: str | None = None,
        settings: Mapping[str, Any] | str | Path | None = None,
        **arguments: Any,
    ) -> None:
        one = made(spider, arguments)
        if settings is None and (root / "settings.yaml").exists():
            settings = root / "settings.yaml"
        checked = Golden.of(root / FOLDER, name or one.name).check(one, settings_for(one, settings))
        if update and checked.failure is None:
            checked.accept()
        elif complaint := checked.complaint("pytest --update-golden"):
            pytest.fail(complaint, pytrace=False)

    return check
