"""``python -m scrapekit``, the same as the command ``scrapekit``."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command of this process. The commands are loaded here: worker processes load this module too."""
    try:
        from scrapekit.cli import entry  # noqa: PLC0415

        entry()
    except KeyboardInterrupt:  # while the commands were being loaded
        if sys.stderr is not None:
            sys.stderr.write("\nscrapekit: error: interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
