# Studentized range: R's ptukey, and for the precision that ptukey lacks a
# direct integration of the definition with tight tolerances.
out <- commandArgs(TRUE)[1]
library(jsonlite)
grid <- expand.grid(q = c(0.2, 1, 2.5, 3.6, 5, 8), k = c(2, 3, 5, 10, 30), df = c(2, 5, 12.5, 60, 1000, Inf))
grid$p <- ptukey(grid$q, grid$k, grid$df)
wint <- function(w, k) {
  f <- function(z) dnorm(z) * (pnorm(z) - pnorm(z - w))^(k - 1)
  k * (integrate(f, -9, w / 2, rel.tol = 1e-12, abs.tol = 0, subdivisions = 2000)$value +
       integrate(f, w / 2, w + 9, rel.tol = 1e-12, abs.tol = 0, subdivisions = 2000)$value)
}
direct <- expand.grid(q = c(1, 3.6, 6), k = c(3, 8), df = c(4, 30))
direct$p <- mapply(function(q, k, df) {
  dens <- function(s) exp(log(2) + df / 2 * log(df / 2) - lgamma(df / 2) + (df - 1) * log(s) - df * s^2 / 2)
  g <- function(s) dens(s) * sapply(s, function(t) wint(q * t, k))
  integrate(g, 1e-6, 1, rel.tol = 1e-11, subdivisions = 500)$value + integrate(g, 1, 6, rel.tol = 1e-11, subdivisions = 500)$value
}, direct$q, direct$k, direct$df)
grid$df[is.infinite(grid$df)] <- -1
quant <- expand.grid(p = c(0.5, 0.9, 0.95, 0.99), k = c(2, 3, 6, 20), df = c(3, 10, 54, 500))
quant$q <- qtukey(quant$p, quant$k, quant$df)
write_json(list(ptukey = grid, direct = direct, qtukey = quant), out, digits = NA, auto_unbox = TRUE)
