"""What is said about outputs as it holds for one job: the names of their files, and which items go where."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile

from msgspec.structs import replace

from scrapekit.errors import OutputError
from scrapekit.export import Filter, manifest_of
from scrapekit.settings import OutputSettings, PartsSettings, path_template

_PACKED, _SUFFIX = re.compile(r"\.(?:gz|zst)$", re.IGNORECASE), re.compile(r"\.[A-Za-z0-9]+$")
LATER = ("item", "part")  # of the placeholders, those that are filled in when a file is opened


def outputs_of(
    outputs: Sequence[OutputSettings], *, job: str, spiders: Sequence[str], now: datetime
) -> list[OutputSettings]:
    """The outputs of a new job: those that take items of its spiders, their names filled in. Pure.

    A name with ``{spider}`` is one output for each of several spiders.

    Args:
        outputs: As they were asked for.
        job: The job's id.
        spiders: Their names.
        now: When the job was made, in local time.

    Raises:
        OutputError: No output is left, or a name has an unknown placeholder.
    """
    found = []
    for output in outputs:
        wanted = [name for name in spiders if not output.spider or name in output.spider]
        each = [[name] for name in wanted] if "{spider}" in output.path else [wanted] if wanted else []
        for names in each:
            values = {"job": job, "date": f"{now:%Y-%m-%d}", "time": f"{now:%H%M%S}", "spider": names[0]}
            kept = () if len(names) == len(spiders) else tuple(names)
            found.append(replace(output, path=_parted(_filled(output.path, values), output.parts), spider=kept))
    manifests: dict[str, str] = {}
    for path in (output.path for output in found if output.parts != PartsSettings()):
        if (other := manifests.setdefault(manifest_of(path), path)) != path:
            raise OutputError(f"{path}: its parts would be listed in {manifest_of(path)}, as those of {other} are")
    if not found:
        raise OutputError(f"no output takes the items of {', '.join(spiders)}: see the key spider of each")
    return found


def file_name(path: str, item: str = "{item}", part: str = "{part}") -> str:
    """The name of a file of an output whose other placeholders are filled in; without more, as it is shown. Pure."""
    return path.format(item=item, part=part)


def example_name(path: str) -> str:
    """A file such as those that kinds of items have, in a folder that is not of one kind. Pure."""
    *folders, name = path.split("/")
    return file_name("/".join([*takewhile(lambda folder: "{item}" not in folder, folders), name]), "Item")


def filters_of(outputs: Sequence[OutputSettings]) -> list[Filter]:
    """Which items each output takes. Pure."""
    return [
        Filter(each.items, each.spider, each.having, each.without, by_kind="{item}" in each.path) for each in outputs
    ]


def _filled(template: str, values: dict[str, str]) -> str:
    """A template with only those placeholders left that come later; no value leads into another folder."""
    try:
        path_template(template)
    except ValueError as error:
        raise OutputError(f"{template or 'the output'}: {str(error).removeprefix('must be ')}") from error
    filled = ""
    for text, name, _, _ in string.Formatter().parse(template):
        filled += text.replace("{", "{{").replace("}", "}}")
        if name is not None:
            filled += f"{{{name}}}" if name in LATER else _safe(values[name])
    return filled


def _parted(path: str, parts: PartsSettings) -> str:
    """The path with the place for the number of the part, if it is in parts: before the suffixes."""
    folder, slash, name = path.rpartition("/")
    if parts == PartsSettings():
        if "{part}" in path:
            raise OutputError(f"{path}: {{part}} is for outputs in parts: set parts.items or parts.size of this one")
        return path
    if "{part}" in folder:
        raise OutputError(f"{path}: {{part}} must stand in the name of the file, not in that of a folder")
    if "{part}" in name or name in {"", "-"}:
        return path
    stem, suffixes = name, ""
    for known in (_PACKED, _SUFFIX):
        if (found := known.search(stem)) and found.start():
            stem, suffixes = stem[: found.start()], found[0] + suffixes
    return f"{folder}{slash}{stem}-{{part}}{suffixes}"


def _safe(value: str) -> str:
    return re.sub(r"[^\w.-]", "_", value).lstrip(".") or "_"
