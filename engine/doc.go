// Package engine runs pipelines: it wires the rooms under internal together
// and is all that a program around it needs.
//
// A pipeline file declares nodes; planning turns it into tasks, one for each
// cell of each node; running gives every task's outputs as artifacts, kept by
// content in a workspace. An Engine is an open workspace. What programs said
// of themselves and of their outputs is remembered there (memo), so planning
// what is cached loads none of them; and a run in which everything was kept is
// remembered as a whole (Prepared), so that it need not be planned again.
//
// The rooms, in the order data walks through them:
//
//	pipeline     a pipeline file -> declarations, each with its place
//	operator     what an operator says of itself
//	plan         declarations -> tasks whose schemas fit
//	fingerprint  what a task's result depends on: hashed for the key, printed for "why"
//	schedule     which task runs when
//	event        what happens during a run, as values
//	node         what can run: node/wasm, node/native, node/llm, node/file
//	table        record batches: streams, files, import and export
//	cache        bytes by content
//	runmemo      memos of whole runs
//	ledger       what happened, kept
//	busy         waiting for an SQLite file, for ledger and node/llm
//	report       what happens, shown
package engine
