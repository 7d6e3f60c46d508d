// Package glm fits generalised linear models by iteratively reweighted least
// squares, as R's glm does (McCullagh & Nelder 1989, chapter 2).
//
// Nouns, with n rows and p coefficients:
//
//   - y, the response (n); for a binomial family a proportion of events, whose
//     prior weight is the number of trials;
//   - w, prior weights (n); a row of weight zero takes no part;
//   - beta, the coefficients (p); eta = X beta + offset, the linear predictor;
//   - a Link g maps the mean mu to eta = g(mu); a Family is a distribution's
//     variance V(mu) and deviance, with a link;
//   - phi, the dispersion: Var(y) = phi V(mu) / w, known to be 1 for binomial and
//     Poisson, estimated by Pearson's X^2 / (n - p) otherwise;
//   - the deviance, twice the log-likelihood's distance from a perfect fit;
//   - separation: some direction of beta along which the likelihood never stops
//     growing, so that no finite maximum exists;
//   - Firth's penalty, log|X'WX| / 2, under which a maximum always exists.
package glm
