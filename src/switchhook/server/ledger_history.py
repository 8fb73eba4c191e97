"""How the ledger's file came to have its tables: SQL that ran in the field, and is never changed.

Each text is of one topic. What comes after them is written for PostgreSQL, too.
"""

from __future__ import annotations

AUDIT = """
CREATE TABLE audit (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  at_us INTEGER NOT NULL,
  who TEXT NOT NULL,
  what TEXT NOT NULL,
  subject TEXT NOT NULL,
  origin TEXT NOT NULL,
  details TEXT NOT NULL,
  hash BLOB NOT NULL
) STRICT;
CREATE INDEX audit_what ON audit (what, seq);
CREATE TABLE audit_base (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  seq INTEGER NOT NULL,
  hash BLOB NOT NULL
) STRICT;
INSERT INTO audit_base VALUES (1, 0, zeroblob(32));
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
  BEGIN SELECT raise(ABORT, 'the audit log is never changed'); END;
CREATE TRIGGER audit_is_cut_at_its_old_end_only BEFORE DELETE ON audit
  WHEN old.seq > (SELECT seq FROM audit_base)
  BEGIN SELECT raise(ABORT, 'the audit log is cut at its old end only'); END;
"""

CAPACITY = """
CREATE TABLE capacity_readings (
  account TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  active INTEGER,
  allowed INTEGER,
  problem TEXT NOT NULL,
  PRIMARY KEY (account, at_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX capacity_readings_at ON capacity_readings (at_ms);
CREATE TABLE capacity_minutes (
  account TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  lowest INTEGER,
  highest INTEGER,
  total INTEGER NOT NULL,
  readings INTEGER NOT NULL,
  unread INTEGER NOT NULL,
  allowed INTEGER,
  problem TEXT NOT NULL,
  PRIMARY KEY (account, at_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX capacity_minutes_at ON capacity_minutes (at_ms);
CREATE TABLE capacity_hours (
  account TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  lowest INTEGER,
  highest INTEGER,
  total INTEGER NOT NULL,
  readings INTEGER NOT NULL,
  unread INTEGER NOT NULL,
  allowed INTEGER,
  problem TEXT NOT NULL,
  PRIMARY KEY (account, at_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX capacity_hours_at ON capacity_hours (at_ms);
"""

ISSUES = """
CREATE TABLE issue_marks (
  number INTEGER PRIMARY KEY,
  issue TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  state TEXT NOT NULL,
  by TEXT NOT NULL,
  note TEXT NOT NULL
) STRICT;
CREATE INDEX issue_marks_issue ON issue_marks (issue, number);
"""

CALLS = """
CREATE TABLE calls_due (
  account TEXT NOT NULL,
  call_sid TEXT NOT NULL,
  ended_ms INTEGER NOT NULL,
  due_ms INTEGER NOT NULL,
  looks INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  PRIMARY KEY (account, call_sid)
) STRICT, WITHOUT ROWID;
CREATE INDEX calls_due_at ON calls_due (account, due_ms);
CREATE TABLE call_details (
  account TEXT NOT NULL,
  call_sid TEXT NOT NULL,
  fetched_ms INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (call_sid, account)
) STRICT;
CREATE INDEX call_details_at ON call_details (fetched_ms);
"""

SAVED_VIEWS = """
CREATE TABLE saved_views (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  query TEXT NOT NULL,
  by TEXT NOT NULL,
  shared INTEGER NOT NULL,
  UNIQUE (by, name)
) STRICT;
"""

ERASURES = """
CREATE TABLE erasures (
  id TEXT PRIMARY KEY,
  asked_ms INTEGER NOT NULL,
  done INTEGER NOT NULL,
  state TEXT NOT NULL
) STRICT;
CREATE INDEX erasures_running ON erasures (asked_ms) WHERE done = 0;
CREATE TABLE removed (
  matter TEXT PRIMARY KEY, rows INTEGER NOT NULL, bytes INTEGER NOT NULL, at_ms INTEGER NOT NULL
) STRICT;
"""

TRUSTED_TIME = """
CREATE TABLE trusted (
  one INTEGER PRIMARY KEY CHECK (one = 1), now_ms INTEGER NOT NULL, waited_ms INTEGER NOT NULL
) STRICT;
"""

BELONGING = """
CREATE TABLE belonging (id TEXT NOT NULL) STRICT;
INSERT INTO belonging VALUES (lower(hex(randomblob(16))));
"""

AUDIT_NEWEST = """
ALTER TABLE audit_base ADD COLUMN newest INTEGER NOT NULL DEFAULT 0;
UPDATE audit_base SET newest = ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'audit'), seq);
"""
"""PostgreSQL has no number that outlives the rows it was given to, and is given to no other."""
