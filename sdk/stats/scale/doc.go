// Package scale measures what questionnaires measure.
//
// An item is one question; its answers are numbers, NaN where there is none.
// Items are the answers of persons (rows) to items (columns). A category is a
// distinct answer of an item; a threshold is the point of a standard normal
// trait below which the lower categories are given. A correlation matrix is
// polychoric (of those traits), Pearson's or Spearman's; it is pairwise where
// each pair uses all rows that answer both. A factor is a latent trait on which
// items load: R = Lambda Phi Lambda' + Psi, with loadings Lambda (items by
// factors), factor correlations Phi, and uniquenesses Psi (diagonal); an item's
// communality is the rest of its variance. An extraction finds Lambda up to
// rotation, a rotation chooses among those. A score is a person's estimated
// factor; a baseline is the rows on which weights and standardisation are
// estimated. Reliability is the share of a sum's variance that is not error:
// alpha, omega.
//
// Nothing here returns NaN for a result: what can't be computed is an error, an
// exclusion or a note that names the item. The one exception is an entry of a
// correlation matrix that is listed in its Undefined.
package scale
