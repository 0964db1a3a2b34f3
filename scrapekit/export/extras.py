"""Libraries that some outputs need, and that only those have who asked for them."""

from __future__ import annotations

from importlib.util import find_spec

from scrapekit.errors import OutputError

_LIBRARIES = {"parquet": ("pyarrow",), "postgres": ("sqlalchemy",), "remote": ("fsspec",)}


def need(extra: str, target: str) -> None:
    """Raise OutputError, with what to install, unless the libraries of an extra are there.

    Args:
        extra: Its name in pyproject.toml.
        target: The output that needs it.
    """
    missing = [library for library in _LIBRARIES[extra] if find_spec(library) is None]
    if missing:
        raise OutputError(
            f"{target}: this needs {' and '.join(missing)}, which is not installed here: in the checkout of scrapekit, "
            f"pip install '.[{extra}]'"
        )
