"""Files of the checkout that the wheel has too: what the commands show of them stands in one place only."""

from __future__ import annotations

from pathlib import Path


def shipped(name: str) -> str:
    """The text of ``settings.yaml`` or ``docs/settings.md``, from the wheel, or from the checkout that this runs in."""
    package = Path(__file__).parents[1]
    packed = package / "shipped" / Path(name).name
    return (packed if packed.exists() else package.parent / name).read_text(encoding="utf-8")
