// Package trial analyses randomised trials whose treatment is a dose, as a
// plan states it.
//
// A plan is data: the tables, the studies (parts of the data that are analysed
// apart), lambda (the dose), the factors that are randomised beside it, the
// outcomes with their families, and the robustness runs. An outcome is one
// column, or a construct of several items that are stacked, with the item as a
// fixed effect. It is repeated where its rows in a study have more than one
// time, single otherwise.
//
// For each outcome and study, with P the polynomial of lambda, f the factors,
// t the time and b the outcome's value before treatment, all of them where
// they exist:
//
//	full      y ~ P + f + lambda:f + t + lambda:t + f:t + b
//	additive  y ~ P + f + t + b
//	coarse    the full model with the sign of lambda, a factor, as P and lambda
//
// A construct adds item, and where it is repeated item:(lambda + f + t).
// Repeated outcomes have a random intercept and slope of time for each
// participant, constructs measured once a random intercept. Where there are
// not more rows than random effects (as when all are measured twice) the slope
// is left out, or the intercept too, and a note says so. P's degree is that of
// least AIC under maximum likelihood (of the full model); what is reported is
// fitted by REML. An outcome without repetition is fitted by least squares, or
// by logistic regression where it is binary.
//
// A test is a contrast of marginal means, equally weighted over the other
// factors and items, with covariates at their means; or a coefficient. Its
// spec says which model and which lambdas it is from. The primary contrast is
// the mean of the marginal means at the high lambdas less that at the low
// ones. To a lambda outside those of the data nothing is extrapolated; one
// between them is noted. Levels of a factor are compared with the first.
// Families correct the p-values of the primary spec, by Benjamini-Hochberg:
// local within the outcomes of one family, global within those of a study.
//
// Empty texts are missing values. A row that lacks a value of its model is
// dropped, and counted.
package trial
