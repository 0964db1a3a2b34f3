"""The file of the items that were rejected, made of their records when a crawl ends, however it does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scrapekit.errors import ExportError
from scrapekit.export.opener import scheme_of


def write_rejected(path: Path, records: Iterator[str], *, append: bool = False) -> bool:
    """Write ``records`` as JSON Lines under a temporary name, then give the file its own; no records, no file.

    Args:
        path: The file; an old one is replaced, or removed.
        records: One JSON object each.
        append: True adds them to an old file.

    Returns:
        Whether there were any.

    Raises:
        ExportError: It can't be written.
    """
    first = next(records, None)
    try:
        if first is None:
            if not append:
                path.unlink(missing_ok=True)
            return False
        part = path if append else path.with_name(f".{path.name}.part")
        with part.open("a" if append else "w", encoding="utf-8", newline="\n") as file:
            file.write(first + "\n")
            file.writelines(f"{record}\n" for record in records)
        if not append:
            part.replace(path)
    except OSError as error:
        raise ExportError(f"{path}: the rejected items can't be written: {error.strerror or error}") from error
    return True


def rejected_beside(output: str | Path) -> Path | None:
    """The file beside an output: ``books.rejected.jsonl`` beside ``books.csv.gz``; None beside all that is no file."""
    path = Path(output)
    if str(path) == "-" or scheme_of(output) or (path.exists() and not path.is_file()):
        return None
    if path.suffix in (".gz", ".zst"):
        path = path.with_suffix("")
    return path.with_suffix(".rejected.jsonl")
