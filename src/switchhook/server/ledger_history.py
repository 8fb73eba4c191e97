"""How the ledger's file came to have its tables: SQL that ran in the field, and is never changed.

Each text is of one topic. What came after them is for PostgreSQL, too: see `ledger_steps`.
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

USERS = """
CREATE TABLE users (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL UNIQUE,
  role INTEGER NOT NULL,
  password_hash TEXT,
  oidc_subject TEXT UNIQUE,
  created_us INTEGER NOT NULL,
  disabled INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE sessions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  hash BLOB NOT NULL UNIQUE,
  user INTEGER NOT NULL REFERENCES users,
  created_us INTEGER NOT NULL,
  used_us INTEGER NOT NULL,
  origin TEXT NOT NULL,
  agent TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_of_user ON sessions (user);
CREATE TABLE tokens (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  hash BLOB NOT NULL UNIQUE,
  name TEXT NOT NULL,
  scope TEXT NOT NULL,
  owner INTEGER REFERENCES users,
  created_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL,
  used_us INTEGER,
  revoked_us INTEGER
) STRICT;
CREATE TABLE links (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  hash BLOB NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  role INTEGER NOT NULL,
  created_us INTEGER NOT NULL,
  used_us INTEGER
) STRICT;
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

ALERTS = """
CREATE TABLE alerts (
  key TEXT NOT NULL,
  since_ms INTEGER NOT NULL,
  state TEXT NOT NULL,
  fired_ms INTEGER,
  resolved_ms INTEGER,
  body BLOB NOT NULL,
  PRIMARY KEY (key, since_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX alerts_over ON alerts (resolved_ms) WHERE fired_ms IS NOT NULL;
CREATE TABLE spoken (
  cause TEXT PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE silences (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  matcher BLOB NOT NULL,
  since_ms INTEGER NOT NULL,
  until_ms INTEGER NOT NULL,
  reason TEXT NOT NULL,
  by TEXT NOT NULL
) STRICT;
CREATE TABLE messages (
  id TEXT PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX messages_by_time ON messages (at_ms);
CREATE TABLE deliveries (
  message TEXT NOT NULL REFERENCES messages ON DELETE CASCADE,
  destination TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  next_ms INTEGER NOT NULL,
  done_ms INTEGER,
  problem TEXT NOT NULL,
  PRIMARY KEY (message, destination)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_waiting ON deliveries (next_ms) WHERE state = 'waiting';
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

SECOND_FACTORS = """
CREATE TABLE second_factors (
  user INTEGER PRIMARY KEY REFERENCES users,
  secret BLOB NOT NULL,
  last_step INTEGER NOT NULL,
  enrolled_us INTEGER NOT NULL
) STRICT;
CREATE TABLE recovery_codes (
  user INTEGER NOT NULL REFERENCES users,
  hash BLOB NOT NULL,
  used_us INTEGER,
  PRIMARY KEY (user, hash)
) STRICT, WITHOUT ROWID;
ALTER TABLE sessions ADD COLUMN proved_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN deleted_us INTEGER;
"""

BELONGING = """
CREATE TABLE belonging (id TEXT NOT NULL) STRICT;
INSERT INTO belonging VALUES (lower(hex(randomblob(16))));
"""

PASSKEYS = """
CREATE TABLE passkeys (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  user INTEGER NOT NULL REFERENCES users,
  credential BLOB NOT NULL UNIQUE,
  public_key BLOB NOT NULL,
  sign_count INTEGER NOT NULL,
  rp_id TEXT NOT NULL,
  name TEXT NOT NULL,
  made_us INTEGER NOT NULL,
  used_us INTEGER
) STRICT;
CREATE INDEX passkeys_of_user ON passkeys (user);
"""

MAKERS = """
ALTER TABLE links ADD COLUMN by INTEGER REFERENCES users;
CREATE INDEX links_of_maker ON links (by);
UPDATE links SET used_us = created_us WHERE used_us IS NULL;
"""
"""Who made a link, NULL is this machine. Whose those of before are nobody knows: they are void."""

DELIVERIES = """
DROP INDEX deliveries_waiting;
ALTER TABLE deliveries RENAME TO alert_deliveries;
CREATE TABLE deliveries (
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  destination TEXT NOT NULL,
  payload BLOB NOT NULL,
  created_ms INTEGER NOT NULL,
  due_ms INTEGER NOT NULL,
  deadline_ms INTEGER NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  done_ms INTEGER,
  problem TEXT NOT NULL,
  PRIMARY KEY (kind, key, destination)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_live ON deliveries (kind, destination, due_ms) WHERE done_ms IS NULL;
CREATE INDEX deliveries_by_time ON deliveries (kind, created_ms);
INSERT INTO deliveries (kind, key, destination, payload, created_ms, due_ms, deadline_ms,
  state, attempts, done_ms, problem)
SELECT 'alert', m.id, d.destination, m.body, m.at_ms, d.next_ms, m.at_ms + 21600000,
  CASE WHEN d.state = 'sent' THEN 'completed' WHEN d.state = 'given up' THEN 'discarded'
    WHEN d.attempts > 0 THEN 'retryable' ELSE 'available' END,
  d.attempts, CASE WHEN d.state = 'waiting' THEN NULL ELSE coalesce(d.done_ms, m.at_ms) END,
  d.problem
FROM alert_deliveries d JOIN messages m ON m.id = d.message;
DROP TABLE alert_deliveries;
DROP TABLE messages;
"""
"""Messages had a table of alerts' own; they moved to one for deliveries of any kind."""

AUDIT_NEWEST = """
ALTER TABLE audit_base ADD COLUMN newest INTEGER NOT NULL DEFAULT 0;
UPDATE audit_base SET newest = ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'audit'), seq);
"""
"""PostgreSQL has no number that outlives the rows it was given to, and is given to no other."""
