// Package cache keeps bytes by content, and remembers which action made them.
//
// A blob is a file of bytes, named by the OutputID: the SHA-256 of its bytes.
// An action is anything that makes blobs and can be named by a hash of all
// that decides its result: the ActionID. An entry is what the store remembers
// of an action: its outputs, and texts that the store does not look into.
// A label names the place an action was done for (a node's cell), so that the
// newest entry of a place can be found when its ActionID has changed.
// A session is one open Store. A stamp is what the file system said of a blob
// right after all of its bytes were hashed. A Kept is a set of results with what
// it takes to find them kept again without reading the log.
//
// # On disk
//
//	VERSION            the layout's version
//	index.log          entries, uses, stamps: an append-only log (log.go)
//	index.lock         flock: held by whoever appends to or rewrites the log
//	blobs/ab/abcd…     blobs, never changed in place, mode 0400
//	sessions/NAME/     one a session: lock (flock, held while it lives), pins,
//	                   and the files it is staging
//	quarantine/        blobs whose bytes did not match their name
//
// # Crashes
//
// A blob appears under its name by one rename of a complete file; an entry
// appears by one append of a record with a checksum, after its blobs. A
// process killed at any instant leaves at most a torn record at the log's end,
// which the next writer cuts off, and staged files, which the next collection
// removes. Nothing on the way to a result waits for the disk, so after a power
// failure a blob may hold wrong bytes or the log may have lost its end; stamps
// name the boot they were taken in, so every blob is hashed once more before
// it is believed. Store.Sync makes what was committed so far last through a
// power failure too.
//
// # Collection beside running sessions
//
// A session pins an output (one append to its pins file) and renames the blob
// into place under the lock that a collector holds from its look at the pins
// to its last unlink; so none takes the new blob for the old one that it found
// under the same name. A session also pins before it relies on an entry it
// found, without the lock; then it looks whether the entry still stands. A
// collector first logs that entries are gone, then reads the pins of all
// living sessions, then unlinks. Whichever comes second sees the other, so no
// session loses a blob it was promised.
package cache
