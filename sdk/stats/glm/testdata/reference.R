# Reference values of package glm: Rscript reference.R OUT.json
# Made-up data with a seed; tight convergence; profile limits are roots found to
# 1e-12 (R's own confint interpolates, and is kept beside them).
suppressPackageStartupMessages({library(jsonlite); library(sandwich); library(MASS)})
set.seed(20251); n <- 160; ct <- glm.control(epsilon = 1e-15, maxit = 200); q <- suppressWarnings
d <- data.frame(x = round(rnorm(n), 3), z = round(runif(n, 20, 60), 1), g = sample(c("a", "b", "c"), n, TRUE), id = rep(1:32, each = 5), e = round(runif(n, 1, 9), 2))
lp <- -1 + .8 * d$x + .02 * d$z + .5 * (d$g == "b")
d$y <- rbinom(n, 1, plogis(lp - .5)); d$m <- sample(3:12, n, TRUE); d$s <- rbinom(n, d$m, plogis(lp)); d$f <- d$m - d$s
d$k <- rpois(n, d$e * exp(-.5 + .3 * d$x)); d$c <- round(2 + lp + rnorm(n), 4); d$h <- round(rgamma(n, 3, 3 / exp(lp)), 5) + .001; d$w <- sample(c(.5, 1, 2, 3.25), n, TRUE); d$v <- sample(0:3, n, TRUE)
fits <- list(
  logit = list(y ~ x + z + g, binomial(), NULL), probit = list(y ~ x + z + g, binomial("probit"), NULL), cloglog = list(y ~ x + z + g, binomial("cloglog"), NULL),
  counts = list(cbind(s, f) ~ x * g, binomial(), NULL), counts_probit = list(cbind(s, f) ~ x + g, binomial("probit"), NULL), weighted = list(y ~ x + g, binomial(), "v"), quasi = list(y ~ x + I(x^2), quasibinomial(), "w"),
  poisson = list(k ~ x + g + offset(log(e)), poisson(), NULL), quasipoisson = list(k ~ x + z + offset(log(e)), quasipoisson(), NULL), noint = list(k ~ 0 + g + x, poisson(), NULL),
  gaussian = list(c ~ x + z + g, gaussian(), "w"), gaussian_log = list(h ~ x, gaussian("log"), NULL), gamma = list(h ~ x + g, Gamma("log"), NULL), gamma_inv = list(h ~ x, Gamma(), "v"))
root <- function(dev, est, se, q, phi, d0) sapply(c(-1, 1), function(s) { f <- function(u) dev(est + s * u * se) - d0 - q^2 * phi
  hi <- q; while (f(hi) < 0) hi <- hi * 1.5; est + s * se * uniroot(f, c(q / 5, hi), tol = 1e-13, maxiter = 500)$root })
# A profile limit of l'beta by another path than a substitution: an orthonormal basis of what l leaves free.
profile <- function(m, l, level = .95) { X <- model.matrix(m); b <- coef(m); o <- if (is.null(m$offset)) 0 else m$offset; phi <- summary(m)$dispersion; est <- sum(l * b); se <- sqrt(drop(l %*% vcov(m) %*% l)); N <- qr.Q(qr(l), complete = TRUE)[, -1, drop = FALSE]
  fam <- m$family; qq <- if (fam$family %in% c("binomial", "poisson")) qnorm((1 + level) / 2) else qt((1 + level) / 2, m$df.residual)
  dev <- function(t) q(glm.fit(X %*% N, m$y, m$prior.weights, etastart = m$linear.predictors, offset = o + drop(X %*% l) * t / sum(l^2), family = fam, control = ct))$deviance
  root(dev, est, se, qq, phi, m$deviance) }
one <- function(k) { p <- fits[[k]]; m <- q(if (is.null(p[[3]])) glm(p[[1]], p[[2]], d, control = ct) else eval(bquote(glm(.(p[[1]]), .(p[[2]]), d, weights = .(as.name(p[[3]])), control = ct)))); s <- summary(m); nd <- d[c(3, 50, 97), ]
  pr <- predict(m, nd, se.fit = TRUE); pq <- predict(m, nd, type = "response", se.fit = TRUE); P <- length(coef(m)); l <- rep(0, P); l[P] <- 1; l2 <- l; l2[P - 1] <- -.5
  hc <- function(t) unname(sqrt(diag(vcovHC(m, t)))); z0 <- is.null(p[[3]]) || p[[3]] != "v"
  list(name = k, formula = paste(deparse(p[[1]]), collapse = ""), family = p[[2]]$family, link = p[[2]]$link, weights = p[[3]], terms = names(coef(m)), coef = unname(coef(m)), se = unname(s$coefficients[, 2]), p = unname(s$coefficients[, 4]), vcov = unname(vcov(m)),
    deviance = m$deviance, null = m$null.deviance, df = m$df.residual, dfnull = m$df.null, dispersion = s$dispersion, logLik = as.numeric(logLik(m)), AIC = AIC(m), BIC = if (is.na(AIC(m))) NULL else BIC(m),
    link_fit = unname(pr$fit), link_se = unname(pr$se.fit), resp_fit = unname(pq$fit), resp_se = unname(pq$se.fit), residuals = lapply(c("deviance", "pearson", "response", "working"), function(t) unname(residuals(m, t)[1:4])), hat = unname(hatvalues(m)[1:4]),
    hc = if (z0) list(hc("HC0"), hc("HC1"), hc("HC2"), hc("HC3")), cl = if (z0) list(unname(sqrt(diag(vcovCL(m, d$id, type = "HC0")))), unname(sqrt(diag(vcovCL(m, d$id, type = "HC1"))))),
    profile_last = profile(m, l), contrast = l2, profile_contrast = profile(m, l2), confint = if (P > 1 && !grepl("Gamma", p[[2]]$family)) unname(q(suppressMessages(confint(m)))[P, ]),
    drop_last = { X <- model.matrix(m)[, -P, drop = FALSE]; q(glm.fit(X, m$y, m$prior.weights, etastart = m$linear.predictors, offset = if (is.null(m$offset)) rep(0, n) else m$offset, family = p[[2]], control = ct))$deviance - m$deviance }) }
out <- list(data = as.list(d), fits = lapply(names(fits), one))
# Firth: the penalised log-likelihood maximised as a function, by Newton steps on numerical derivatives of it.
firth <- function(X, y, w, fam) { pl <- function(b) { e <- drop(X %*% b); mu <- fam$linkinv(e); W <- w * fam$mu.eta(e)^2 / fam$variance(mu); ll <- if (fam$family == "binomial") sum(w * (y * log(mu) + (1 - y) * log(1 - mu))) else sum(w * (y * log(mu) - mu)); ll + as.numeric(determinant(crossprod(X * sqrt(W)))$modulus) / 2 }
  P <- ncol(X); b <- rep(0, P); g <- function(b, h = 1e-3) sapply(1:P, function(j) { e <- replace(numeric(P), j, h); (8 * (pl(b + e) - pl(b - e)) - (pl(b + 2 * e) - pl(b - 2 * e))) / (12 * h) })
  for (i in 1:60) { H <- sapply(1:P, function(j) { e <- replace(numeric(P), j, 1e-3); (g(b + e) - g(b - e)) / 2e-3 }); st <- solve(H, g(b)); st <- st / max(1, max(abs(st))); b <- b - st; if (max(abs(st)) < 1e-9) break }
  e <- drop(X %*% b); W <- w * fam$mu.eta(e)^2 / fam$variance(fam$linkinv(e)); list(coef = unname(b), se = unname(sqrt(diag(solve(crossprod(X * sqrt(W)))))), penalised = pl(b)) }
sp <- data.frame(y = c(0, 0, 0, 0, 1, 0, 1, 1, 1, 1, 1, 1), x = c(-2.1, -1.4, -1, -.4, 0, .2, .5, .9, 1.1, 1.7, 2, 2.6), t = c(0, 0, 0, 1, 0, 0, 1, 0, 1, 1, 0, 1))
sp$y2 <- as.numeric(sp$x > .3); sp$k <- c(0, 0, 0, 2, 0, 0, 1, 0, 3, 2, 0, 4)
out$separated <- list(data = as.list(sp), overlap = firth(model.matrix(~ x, sp), sp$y, rep(1, 12), binomial()), complete = firth(model.matrix(~ x + t, sp), sp$y2, rep(1, 12), binomial()), poisson = firth(model.matrix(~ t + x, sp), sp$k, rep(1, 12), poisson()))
write_json(out, commandArgs(TRUE)[1], digits = NA, auto_unbox = TRUE, null = "null", na = "null")
