# Least squares, its criteria and sandwich covariances by R and sandwich.
out <- commandArgs(TRUE)[1]
suppressPackageStartupMessages({library(jsonlite); library(sandwich)})
set.seed(7)
n <- 40
d <- data.frame(x = round(rnorm(n), 3), z = round(runif(n, 1, 5), 3), f = rep(c("a", "b", "c", "d"), 10), cl = rep(sprintf("c%d", 1:8), each = 5), w = round(runif(n, 0.2, 3), 3))
d$y <- round(2 + d$x - 0.5 * d$z + (d$f == "b") + rnorm(8)[as.integer(factor(d$cl))] + rnorm(n) * (0.5 + abs(d$x)), 4)
d$w0 <- ifelse(seq_len(n) %% 9 == 0, 0, d$w)
d$x2 <- 2 * d$x - 3
d$f <- factor(d$f)
cl <- function(v) unname(sqrt(diag(v)))
one <- function(text, weights = "") {
  env <- new.env(); d$.w <- if (weights == "") 1 else d[[weights]]
  m <- if (weights == "") lm(as.formula(text), d) else lm(as.formula(text), d, weights = .w)
  s <- summary(m); k <- !is.na(coef(m)); a <- anova(m)
  new <- d[c(2, 5, 19), ]; pc <- suppressWarnings(predict(m, new, se.fit = TRUE, interval = "confidence", level = 0.9)); pp <- suppressWarnings(predict(m, new, interval = "prediction", level = 0.9, weights = 1))
  r <- list(formula = text, weights = weights, names = I(names(coef(m))[k]), beta = unname(coef(m)[k]), se = unname(s$coefficients[, 2]), p = unname(s$coefficients[, 4]),
    ci = unname(confint(m)[k, , drop = FALSE]), sigma = s$sigma, df = m$df.residual, r2 = s$r.squared, adj = s$adj.r.squared,
    logLik = as.numeric(logLik(m)), aic = AIC(m), bic = BIC(m), residuals = unname(residuals(m)), terms = I(rownames(a)), anovaDF = a$Df, ss = a[["Sum Sq"]], F = a[["F value"]], anovaP = a[["Pr(>F)"]],
    fit = unname(pc$fit[, 1]), fitSE = unname(pc$se.fit), lower = unname(pc$fit[, 2]), plower = unname(pp[, 2]))
  if (weights != "w0") {
    h <- rep(NA, n); h <- unname(hatvalues(m)); r$hat <- h
    if (all(k)) {
      r$hc0 <- cl(vcovHC(m, "HC0")); r$hc1 <- cl(vcovHC(m, "HC1")); r$hc2 <- cl(vcovHC(m, "HC2")); r$hc3 <- cl(vcovHC(m, "HC3"))
      r$cr0 <- cl(vcovCL(m, d$cl, type = "HC0", cadjust = FALSE)); r$cr1 <- cl(vcovCL(m, d$cl, type = "HC0", cadjust = TRUE)); r$cr1s <- cl(vcovCL(m, d$cl))
    }
  }
  r
}
cases <- list(one("y ~ x"), one("y ~ x + z + f"), one("y ~ x * f + I(z^2)"), one("y ~ 0 + f + x"), one("y ~ x + f", "w"), one("y ~ x * z", "w"), one("y ~ x + z + offset(z / 2)"), one("y ~ x + x2 + z"), one("y ~ x + f", "w0"), one("y ~ poly(z, 3) + x"))
s3 <- lm(y ~ x * f, d, contrasts = list(f = "contr.sum")); t3 <- drop1(s3, . ~ ., test = "F")
d$f <- as.character(d$f)
write_json(list(data = d, cases = cases, type3 = list(terms = rownames(t3)[-1], F = t3[["F value"]][-1], p = t3[["Pr(>F)"]][-1])), out, digits = NA, na = "null", auto_unbox = TRUE)
