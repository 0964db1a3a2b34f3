import subprocess
import sys

import pytest

from scrapekit.engine import InFlight

CHILD = """
import sys
from pathlib import Path
from scrapekit.engine import InFlight

in_flight = InFlight(Path(sys.argv[1]), 4)
for lease_id in (11, -1, 12, 13):
    in_flight.add(lease_id)
in_flight.remove(12)
in_flight.add(14)
in_flight.remove(13)
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_killed_process_leaves_the_ids_that_it_had_in_flight(tmp_path):
    path = tmp_path / "in_flight"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout.readline() == "ready\n"
        child.kill()
    left = InFlight(path, 8)
    assert sorted(left.left) == [11, 14]
    left.close()


def test_nothing_is_left_of_a_process_that_closed_it(tmp_path):
    path = tmp_path / "in_flight"
    first = InFlight(path, 2)
    first.add(1)
    first.close()
    first.close()
    second = InFlight(path, 2)
    assert second.left == []
    second.close()


def test_a_file_of_another_size_is_read_as_far_as_it_goes(tmp_path):
    path = tmp_path / "in_flight"
    path.write_bytes((5).to_bytes(8, "little") + b"torn")
    left = InFlight(path, 1)
    assert left.left == [5]
    assert path.stat().st_size == 8
    left.close()


def test_it_holds_as_many_as_there_are_slots(tmp_path):
    in_flight = InFlight(None, 2)
    assert in_flight.left == []
    in_flight.add(1)
    in_flight.add(2)
    with pytest.raises(IndexError):
        in_flight.add(3)
    in_flight.remove(1)
    in_flight.add(3)
    in_flight.close()


def test_the_file_has_no_holes_that_a_full_disk_could_not_fill(tmp_path):
    path, written = tmp_path / "in_flight", tmp_path / "written"
    written.write_bytes(bytes(4096 * 8))  # some file systems give it no blocks, and find them when they are needed
    in_flight = InFlight(path, 4096)
    assert path.stat().st_size == 4096 * 8
    assert path.stat().st_blocks >= written.stat().st_blocks
    in_flight.close()
