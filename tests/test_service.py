"""docs/service.md and the Dockerfile: what can be checked of them without a daemon."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scrapekit.testing import SampleSite, serve

ROOT = Path(__file__).parents[1]
FILES = {
    found[1]: found[0].removeprefix("```text\n").removesuffix("```")
    for found in re.finditer(
        r"^```text\n(?:#![^\n]*\n)?# ([\w.]+\.(?:sh|service|timer))\n.*?^```",
        (ROOT / "docs" / "service.md").read_text(),
        re.MULTILINE | re.DOTALL,
    )
}


def instructions():
    """The Dockerfile, stage by stage: (instruction, rest)."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    lines = [line.split(None, 1) for line in text.splitlines() if line.strip() and not line.startswith("#")]
    stages = [[]]
    for word, rest in lines:
        if word == "FROM":
            stages.append([])
        stages[-1].append((word, rest))
    return stages


def last(stage, instruction):
    return [rest for word, rest in stage if word == instruction][-1]


def test_the_image_runs_as_a_user_that_is_not_root_and_gets_signals_itself():
    _, build, image = instructions()
    user = last(image, "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert image.index(("USER", user)) < image.index(("ENTRYPOINT", last(image, "ENTRYPOINT")))
    assert not any(word == "RUN" for word, _ in image[image.index(("USER", user)) :])
    assert json.loads(last(image, "ENTRYPOINT")) == ["scrapekit"]  # a shell would keep SIGTERM to itself
    assert last(image, "STOPSIGNAL") == "SIGTERM"
    assert last(build, "FROM").endswith("-slim AS build")
    assert last(image, "FROM").endswith("-slim")
    assert not any(word in {"COPY", "ADD"} for word, _ in image)  # only the wheels, from the first stage
    assert not any(word == "ADD" for word, _ in build)


def test_jobs_and_results_outlive_the_container_and_belong_to_its_user():
    _, _, image = instructions()
    folder = last(image, "WORKDIR")
    assert json.loads(last(image, "VOLUME")) == [f"{folder}/.scrapekit", f"{folder}/results"]
    made = last(image, "RUN")
    assert "--uid 10001" in made
    assert "mkdir .scrapekit results" in made
    assert f"chown -R scrapekit:scrapekit {folder}" in made


def test_the_first_stage_has_what_the_wheel_is_built_from(tmp_path):
    _, build, _ = instructions()
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    for word, rest in build:
        if word != "COPY":
            continue
        *sources, to = rest.split()
        for source in sources:
            assert f"!{source}" in ignore
            target = tmp_path / to / (Path(source).name if to.endswith("/") else "")
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, target)
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path / "dist", tmp_path],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.suffix for path in (tmp_path / "dist").iterdir()] == [".whl"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")
def test_the_units_are_valid(tmp_path):
    for name in ("shop.service", "shop.timer"):
        (tmp_path / name).write_text(FILES[name])
    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / "shop.service", tmp_path / "shop.timer"],
        capture_output=True,
        text=True,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    )
    said = [line for line in done.stderr.splitlines() if "shop." in line]
    assert said == []
    assert done.returncode == 0, done.stderr


def test_the_units_stop_a_crawl_as_gently_as_it_may_need():
    service = FILES["shop.service"]
    assert int(re.search(r"^TimeoutStopSec=(\d+)$", service, re.MULTILINE)[1]) > 30  # crawl.drain_timeout
    assert "SuccessExitStatus=130" in service
    assert "ReadWritePaths=/srv/shop/.scrapekit /srv/shop/results" in service


def test_the_script_begins_and_goes_on(tmp_path):
    """A run with nothing to go on with begins anew, and so does the one after it, whose job has ended."""
    shop = tmp_path / "shop"
    shutil.copytree(ROOT / "spiders", shop / "spiders")
    (shop / ".venv" / "bin").mkdir(parents=True)
    command = shop / ".venv" / "bin" / "scrapekit"
    with serve(SampleSite(books=10, retry_after=0)) as site:
        # What the arguments are does not stand in the script: a spider knows its site.
        spider = shop / "spiders" / "books.py"
        spider.write_text(spider.read_text().replace("https://books.toscrape.com/", f"{site.url}/"))
        command.write_text(f'#!/bin/sh\necho "$@" >> calls\nexec {shlex.quote(sys.executable)} -m scrapekit "$@"\n')
        command.chmod(0o755)
        script = shop / "nightly.sh"
        script.write_text(FILES["nightly.sh"].replace("/srv/shop", str(shop)))
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        for _ in range(2):
            done = subprocess.run(["/bin/sh", script], env=environment, capture_output=True, text=True)
            assert (done.returncode, done.stdout) == (0, ""), done.stderr
            assert "error:" not in done.stderr  # cron would mail it
        stopped = ["crawl", "books", "-q", "--max-pages", "1"]
        subprocess.run([command, *stopped], cwd=shop, env=environment, check=True)
        done = subprocess.run(["/bin/sh", script], env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, "")
    calls = (shop / "calls").read_text().splitlines()
    assert [call for call in calls if call != "jobs"] == [
        "crawl books -q", "crawl books -q", " ".join(stopped), "crawl books -q --resume",
    ]  # fmt: skip
    assert len(list((shop / "results" / "books").glob("*.jsonl"))) == 3
