"""The inside of an actor, without Ray: it is a plain object in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from scrapekit.fleet.child import READY, REFUSED
from scrapekit.fleet.wire import decode_batch, encode
from scrapekit.messages import Lease, Request
from scrapekit.project.hands import _order
from scrapekit.project.luggage import pack
from scrapekit.project.naming import filters_of
from scrapekit.project.spiders import load_spider
from scrapekit.settings import Settings, load
from scrapekit.testing import Reply, serve

SPIDER = """
import logging
from scrapekit import Spider
from greetings import greeting

class Greeter(Spider):
    def parse(self, response):
        import later
        logging.getLogger("greeter").warning("greeted %s", response.url, extra={"url": response.url})
        response.save("pages/1.html")
        yield {"greeting": greeting, "later": later.word}
"""
# What Ray does, in one thread and by standard input and output: each line is a call, each answer is printed.
DRIVER = """
import base64, json, os, sys
from scrapekit.fleet.actor import Actor
actor = None
for line in sys.stdin:
    name, *values = json.loads(line)
    values = [base64.b64decode(value["bytes"]) if isinstance(value, dict) else value for value in values]
    if name == "new":
        actor, answer = Actor(*values), None
    else:
        answer = getattr(actor, name)(*values)
    print(json.dumps(base64.b64encode(answer or b"").decode()), flush=True)
print(json.dumps(os.getcwd()), flush=True)
"""


class Elsewhere:
    """An actor in another process."""

    def __init__(self, *values):
        self.process = subprocess.Popen([sys.executable, "-c", DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.call("new", *values)

    def call(self, name, *values):
        self.process.stdin.write(msgspec.json.encode([name, *map(_shown, values)]) + b"\n")
        self.process.stdin.flush()
        return msgspec.convert(json.loads(self.process.stdout.readline()), bytes)

    def end(self):
        rest, _ = self.process.communicate(timeout=30)
        return json.loads(rest)


def _shown(value):
    return {"bytes": value} if isinstance(value, bytes) else value


@pytest.fixture
def order(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    project = tmp_path / "project"
    (project / "spiders").mkdir(parents=True)
    (project / "spiders" / "greeter.py").write_text(SPIDER)
    (project / "spiders" / "greetings.py").write_text("greeting = 'hello'")
    (project / "later.py").write_text("word = 'goodbye'")
    spider = load_spider(str(project / "spiders" / "greeter.py"), project)()
    order = _order({"": (spider, Settings())}, Settings())
    path, files = pack(Path(os.fsdecode(order.roles[0].file)), project)
    order.roles[0].file = os.fsencode(path)
    shutil.rmtree(project)  # so that whatever is found came along
    sys.path[:] = [entry for entry in sys.path if not entry.startswith(str(project))]
    return order, files


def actor(order, files):
    make = "scrapekit.project.hands:build"
    return Elsewhere(make, msgspec.json.encode(order), msgspec.msgpack.encode(files), 2, 0.001)


def test_an_actor_has_the_code_of_its_spider_works_says_what_it_logs_and_cleans_up(order, tmp_path, caplog):
    with serve(lambda _view: Reply(b"<p>page", headers=[("Content-Type", "text/html")])) as server:
        away = actor(*order)
        assert away.call("start") == READY
        leases = [Lease(number, Request(f"{server.url}/{number}"), "127.0.0.1") for number in range(5)]
        away.call("submit", encode(leases))
        outcomes = []
        while len(outcomes) < 5:
            outcomes += decode_batch(away.call("take"))[0]
        _, idle = decode_batch(away.call("take"))  # it tells of its pools when it has nothing else to tell, too
        away.call("close")
        last = decode_batch(away.call("take"))
        assert away.call("take") == b""
        folder = away.end()
    assert sorted(record.url for record in caplog.records if record.name == "greeter") == [
        f"{server.url}/{number}" for number in range(5)
    ]
    gone = "pages/1.html and 0 more files are gone with their actor: use absolute paths"
    assert (caplog.records[-1].levelname, caplog.messages[-1]) == ("WARNING", gone)
    assert sorted(outcome.id for outcome in outcomes) == [0, 1, 2, 3, 4]
    assert {line for outcome in outcomes for line in outcome.yielded.items} == {
        b'{"greeting":"hello","later":"goodbye"}'
    }
    assert (idle.requests, idle.pools) == (5, 1)
    assert (last[0], last[1].requests, last[1].pools) == ([], 5, 0)
    assert folder == "/"
    assert list(tmp_path.glob("scrapekit-*")) == []


def test_an_actor_that_lacks_a_module_says_so_in_one_line(order, tmp_path):
    order, files = order
    del files["spiders/greetings.py"]
    away = actor(order, files)
    word = away.call("start")
    assert word[:1] == REFUSED
    assert word[1:].decode() == "spiders/greeter.py:4: ModuleNotFoundError: No module named 'greetings'"
    assert away.end() == "/"
    assert list(tmp_path.glob("scrapekit-*")) == []


def test_workers_are_not_told_what_only_the_engine_needs_to_know(order, tmp_path):
    path = tmp_path / "again.py"
    path.write_text("from scrapekit import Spider\nclass Again(Spider):\n    name = 'again'\n")
    secret = {
        "http": {"proxies": "http://me:hunter2@p", "auth": {"a.test": {"bearer": "hunter2"}}, "max_redirects": 3},
        "export": [{"path": "postgresql://me:hunter2@p/d", "items": "Book"}, {"path": "s3://hunter2/{item}.csv"}],
        "ui": {"token": "hunter2hunter2hunter2"},
    }
    settings = load(None, secret).settings
    told = _order({"": (load_spider(str(path), tmp_path)(), settings)}, settings)
    assert "hunter2" not in repr(told)
    assert told.settings["http"]["max_redirects"] == 3
    outputs = msgspec.convert(told.settings, Settings).export.outputs
    assert filters_of(outputs) == filters_of(settings.export.outputs)
