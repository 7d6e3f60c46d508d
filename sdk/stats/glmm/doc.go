// Package glmm fits generalised linear mixed models by the Laplace
// approximation, as R's lme4::glmer (Bates et al. 2015, JSS 67(1); Bolker et al.
// 2009), and by adaptive Gauss-Hermite quadrature for one random intercept.
//
// Nouns, with n rows, p fixed coefficients and q random effects in all:
//
//   - eta = X beta + Z Lambda u + offset, the linear predictor; u ~ N(0, I_q) are
//     the spherical random effects, b = Lambda u the effects themselves;
//   - theta, the free entries of Lambda: for each random term a lower triangle
//     that is the same for all levels of its group, Cov(b) = Lambda Lambda';
//   - B = Z Lambda (n x q); W the diagonal of weights w = -d2l/deta2 of the rows'
//     log-likelihoods l, s = dl/deta their scores;
//   - A = B'WB + I, the precision of u given y;
//   - u~, the conditional mode: the u that maximises l - |u|^2/2;
//   - D(theta, beta) = -2 l(u~) + |u~|^2 + log|A|, the Laplace approximation to -2
//     log-likelihood, minimised over theta and beta together.
//
// Families are those with a canonical link, binomial(logit) and poisson(log), for
// which W is both the expected and the observed information.
package glmm
