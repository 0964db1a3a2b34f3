"""JMESPath: what of a JSON document is meant. Its library is loaded by those only who use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scrapekit.errors import SpiderError


def searching(expression: str) -> Callable[[Any], Any]:
    """What searches JSON for ``expression``: any thread may call it.

    It returns None where there is nothing, and raises ValueError where a function does not fit what is there.

    Raises:
        ValueError: It is no JMESPath.
        SpiderError: The library is not installed.
    """
    try:
        from jmespath import compile as compiled  # noqa: PLC0415  (for those who want it)
        from jmespath.exceptions import JMESPathError  # noqa: PLC0415
    except ImportError as error:
        raise SpiderError(
            "jmespath needs a library that is not installed here: in the checkout of scrapekit, "
            "pip install '.[jmespath]'"
        ) from error
    try:
        search: Callable[[Any], Any] = compiled(expression).search
    except (JMESPathError, RecursionError, Warning) as error:
        said = str(error).replace("Invalid jmespath expression: ", "").split("\n")[0].strip(" :")
        raise ValueError(f"{expression!r:.100} is no JMESPath: {said or type(error).__name__}") from error

    def found(value: Any) -> Any:
        try:
            return search(value)
        except JMESPathError as error:
            raise ValueError(f"{expression!r:.100}: {' '.join(str(error).split())}") from error

    return found
