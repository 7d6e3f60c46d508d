// Package dist has the distributions that gonum lacks: the studentized range
// of Tukey's comparisons and the bivariate normal of polychoric correlations.
package dist
