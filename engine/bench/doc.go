// Command bench measures flow beside a peer or a limit of the same machine,
// in the same run, and prints one table. `make bench` builds what it needs;
// README.md says how to read each line.
//
// A suite is the measurements that belong together: of the engine, or of the
// statistics. A measurement is one question, answered by one line or more. A
// line has a value, the peer's or limit's value, their ratio and the target,
// where one was set. A timing that misses its target changes nothing but the
// line: the exit status is 1 only where something could not be run.
package main
