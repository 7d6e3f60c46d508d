# Random terms of lme4: names, groups and Z for one small table.
out <- commandArgs(TRUE)[1]
suppressPackageStartupMessages({library(jsonlite); library(lme4)})
set.seed(5)
n <- 24
d <- data.frame(y = round(rnorm(n), 3), x = round(rnorm(n), 3), z = round(rnorm(n), 3), f = rep(c("a", "b", "c"), 8), a = rep(c("p", "q", "r", "s"), each = 6), b = rep(c("u", "v"), 12), k = rep(c(10, 2, 3), 8))
d$x[5] <- NA
forms <- c("y ~ 1 + (1 | a)", "y ~ x + (1 + x | a)", "y ~ x + (x || a)", "y ~ f + (f | a)", "y ~ x + (0 + x | a) + (1 | b)", "y ~ 1 + (1 | a/b)", "y ~ x + (x | a:b)", "y ~ 1 + (1 | k)", "y ~ x * f + (1 + poly(z, 2) | b)", "y ~ f + (0 + f | b)", "y ~ x + (1 + x + I(x^2) || a)", "y ~ 1 + (1 | a/b/f)")
one <- function(text) {
  l <- suppressWarnings(lFormula(as.formula(text), d, control = lmerControl(check.nobs.vs.nRE = "ignore", check.nobs.vs.nlev = "ignore", check.nobs.vs.rankZ = "ignore")))
  terms <- lapply(seq_along(l$reTrms$cnms), function(i) {
    fac <- l$reTrms$flist[[names(l$reTrms$cnms)[i]]]
    k <- length(l$reTrms$cnms[[i]]); nl <- nlevels(fac)
    Zt <- as.matrix(l$reTrms$Ztlist[[i]])
    idx <- as.integer(fac)
    Z <- t(sapply(seq_along(idx), function(r) Zt[(idx[r] - 1) * k + seq_len(k), r]))
    list(group = names(l$reTrms$cnms)[i], names = I(l$reTrms$cnms[[i]]), levels = I(levels(fac)), index = I(idx - 1), z = I(as.numeric(if (k == 1) Z else t(Z))))
  })
  list(formula = text, terms = terms)
}
dd <- lapply(d, identity)
write_json(list(data = dd, cases = lapply(forms, one)), out, digits = NA, na = "null", auto_unbox = TRUE)
