"""The comparison with others: each "yes" of ours leads to a guide, and has a test that exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| |")
]


@cache
def functions_of(path):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_each_yes_of_ours_names_tests_that_exist(row):
    assert len(row) == 6
    ours = row[1]
    if ours == "no":
        return
    found = re.fullmatch(r"\[yes\]\(([\w-]+\.md)(?:#[\w-]+)?\) <!-- (.+) -->", ours)
    assert found, ours
    for name in found[2].split():
        path, _, test = name.partition("::")
        assert test in functions_of(path), name
        assert test.startswith("test_")


def test_what_is_said_of_others_is_said_in_the_same_words():
    for _, _, *others in ROWS:
        assert all(re.match(r"(yes|no|part)\b", cell) for cell in others), others
    assert len(ROWS) > 40
