"""``python -m scrapekit``, the same as the command ``scrapekit``."""

from __future__ import annotations

from typing import NoReturn


def main() -> NoReturn:
    """Run the command of this process. The commands are loaded here: worker processes load this module too."""
    from scrapekit.cli import entry  # noqa: PLC0415

    entry()


if __name__ == "__main__":
    main()
