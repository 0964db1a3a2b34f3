from __future__ import annotations

import subprocess
import sys

from scrapekit import web


def test_all_names_are_there():
    assert sorted(web.__all__) == sorted(set(web.__all__))
    assert all(hasattr(web, name) for name in web.__all__)


def test_what_is_slow_to_load_is_loaded_when_it_is_used():
    code = "import sys, scrapekit.web; print({'protego', 'publicsuffixlist'} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        == "set()"
    )
