// Package wasm runs plugins: operators in WebAssembly modules that flow does
// not trust.
//
// A host compiles and runs modules. A plugin is one compiled module. An
// instance is one running copy of a plugin, with a memory of its own; one
// goroutine uses it at a time. A task is one run of one operator, in one or
// several instances. A call is one entry into an instance.
//
// What stands between a plugin and everything else:
//
//   - Imports. A module may import the functions of flow (three, and two for
//     linear algebra) and those of wasip1 that language runtimes need to start
//     and to print; any other is refused by name when the plugin is loaded.
//     There are no files, no network, no arguments and no environment behind
//     them; clock and random numbers are pinned.
//   - Time. Package meter makes each module come by the host every few
//     thousand steps, where a context that is done ends the call.
//   - Memory. An instance's memory is an address range of fixed size that the
//     system backs with pages as they are touched. Tables, globals and
//     functions are bounded before anything is compiled.
//   - Answers. Package cdata takes every number in a guest's answer for a lie
//     until it is checked, and package operator does so for descriptions.
//   - State. After any error an instance is thrown away. Table and source
//     operators run in an instance that has run no task before.
//
// The abi (package sdk/abi) says what is called, and who frees what.
package wasm
