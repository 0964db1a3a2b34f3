import re
import time
from pathlib import Path

import scrapekit
from scrapekit.engine import SteadyClock
from scrapekit.testing import FakeClock


def test_a_steady_clock_shows_the_time_and_never_goes_back(monkeypatch):
    clock = SteadyClock()
    before = clock.now()
    assert abs(before - time.time()) < 60
    monkeypatch.setattr(time, "time", lambda: 0.0)  # somebody sets the system's clock
    assert clock.now() >= before


def test_a_fake_clock_moves_only_when_it_is_told_to():
    clock = FakeClock(100.0)
    clock.advance(5)
    clock.advance(-3)
    assert clock.now() == 105
    assert repr(clock) == "<FakeClock 105.000000>"


def test_the_wall_clock_is_read_to_begin_to_name_jobs_to_show_and_for_dates_of_http_and_nowhere_else():
    root = Path(scrapekit.__file__).parent
    wall = re.compile(r"time\.time\(|datetime\.now\(|import time as|from time import .*\btime\b")
    readers = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if wall.search(path.read_text(encoding="utf-8")) and "testing" not in path.parts
    }
    begin, names = {"engine/clock.py"}, {"project/jobs.py", "project/library.py", "cli/crawl.py"}
    shows = {"cli/jobs.py", "cli/why.py", "cli/ui.py", "dashboard/shelf.py", "project/summary.py"}
    http = {"messages/response.py", "store/files.py", "store/warc.py"}  # cookies, what is old on the disk, WARC-Date
    assert readers == begin | names | shows | http
