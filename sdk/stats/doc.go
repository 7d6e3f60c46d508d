// Package stats is the head of flow's statistics library: pure Go, on gonum,
// compiled into WASM plugins and usable from any Go program. Nothing in it
// reads files, keeps global state or needs a goroutine.
//
// The nouns, each with its package, in the order in which an analysis walks
// through them:
//
//   - frame: a Frame of columns, numeric or factor, with missing values.
//   - formula: an R formula; with a frame it becomes a Design (X, y, weights,
//     offset, random terms).
//   - ols, glm, lmm, glmm: fit a Design and give a model: least squares,
//     generalised linear, linear mixed, generalised linear mixed.
//   - estimate: a Linear is any of these models seen through its
//     coefficients; an Estimate is a linear function of them with standard
//     error, interval and p; corrections for multiplicity.
//   - emm: a reference Grid of a model, its marginal means, contrasts of means
//     and slopes.
//   - ranking, scale, proportion: models of rankings; psychometric scales;
//     counts and proportions.
//   - trajectory, panel: participants' slopes and their profiles; models on
//     one scale over time.
//   - design: power, randomisation, simulated trials.
//   - trial: a trial's whole analysis from a plan.
//   - dist: distributions that gonum lacks.
//
// Bad input is an error that names the cause and the valid choices. A number
// that cannot be estimated is reported as such, never as NaN passed off as a
// result.
package stats
