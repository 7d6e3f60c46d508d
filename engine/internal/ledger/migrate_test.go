package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
)

// A file that an earlier version wrote is brought up to date and keeps its
// runs.
func TestMigrate(t *testing.T) {
	for from := 1; from < len(migrations); from++ {
		path := filepath.Join(t.TempDir(), "flow.db")
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		nodes, artifacts := "nodes", "artifacts"
		if from >= 3 {
			nodes, artifacts = "node_rows", "artifact_rows"
		}
		for _, text := range append(migrations[:from:from], fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, from),
			"INSERT INTO runs (id, pipeline, file, args, version, tasks, state, started, host, pid, process, heartbeat) VALUES ('20260101-000000-0000', 'old', 'f', '[]', 'v', 0, 'done', '2026-01-01T00:00:00.000Z', 'h', 1, '', '2026-01-01T00:00:00.000Z')",
			"INSERT INTO "+nodes+" VALUES ('20260101-000000-0000', 0, 'n', 'n', 'u', 'done', '', 'a', '', NULL, NULL, 1.5, 7, 8)",
			"INSERT INTO "+artifacts+" VALUES ('20260101-000000-0000', 0, 'out', 0, 'n', 'n', 'o', 7, 8, 'x: int64')") {
			if _, err := db.Exec(text); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		l := open(t, path)
		r, err := l.Begin(context.Background(), RunInfo{Pipeline: "new"})
		if err != nil {
			t.Fatalf("from version %d: %v", from, err)
		}
		r.Artifact(ArtifactRow{Node: "n", Port: "out"})
		if err := r.End(context.Background(), "done", nil); err != nil {
			t.Fatal(err)
		}
		runs, err := l.Runs(context.Background(), 10)
		if err != nil || len(runs) != 2 || runs[1].Pipeline != "old" {
			t.Errorf("from version %d: %v, %v", from, runs, err)
		}
		old, err := l.Run(context.Background(), "20260101-000000-0000")
		if err != nil || len(old.Nodes) != 1 || old.Nodes[0].Rows != 7 || len(old.Artifacts) != 1 || old.Artifacts[0].Output != "o" {
			t.Errorf("from version %d: the old run is %+v, %v", from, old, err)
		}
		var version, indexes int
		err = l.db.QueryRow("SELECT (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_master WHERE name = 'artifacts_by_output')").Scan(&version, &indexes)
		if err != nil || version != len(migrations) || indexes != 0 {
			t.Errorf("from version %d: version %d, %d old indexes, %v", from, version, indexes, err)
		}
	}
}
