"""Which groups of lines an output still holds as they were written."""

from hashlib import blake2b

import pytest

from scrapekit.export import groups_intact, open_output, resume_output

GROUPS = [[b'{"n": %d, "m": %d}' % (group, line) for line in range(50)] for group in range(4)]


@pytest.fixture(params=["out.jsonl", "out.jsonl.gz"])
def written(request, tmp_path):
    """A file of four groups, the last two by a run that went on, behind a line that was there before; and the groups."""
    path = tmp_path / request.param
    sink = open_output(path)
    sink.append([b'{"before": 1}'])
    sink.close()
    sink = open_output(path)
    groups = [(sink.position(), digest([]))]
    for number, lines in enumerate(GROUPS):
        if number == 2:
            sink.close()
            sink = resume_output(path, groups[-1][0])
            groups.append((sink.position(), digest([])))
        sink.append(lines)
        groups.append((sink.position(), digest(lines)))
    sink.close()
    return path, groups


def digest(lines):
    return blake2b(b"\n".join(lines), digest_size=16).digest()


def test_all_of_it_is_there_and_what_follows_is_no_concern(written):
    path, groups = written
    assert groups_intact(path, groups) == 6
    with path.open("ab") as file:
        file.write(b"more")
    assert groups_intact(path, groups) == 6


def test_a_change_at_any_byte_is_found_in_its_group(written):
    path, groups = written
    whole = path.read_bytes()
    ends = [position["offset"] for position, _ in groups]
    for at in range(0, ends[-1], 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        good = sum(end <= at for end in ends)
        assert groups_intact(path, groups) == good, at


def test_a_file_that_is_shorter_has_the_groups_that_fit(written):
    path, groups = written
    whole = path.read_bytes()
    ends = [position["offset"] for position, _ in groups]
    for size in range(0, len(whole), 11):
        path.write_bytes(whole[:size])
        assert groups_intact(path, groups) == sum(end <= size for end in ends), size


def test_a_file_that_is_gone_holds_what_a_new_one_does(tmp_path, written):
    path, groups = written
    path.unlink()
    assert groups_intact(path, groups) == 0
    sink = open_output(tmp_path / "new.jsonl")
    begun = [(sink.position(), digest([]))]
    sink.close()
    assert groups_intact(tmp_path / "gone.jsonl", begun) == 1
    assert groups_intact(path, []) == 0
