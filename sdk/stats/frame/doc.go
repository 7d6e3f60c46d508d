// Package frame holds the data of an analysis: a Frame is a set of named
// Columns of one length. A Column is numeric (float64, NaN where missing) or a
// factor: a Code for each row, which points into the factor's Levels (-1 where
// missing). The order of the levels is part of the data, as in R: the first is
// the reference of treatment contrasts unless another is chosen.
//
// A Frame is built once and then only read; the functions that change data
// return a new Frame or Column. Columns may share memory with what they were
// made from, so callers must not write into slices that they have handed over.
package frame
