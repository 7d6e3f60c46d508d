# p.adjust for several families, and tails of t, F and chi-squared.
out <- commandArgs(TRUE)[1]
library(jsonlite)
set.seed(3)
p <- list(c(0.01, 0.02, 0.03, 0.04, 0.05), signif(runif(12)^3, 8), c(0.5, NA, 0.001, 0.001, NA, 0.04), 0.03, c(1, 1, 0.9), signif(runif(40)^4, 10))
m <- c("none", "bonferroni", "holm", "hochberg", "hommel", "BH", "BY")
cases <- lapply(p, function(v) list(p = I(v), adjusted = lapply(setNames(m, m), function(k) I(p.adjust(v, k)))))
g <- expand.grid(t = c(0.1, 1.96, 5, 12, 40), df = c(1, 3.7, 20, 2008.07))
g$p <- 2 * pt(g$t, g$df, lower.tail = FALSE)
f <- expand.grid(f = c(0.2, 1, 4, 30), n = c(1, 3.5, 10), d = c(2, 17.3, 900)); f$p <- pf(f$f, f$n, f$d, lower.tail = FALSE)
x <- expand.grid(f = c(0.2, 1, 4, 30), n = c(1, 4)); x$p <- pchisq(x$f * x$n, x$n, lower.tail = FALSE)
z <- data.frame(t = c(0.5, 3, 9, 20)); z$p <- 2 * pnorm(z$t, lower.tail = FALSE)
q <- expand.grid(p = c(0.9, 0.975, 0.9995), df = c(1.5, 8, 1924.02)); q$q <- qt(q$p, q$df)
write_json(list(cases = cases, t = g, f = f, chi = x, z = z, q = q), out, digits = NA, na = "null", auto_unbox = TRUE)
