"""Mutants of the engine, the frontier and the output: each breaks one promise, and the simulator must notice.

A mutant is a list of patches: the file, a text that is in it once, and what stands there instead.
"""

import shutil
from pathlib import Path

import scrapekit

PACKAGE = Path(scrapekit.__file__).parent
ENGINE, OUTCOMES, DISPATCH = "engine/engine.py", "engine/outcomes.py", "engine/dispatch.py"
FRONTIER, SCHEDULER, HOST = "engine/frontier.py", "engine/scheduler.py", "engine/host.py"
ADMISSION, ENDS, OUTPUT = "engine/admission.py", "engine/ends.py", "export/linefile.py"

MUTANTS = {
    "what is leased counts as done": [
        (FRONTIER, '_LEASE = f"UPDATE requests SET state = {LEASED}', '_LEASE = f"UPDATE requests SET state = {DONE}'),
        (FRONTIER, "[(n, LEASED if admit", "[(n, DONE if admit"),
        (FRONTIER, "requests.state = {LEASED}", "requests.state = {DONE}"),
    ],
    "links are committed apart from their page": [
        (
            FRONTIER,
            "            _ADD.run(db, [",
            '            db.execute("COMMIT")\n            db.execute("BEGIN IMMEDIATE")\n            _ADD.run(db, [',
        ),
    ],
    "the output is not cut back": [
        (OUTPUT, "        os.ftruncate(fd, offset)\n", "        offset = os.fstat(fd).st_size\n"),
    ],
    "the position is saved before the lines are written": [
        (
            ENGINE,
            "            self._output.append(batch.lines, batch.routes)\n",
            '            batch.meta["output"] = self._output.position()\n            self._output.append(batch.lines, batch.routes)\n',
        ),
        (ENGINE, '            self._output.flush()\n            batch.meta["output"] = self._output.position()\n', "            self._output.flush()\n"),
    ],
    "leases stay leased after a crash": [
        (FRONTIER, 'self._db.execute("UPDATE requests SET state = ? WHERE state = ?", (PENDING, LEASED))\n            latest', "latest"),
    ],
    "what was found is forgotten by a crash": [
        (FRONTIER, "Seen(map(itemgetter(0), self._db.execute(_KNOWN)), self._newest)", "Seen()"),
    ],
    "unique items are forgotten by a crash": [
        (FRONTIER, 'Seen(map(itemgetter(0), self._db.execute("SELECT key FROM item_keys")))', "Seen()"),
    ],
    "the keys of items are not committed with them": [
        (FRONTIER, "        if batch.keys:\n", "        if False:\n"),
    ],
    "a crash is charged to a request three times": [
        (FRONTIER, "SET crashes = crashes + 1 WHERE id = ?", "SET crashes = crashes + 30 WHERE id = ?"),
    ],
    "one more than maxsize": [
        (SCHEDULER, "if host.blocked or host.in_flight >= host.slots or host.due() > now:", "if host.blocked or host.in_flight > host.slots or host.due() > now:"),
        (SCHEDULER, "if host.entry or host.blocked or not host.queue or host.in_flight >= host.slots:", "if host.entry or host.blocked or not host.queue or host.in_flight > host.slots:"),
    ],
    "the delay is forgotten": [
        (HOST, "return max(self.not_before, self.last_start + self.spacing)", "return self.not_before"),
    ],
    "Retry-After is not heeded": [
        (OUTCOMES, '            self._scheduler.hold(name, now + wait, "Retry-After")\n', ""),
    ],
    "Retry-After is forgotten by a crash": [
        (OUTCOMES, '            self.batch.holds.append((name, now + wait, "Retry-After"))\n', ""),
    ],
    "robots.txt is fetched and not obeyed": [
        (DISPATCH, "if not rules.allows(url):", "if False:"),
    ],
    "retries are never due": [
        (ENGINE, "if batch.retries or promoted:", "if promoted:"),
    ],
    "the crawl ends while retries wait": [
        (ENGINE, "and not (self._seeds or self._next_retry):", "and not self._seeds:"),
    ],
    "what a page redirects to is not deduplicated": [
        (OUTCOMES, "        admission.add(self.batch, link, queued.depth, outcome.id, queued.redirects + 1)", "        admission.add(self.batch, replace(link, fingerprint=None), queued.depth, outcome.id, queued.redirects + 1)"),
    ],
    "a host whose slot is given back is not looked at": [
        (SCHEDULER, "        self._in_flight -= 1\n        self._place(host, now)", "        self._in_flight -= 1"),
    ],
    "redirects may lead anywhere": [
        (ADMISSION, "if not anywhere and not self._scope.allows(link.host):", "if False:"),
        (ADMISSION, "            if not self._scope.allows(link.host):\n                self._stats", "            if redirects == 0 and not self._scope.allows(link.host):\n                self._stats"),
    ],
    "an attempt that will be repeated is not written down": [
        (OUTCOMES, "if flight.slot and (self._every_attempt or isinstance(outcome, Failed)):", "if flight.slot and (self._every_attempt and outcome.status != 503):"),
    ],
    "attempts are committed apart from what became of them": [
        (FRONTIER, "            _TRIED.run(db, batch.attempts)\n", '            _TRIED.run(db, batch.attempts)\n            db.execute("COMMIT")\n            db.execute("BEGIN IMMEDIATE")\n'),
        (FRONTIER, "        if ends and _END.run(db, ends) != len(ends):\n", "        self._ends = ends\n        if False:\n"),
        (FRONTIER, "        self._newest += len(batch.rows)\n", "        self._newest += len(batch.rows)\n        with self._transaction():\n            _END.run(self._db, self._ends)\n"),
    ],
    "a page is counted twice": [
        (OUTCOMES, "            stats.pages += 1\n", "            stats.pages += 2\n"),
    ],
    "a failed request is done": [
        (ENDS, "batch.end(queued.id, FAILED, status=status,", "batch.end(queued.id, 2, status=status,"),
    ],
    "an idle worker waits for the clock": [
        (SCHEDULER, "    def starving(self, now: float) -> bool:\n", "    def starving(self, now: float) -> bool:\n        return False\n"),
        (ENGINE, "COMMIT_SECONDS = 0.05", "COMMIT_SECONDS = 5.0"),
    ],
    "a callback that never returns is waited for": [
        (ENGINE, "self._dispatcher.watch(now)", "pass"),
    ],
}  # fmt: skip


def mutate(folder, patches):
    """A copy of the package with the patches, in ``folder``."""
    package = folder / "scrapekit"
    # With the bytecode, so that only what is patched is compiled anew; another test may be writing some.
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("*.pyc.*"))
    for name, old, new in patches:
        path = package / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{name} has changed, so the mutant must change too: {old!r} is not there once"
        path.write_text(text.replace(old, new), encoding="utf-8")
    return folder
