// Package emm computes estimated marginal means (Searle, Speed and Milliken
// 1980) and what is made of them, as R's emmeans does.
//
// A Grid is a model's reference grid: every combination of its factors' levels
// and of values of its covariates (their mean, unless values are given). A
// point of the grid is a linear function of the coefficients. A Set is a list
// of linear functions with names: the marginal means of a Grid, contrasts of a
// Set (which are a Set again, so that contrasts of contrasts need nothing
// more), or slopes. Set.Estimates gives a Result for each, with intervals and
// p-values corrected within each group of the by variables.
//
// A numeric column with at most two distinct values is treated as a factor of
// these values, and one that the formula puts into factor() as a factor of its
// values, as emmeans does. A function of coefficients that the data cannot
// estimate (of an empty cell, say) has a reason instead of a number.
package emm
