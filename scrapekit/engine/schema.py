"""The frontier's tables. They can be read with plain ``sqlite3 file:frontier.sqlite?mode=ro`` while the crawl runs.

What docs/ledger.md describes is public: it keeps its names and meanings within a major version of scrapekit.
"""

from __future__ import annotations

VERSION = 7

PENDING, LEASED, DONE, FAILED, DROPPED, QUARANTINED = range(6)

STATES = ("pending", "leased", "done", "failed", "dropped", "quarantined")

SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE requests (
    id INTEGER PRIMARY KEY,            -- in the order in which they were found
    fingerprint BLOB,                  -- no other request has it (the engine sees to that); NULL for dont_filter
    host TEXT NOT NULL,
    url TEXT NOT NULL,
    callback TEXT,                     -- NULL: parse
    priority INTEGER NOT NULL,
    depth INTEGER NOT NULL,            -- links from a start request
    redirects INTEGER NOT NULL,
    parent INTEGER,                    -- the request on whose page it was found
    extra TEXT,                        -- JSON: what differs from a plain GET
    state INTEGER NOT NULL DEFAULT {PENDING},
    not_before REAL NOT NULL DEFAULT 0,    -- a pending retry waits until then, in seconds since the epoch
    attempts INTEGER NOT NULL DEFAULT 0,   -- that have failed
    crashes INTEGER NOT NULL DEFAULT 0,    -- deaths of the process while it was in flight
    status INTEGER,                    -- of the last response
    error TEXT,                        -- of the last failure, or why it was dropped
    queued REAL,                       -- when it came here, in seconds since the epoch
    finished REAL                      -- when it came to its last state
);
CREATE INDEX ready ON requests (host, priority DESC, id) WHERE state = {PENDING} AND not_before = 0;
CREATE INDEX delayed ON requests (not_before) WHERE state = {PENDING} AND not_before > 0;

-- Written once and never changed, so that it costs the crawl next to nothing: there is no index that would.
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY,            -- in the order in which they ended
    request INTEGER NOT NULL,
    at REAL NOT NULL,                  -- when a worker got it, in seconds since the epoch
    elapsed REAL NOT NULL,             -- seconds
    status INTEGER,                    -- NULL: no response came
    bytes INTEGER NOT NULL,            -- of the decoded body
    error TEXT,                        -- NULL: it was a success, or a redirect
    location TEXT                      -- where a redirect led
);

-- Which lines of the output came from which requests: those that ended at the same time. One row a commit with lines.
CREATE TABLE written (
    id INTEGER PRIMARY KEY,
    at REAL,                           -- as in requests.finished
    position TEXT NOT NULL,            -- JSON: the end of the output after it
    lines INTEGER NOT NULL,
    digest BLOB NOT NULL,              -- BLAKE2b of the lines
    items_of TEXT,                     -- JSON: the items of each of several spiders until then
    keys INTEGER NOT NULL              -- rows of item_keys until then
);

CREATE TABLE hosts (host TEXT PRIMARY KEY, not_before REAL NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE robots (origin TEXT PRIMARY KEY, fetched REAL NOT NULL, status INTEGER NOT NULL, body BLOB NOT NULL)
    WITHOUT ROWID;
CREATE TABLE cookies (session TEXT NOT NULL, domain TEXT NOT NULL, cookies BLOB NOT NULL, PRIMARY KEY (session, domain))
    WITHOUT ROWID;                     -- JSON: those of one domain
CREATE TABLE item_keys (key BLOB NOT NULL);  -- of the items in the output that are unique by some of their fields
CREATE TABLE rejected (request INTEGER NOT NULL, record TEXT NOT NULL);  -- JSON: what is wrong with which item
CREATE TABLE scope (host TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE states (state INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO states VALUES {", ".join(f"({number}, '{name}')" for number, name in enumerate(STATES))};
CREATE VIEW urls AS
    SELECT id, url, name AS state, status, error, attempts, depth, parent, host, callback, priority, redirects,
        nullif(not_before, 0) AS not_before, crashes, queued, finished FROM requests JOIN states USING (state);
INSERT INTO meta VALUES ('version', '{VERSION}');
"""
