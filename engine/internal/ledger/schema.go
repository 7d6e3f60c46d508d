package ledger

import (
	"context"
	"database/sql"
	"fmt"
)

// applicationID marks the file as ours ("flow" in ASCII), so that another
// program's database is never written to.
const applicationID = 0x666c6f77

// migrations[i] takes a file from version i to i+1. They are never edited,
// only added to.
var migrations = [...]string{`
CREATE TABLE runs (
  id        TEXT PRIMARY KEY,
  pipeline  TEXT NOT NULL,
  file      TEXT NOT NULL,
  args      TEXT NOT NULL,           -- JSON array: the command line
  version   TEXT NOT NULL,           -- of flow
  tasks     INTEGER NOT NULL,
  state     TEXT NOT NULL,           -- running, or how it ended
  error     TEXT NOT NULL DEFAULT '',
  started   TEXT NOT NULL,
  ended     TEXT,
  host      TEXT NOT NULL,
  pid       INTEGER NOT NULL,
  process   TEXT NOT NULL,           -- tells this process from a later one of the same pid
  heartbeat TEXT NOT NULL            -- the last sign of life
) WITHOUT ROWID;
CREATE TABLE nodes (
  run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
  task    INTEGER NOT NULL,
  node    TEXT NOT NULL,
  label   TEXT NOT NULL,             -- node with its matrix cell
  uses    TEXT NOT NULL,
  state   TEXT NOT NULL,
  why     TEXT NOT NULL,
  action  TEXT NOT NULL,             -- ActionID
  error   TEXT NOT NULL,
  started TEXT,
  ended   TEXT,
  seconds REAL,
  rows    INTEGER NOT NULL,
  bytes   INTEGER NOT NULL,
  PRIMARY KEY (run, task)
) WITHOUT ROWID;
CREATE TABLE artifacts (
  run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
  task   INTEGER NOT NULL,
  port   TEXT NOT NULL,
  port_index INTEGER NOT NULL,       -- 0: the operator's main output
  node   TEXT NOT NULL,
  label  TEXT NOT NULL,
  output TEXT NOT NULL,              -- OutputID
  rows   INTEGER NOT NULL,
  bytes  INTEGER NOT NULL,
  schema TEXT NOT NULL,
  PRIMARY KEY (run, task, port)
) WITHOUT ROWID;
CREATE INDEX artifacts_by_output ON artifacts(output);
CREATE TABLE calls (
  id  INTEGER PRIMARY KEY,
  run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
  task   INTEGER NOT NULL,
  node   TEXT NOT NULL,
  at     TEXT NOT NULL,
  model  TEXT NOT NULL,
  prompt_tokens     INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  cost   REAL NOT NULL,
  ms     INTEGER NOT NULL,
  cached INTEGER NOT NULL,
  error  TEXT NOT NULL
);
CREATE INDEX calls_by_run ON calls(run, node);

CREATE VIEW run_summary AS
SELECT r.id, r.pipeline,
  CASE WHEN r.ended IS NULL AND julianday('now') - julianday(r.heartbeat) > 60/86400.0 THEN 'interrupted' ELSE r.state END AS state,
  r.started,
  round((julianday(coalesce(r.ended, r.heartbeat)) - julianday(r.started)) * 86400, 1) AS seconds,
  r.tasks,
  (SELECT count(*) FROM nodes n WHERE n.run = r.id AND n.state = 'done')   AS done,
  (SELECT count(*) FROM nodes n WHERE n.run = r.id AND n.state = 'cached') AS cached,
  (SELECT count(*) FROM nodes n WHERE n.run = r.id AND n.state = 'failed') AS failed,
  (SELECT count(*) FROM calls c WHERE c.run = r.id AND NOT c.cached) AS calls,
  (SELECT round(coalesce(sum(cost), 0), 4) FROM calls c WHERE c.run = r.id) AS cost,
  r.error
FROM runs r ORDER BY r.id DESC;

CREATE VIEW node_summary AS
SELECT run, node, min(uses) AS uses, count(*) AS tasks,
  sum(state = 'done') AS done, sum(state = 'cached') AS cached, sum(state = 'failed') AS failed,
  round(sum(seconds), 3) AS seconds, sum(rows) AS rows, sum(bytes) AS bytes
FROM nodes GROUP BY run, node ORDER BY run DESC, min(task);

CREATE VIEW slowest AS
SELECT run, label, uses, state, seconds, rows FROM nodes WHERE seconds IS NOT NULL ORDER BY run DESC, seconds DESC;

CREATE VIEW failures AS
SELECT run, label, uses, error, ended FROM nodes WHERE error <> '' ORDER BY run DESC, ended;

CREATE VIEW cost_by_model AS
SELECT run, node, model, count(*) AS calls, sum(cached) AS cached, sum(error <> '') AS errors,
  sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens,
  round(sum(cost), 4) AS cost, round(avg(CASE WHEN NOT cached THEN ms END)) AS mean_ms
FROM calls GROUP BY run, node, model ORDER BY run DESC, cost DESC;
`, `
-- A quarter of what writing a run took, and no query of flow's used it.
DROP INDEX artifacts_by_output;
`, `
-- A run in which everything was kept already, as an earlier run left it, says
-- so in one row: same_as names the run whose rows are its own too. nodes and
-- artifacts, once the tables, show every run's rows as before.
DROP VIEW run_summary;
DROP VIEW node_summary;
DROP VIEW slowest;
DROP VIEW failures;
ALTER TABLE nodes RENAME TO node_rows;
ALTER TABLE artifacts RENAME TO artifact_rows;
ALTER TABLE runs ADD COLUMN same_as TEXT;
CREATE INDEX runs_by_same_as ON runs(same_as) WHERE same_as IS NOT NULL;

CREATE VIEW nodes AS
SELECT run, task, node, label, uses, state, why, action, error, started, ended, seconds, rows, bytes FROM node_rows
UNION ALL
SELECT r.id, n.task, n.node, n.label, n.uses, 'cached', '', n.action, '', NULL, NULL, NULL, n.rows, n.bytes
FROM runs r JOIN node_rows n ON n.run = r.same_as;

CREATE VIEW artifacts AS
SELECT run, task, port, port_index, node, label, output, rows, bytes, schema FROM artifact_rows
UNION ALL
SELECT r.id, a.task, a.port, a.port_index, a.node, a.label, a.output, a.rows, a.bytes, a.schema
FROM runs r JOIN artifact_rows a ON a.run = r.same_as;

-- Whoever deletes a run takes no other run's rows with it: the first of those
-- that share them inherits them.
CREATE TRIGGER runs_leave_rows BEFORE DELETE ON runs
WHEN EXISTS (SELECT 1 FROM runs WHERE same_as = OLD.id)
BEGIN
  UPDATE node_rows SET state = 'cached', why = '', error = '', started = NULL, ended = NULL, seconds = NULL,
    run = (SELECT min(id) FROM runs WHERE same_as = OLD.id) WHERE run = OLD.id;
  UPDATE artifact_rows SET run = (SELECT min(id) FROM runs WHERE same_as = OLD.id) WHERE run = OLD.id;
  UPDATE runs SET same_as = nullif((SELECT min(id) FROM runs WHERE same_as = OLD.id), id) WHERE same_as = OLD.id;
END;
` + summaries}

// summaries are views over the others.
const summaries = `
CREATE VIEW run_summary AS
SELECT r.id, r.pipeline,
  CASE WHEN r.ended IS NULL AND julianday('now') - julianday(r.heartbeat) > 60/86400.0 THEN 'interrupted' ELSE r.state END AS state,
  r.started,
  round((julianday(coalesce(r.ended, r.heartbeat)) - julianday(r.started)) * 86400, 1) AS seconds,
  r.tasks,
  (SELECT count(*) FROM nodes n WHERE n.run = r.id AND n.state = 'done')   AS done,
  (SELECT count(*) FROM nodes n WHERE n.run = r.id AND n.state = 'cached') AS cached,
  (SELECT count(*) FROM nodes n WHERE n.run = r.id AND n.state = 'failed') AS failed,
  (SELECT count(*) FROM calls c WHERE c.run = r.id AND NOT c.cached) AS calls,
  (SELECT round(coalesce(sum(cost), 0), 4) FROM calls c WHERE c.run = r.id) AS cost,
  r.error
FROM runs r ORDER BY r.id DESC;

CREATE VIEW node_summary AS
SELECT run, node, min(uses) AS uses, count(*) AS tasks,
  sum(state = 'done') AS done, sum(state = 'cached') AS cached, sum(state = 'failed') AS failed,
  round(sum(seconds), 3) AS seconds, sum(rows) AS rows, sum(bytes) AS bytes
FROM nodes GROUP BY run, node ORDER BY run DESC, min(task);

CREATE VIEW slowest AS
SELECT run, label, uses, state, seconds, rows FROM nodes WHERE seconds IS NOT NULL ORDER BY run DESC, seconds DESC;

CREATE VIEW failures AS
SELECT run, label, uses, error, ended FROM nodes WHERE error <> '' ORDER BY run DESC, ended;
`

// migrate brings the file to the current version. Two processes may try at
// once: the second finds it done.
func migrate(ctx context.Context, db *sql.DB, path string) error {
	var app, version, objects int
	err := db.QueryRowContext(ctx, "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_master)").Scan(&app, &version, &objects)
	if err != nil {
		return err
	}
	if app != applicationID && (app != 0 || objects != 0) {
		return fmt.Errorf("%s is an SQLite database of another program: move it away, and flow starts a new one", path)
	}
	if version < 0 {
		return fmt.Errorf("%s: its version %d never was: the file is damaged; move it away, and flow starts a new one (cached results are not affected)", path, version)
	}
	if version > len(migrations) {
		return fmt.Errorf("%s was written by a newer flow (its version is %d, this flow knows %d): update flow, or move the file away to start a new history", path, version, len(migrations))
	}
	if version == len(migrations) {
		return nil
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := conn.QueryRowContext(ctx, "SELECT user_version FROM pragma_user_version").Scan(&version); err == nil {
		for ; err == nil && version < len(migrations); version++ {
			_, err = conn.ExecContext(ctx, migrations[version])
		}
		if err == nil {
			_, err = conn.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", applicationID, len(migrations)))
		}
		if err != nil {
			_, _ = conn.ExecContext(ctx, "ROLLBACK")
			return err
		}
	}
	return err
}
