// Package ranking estimates the worth of items from rankings and from paired
// comparisons.
//
// Nouns, with m items:
//
//   - a Ranking orders some or all items, the best first; items in one place of it
//     are tied; a Comparison is a ranking of two, in the order they were shown;
//
//   - alpha_i > 0 is an item's worth, lambda_i = log alpha_i its log-worth; only
//     differences of log-worths are determined, so a Constraint fixes their level;
//
//   - a choice is one step down a ranking: a set S is taken from the set R of items
//     not yet placed. Plackett and Luce's probability of a single item is
//     alpha_i / sum_R alpha. With ties (Davidson 1970 for pairs; Turner, van Etten,
//     Firth & Kosmidis 2020 for more) the probability of S is proportional to
//
//     f(S) = delta_|S| (prod_{i in S} alpha_i)^{1/|S|},   delta_1 = 1,
//
//     among all sets of R of the sizes that were seen; delta_k is the prevalence
//     of ties of k items;
//
//   - the win graph has an edge from each item to those it was placed above; ties
//     go both ways. Finite estimates exist if and only if it is strongly connected
//     (Ford 1957; Hunter 2004).
package ranking
