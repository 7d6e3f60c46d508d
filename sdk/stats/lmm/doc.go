// Package lmm fits linear mixed models by maximum likelihood (ML) or
// restricted maximum likelihood (REML):
//
//	y = X beta + Z b + e,  b ~ N(0, sigma^2 Lambda Lambda'),  e ~ N(0, sigma^2 W^-1)
//
// with any number of random terms, correlated or not, nested or crossed.
//
// Nouns:
//
//   - A random term (expression | group) gives each level of a group its own
//     deviations, the random effects b.
//   - A factor is a group with the columns of all the terms that share it; k is
//     how many columns. Lambda is block diagonal: one lower triangular k x k
//     block, the same for all levels of the factor.
//   - theta are the free entries of those blocks, term by term, column by
//     column, relative to sigma: the parameters that are searched.
//   - The deviance is -2 log L, for REML of the restricted likelihood (lme4's
//     REML criterion). Profiled means with beta and sigma at their best for
//     the theta at hand.
//   - A kernel holds the cross-products of the data, made once, and computes
//     from them whatever depends on theta. One grouping factor and several
//     have a kernel each.
//   - A cell is the set of levels whose Z'Z is the same.
//   - A direction V_i is the derivative of V = I + Z Lambda Lambda'Z' in a
//     parameter.
//   - A term is singular when its covariance estimate has lost a dimension.
//
// The search uses the exact gradient and Hessian and ends where Newton's step
// promises a fall in deviance below 1e-11. It walks the unbounded theta, in
// which the deviance is smooth, and proves singular estimates by the
// derivative in the covariance itself.
//
// Tests and intervals of the fixed effects have Satterthwaite's degrees of
// freedom (as lmerTest), Kenward and Roger's with their adjusted covariance
// (as pbkrtest), or the normal distribution's. None forms a matrix of rows by
// rows.
//
// A fit with one factor costs, per step of the search, about as many
// operations as there are cells times (k p)^2; with several factors
// q^3, q being the random effects of all but the largest factor.
//
// Criteria agree with those of R's lme4 to 1e-7, estimates to where its
// optimiser stops when run to the end, five to seven digits. They depend on no clock, map order or random
// number; simulation takes its seed.
package lmm
