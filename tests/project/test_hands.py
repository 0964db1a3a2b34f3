"""What a worker process is made of."""

import subprocess
import sys

import scrapekit.project


def test_a_worker_process_loads_no_engine_and_no_commands():
    code = (
        "import sys, scrapekit.__main__, scrapekit.project.hands, scrapekit.fleet.child; "
        "print({'scrapekit.engine', 'scrapekit.cli', 'sqlite3', 'click', 'tenacity'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_all_names_are_there():
    assert all(hasattr(scrapekit.project, name) for name in scrapekit.project.__all__)
    assert not hasattr(scrapekit.project, "nothing")
