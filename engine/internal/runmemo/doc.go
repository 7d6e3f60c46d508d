// Package runmemo keeps memos of whole runs: what a run in which everything is
// kept came from, and what it gave, so that the next one need not read and plan
// again what has not changed. It knows no plan and no cache; package engine
// says what it depends on and checks it.
//
// A memo is one file, named by the hash of how flow was called (the question).
// It holds:
//
//	witness  a thing outside that the answer depends on, with the hash it had:
//	         a file's text, a parameter's file or folder, a program
//	task     a cell of a node with what is printed and published of it
//	kept     the cache's own notes on the results, which only it can read
//
// A folder of memos is bounded in number and bytes; the oldest go. Losing a
// memo costs time only.
package runmemo
