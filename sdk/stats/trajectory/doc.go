// Package trajectory says how each participant of a repeated measurement
// changes over time, and sorts participants by two such changes.
//
// Nouns:
//
//   - an outcome is a column of answers; several outcomes of one construct are
//     stacked: each answer is a row of its own;
//
//   - a Slope is a participant's change of the outcome for one unit of time, and
//     an intercept, the level at a stated time: the sums of the fixed effects
//     and the participant's random effects (best linear unbiased predictions,
//     Laird and Ware 1982) of
//
//     y_ij = beta_0 + b_0i + (beta_1 + b_1i) (t_ij - tbar) + e_ij,
//
//     R's coef(lmer(y ~ time + (time | participant))). They are shrunk towards
//     the mean slope, the more the less a participant's answers say. Time is
//     centred on its mean over the rows that are fitted, where the search is
//     best conditioned; with correlated effects the slopes do not depend on it;
//
//   - a Quadrant is which of two slopes are above their thresholds, as liking
//     and wanting in Robinson and Berridge's theory of incentive sensitisation:
//     both, the first alone, the second alone, or neither.
package trajectory
