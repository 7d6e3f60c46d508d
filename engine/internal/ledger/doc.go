// Package ledger keeps what happened: runs, the tasks of each run, the tables
// they made and the chat calls they paid for, in one SQLite file that any SQL
// tool can read.
//
// A run is one execution of a pipeline, by one process. A node row is one
// task of a run as it stands now. An artifact row is one table that a task
// made or took from the cache. A call row is one chat request. A run is
// interrupted if it has no end and its process is gone. A run in which all was
// kept may share the rows of an earlier one (same_as); nodes and artifacts are
// views that show each run's rows, its own or shared ones.
//
// Writing never makes a run wait for the disk: rows are collected and written
// in one transaction about every 100 ms, and when the run ends. The file is in
// WAL mode with synchronous=NORMAL: a killed process loses the last rows at
// most, a power failure the last transactions; neither damages the file.
// Results do not depend on the ledger: losing it loses history only.
//
// Times are UTC texts, "2026-11-23 13:25:01.250". The views (run_summary,
// node_summary, slowest, failures, cost_by_model) are for reading by hand:
//
//	sqlite3 .flow/flow.db 'select * from run_summary'
package ledger
