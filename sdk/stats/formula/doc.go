// Package formula turns R's model formulas into designs.
//
// A Formula is parsed text: a response, fixed terms, offsets and random terms.
// A Variable is an expression over columns ("x", "log(x)", "poly(x, 2)",
// "factor(week)"); a Term is a product of variables ("a", "a:b"). A Design is
// a formula applied to a frame: the response y, the model matrix X with one or
// more columns for each term, weights, offset, and for each random term the
// matrix Z and the grouping factor's index. A Design knows how its columns
// were coded, so that it makes the same columns from new data (Model).
//
// The rules are R's (Chambers and Hastie 1992, chapter 2): terms are ordered
// by the number of their variables; a factor is coded by contrasts where the
// term without it is in the model already, and by a dummy column for every
// level otherwise; columns are named as model.matrix names them; rows with a
// missing value are dropped, and then levels without rows; columns that are
// linear combinations of earlier ones are dropped and named as aliased.
package formula
