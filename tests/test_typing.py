"""What users write passes a strict type checker: fields have the types of what they find, spiders of each kind theirs."""

import subprocess
import sys

from test_docs import ROOT, blocks_of


def test_spiders_of_each_kind_with_items_and_those_of_the_docs_pass_strict_mypy(tmp_path):
    """In one run, with the cache of the checkout, which `make check` fills."""
    documented = tmp_path / "typed.py"
    blocks = blocks_of(ROOT / "docs" / "typing.md", "python")
    documented.write_text("\n".join(block.text for block in blocks), encoding="utf-8")
    files = [ROOT / "tests" / "items" / "typed_spider.py", ROOT / "tests" / "spiders" / "typed_kinds.py", documented]
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (ran.stdout, ran.returncode) == ("", 0)
