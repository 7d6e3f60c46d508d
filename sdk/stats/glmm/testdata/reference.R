# Reference values of package glmm: Rscript reference.R OUT.json
# Made-up data with a seed; lme4 1.1-31, bobyqa to 1e-10 and a tight inner loop.
# Tolerance 1e-3: glmer itself ends elsewhere from run to run, by 3e-7 in a coefficient near 0 and 6e-6 in an SE.
suppressPackageStartupMessages({library(lme4); library(jsonlite)})
set.seed(4711); G <- 30; n <- 240
d <- data.frame(g = sprintf("s%02d", rep(1:G, each = 8)), item = sprintf("i%d", rep(1:8, G)), x = round(rnorm(n), 3), t = rep(0:7, G) / 4 - .875)
d$class <- sprintf("c%d", (rep(1:G, each = 8) - 1) %/% 5); ug <- rnorm(G); us <- rnorm(G, 0, .6); ui <- rnorm(8, 0, .7); uc <- rnorm(6, 0, .5); gi <- rep(1:G, each = 8)
lp <- -.3 + .7 * d$x + .5 * d$t + ug[gi]; d$y <- rbinom(n, 1, plogis(lp + us[gi] * d$t)); d$yi <- rbinom(n, 1, plogis(lp + ui[rep(1:8, G)]))
d$m <- sample(4:20, n, TRUE); d$s <- rbinom(n, d$m, plogis(lp + us[gi] * d$t)); d$f <- d$m - d$s; d$e <- round(runif(n, 1, 4), 2); d$k <- rpois(n, d$e * exp(.2 + .3 * d$x + .5 * ug[gi] + uc[(gi - 1) %/% 5 + 1]))
d$s2 <- rbinom(n, d$m, plogis(lp + us[gi] * d$t + ui[rep(1:8, G)])); d$f2 <- d$m - d$s2; set.seed(5); d$flat <- rpois(n, exp(.5 + .2 * d$x))
tight <- glmerControl(optimizer = "bobyqa", tolPwrss = 1e-13, optCtrl = list(rhobeg = .02, rhoend = 1e-10, maxfun = 1e5), check.conv.grad = "ignore", check.conv.hess = "ignore", check.conv.singular = "ignore")
fits <- list(intercept = list(y ~ x + t + (1 | g), binomial()), slope = list(cbind(s, f) ~ x + t + (1 + t | g), binomial()), uncorrelated = list(cbind(s, f) ~ x * t + (1 + t || g), binomial()),
  crossed = list(yi ~ x + t + (1 | g) + (1 | item), binomial()), nested = list(k ~ x + offset(log(e)) + (1 | class/g), poisson()), slopes_crossed = list(cbind(s2, f2) ~ x + t + (1 + t | g) + (1 | item), binomial()), singular = list(flat ~ x + (1 | g), poisson()))
# The covariance from the Laplace criterion written out in dense matrices with an inner Newton search run to the end: lme4's own
# criterion has the log-determinant one inner step late (2e-6), and its Hessian steps of 1e-4. Differences by Richardson's combination.
vc <- function(m, fam) { Zt <- as.matrix(getME(m, "Zt")); L <- getME(m, "Lambdat"); Li <- getME(m, "Lind"); X <- getME(m, "X"); y <- m@resp$y; w <- weights(m); o <- m@resp$offset; nt <- length(getME(m, "theta")); u <- numeric(nrow(Zt))
  f <- function(p) { L@x <- p[1:nt][Li]; B <- t(as.matrix(L) %*% Zt); lin <- o + drop(X %*% p[-(1:nt)])
    for (i in 1:60) { mu <- fam$linkinv(lin + drop(B %*% u)); v <- w * fam$variance(mu); A <- crossprod(B * sqrt(v)) + diag(ncol(B)); st <- solve(A, crossprod(B, w * (y - mu)) - u); u <<- u + drop(st); if (max(abs(st)) < 1e-13) break }
    mu <- fam$linkinv(lin + drop(B %*% u)); sum(fam$dev.resids(y, mu, w)) + sum(u^2) + as.numeric(determinant(crossprod(B * sqrt(w * fam$variance(mu))) + diag(ncol(B)))$modulus) }
  p <- c(getME(m, "theta"), fixef(m)); s <- c(rep(.3, nt), sqrt(diag(as.matrix(vcov(m))))); k <- length(p); f0 <- f(p)
  H1 <- function(h) { H <- matrix(0, k, k); for (i in 1:k) for (j in i:k) { e <- replace(numeric(k), i, h * s[i]); o <- replace(numeric(k), j, h * s[j])
    H[i, j] <- H[j, i] <- if (i == j) (f(p + e) - 2 * f0 + f(p - e)) / (h * s[i])^2 else (f(p + e + o) - f(p + e - o) - f(p - e + o) + f(p - e - o)) / (4 * h^2 * s[i] * s[j]) }; H }
  a <- H1(.02); b <- H1(.04); 2 * solve((4 * a - b) / 3)[-(1:nt), -(1:nt)] }
one <- function(k) { m <- suppressWarnings(glmer(fits[[k]][[1]], d, fits[[k]][[2]], control = tight)); re <- ranef(m, condVar = TRUE); u <- fits[[k]][[1]]
  list(name = k, formula = paste(deparse(u), collapse = ""), family = fits[[k]][[2]]$family, coef = unname(fixef(m)), se = unname(sqrt(diag(as.matrix(vcov(m))))), vcov = if (k != "singular") unname(vc(m, fits[[k]][[2]])), theta = I(unname(getME(m, "theta"))),
    logLik = as.numeric(logLik(m)), AIC = AIC(m), BIC = BIC(m), sdcor = I(as.data.frame(VarCorr(m))$sdcor), groups = I(names(re)), modes = unname(lapply(re, function(r) unname(as.matrix(r[1:3, , drop = FALSE])))), condvar = unname(lapply(re, function(r) { v <- attr(r, "postVar"); I(if (is.list(v)) unname(sapply(v, function(a) a[1, 1, 1])) else unname(diag(as.matrix(v[, , 1])))) })), fitted = unname(fitted(m)[1:5])) }
out <- list(data = as.list(d), fits = lapply(names(fits), one))
q9 <- glmer(y ~ x + t + (1 | g), d, binomial(), nAGQ = 9, control = tight); out$agq9 <- list(coef = unname(fixef(q9)), theta = I(unname(getME(q9, "theta"))))
# The marginal likelihood of the same model by direct integration, at that estimate.
b <- fixef(q9); th <- getME(q9, "theta"); eta <- drop(model.matrix(q9) %*% b)
out$integral <- sum(sapply(split(seq_len(n), d$g), function(r) log(integrate(function(u) sapply(u, function(v) dnorm(v) * prod(dbinom(d$y[r], 1, plogis(eta[r] + th * v)))), -Inf, Inf, rel.tol = 1e-12)$value)))
write_json(out, commandArgs(TRUE)[1], digits = NA, auto_unbox = TRUE, null = "null", na = "null")
