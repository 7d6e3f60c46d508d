# Model matrices of R for many formulas over one small synthetic table.
out <- commandArgs(TRUE)[1]
library(jsonlite)
set.seed(20240501)
n <- 16
d <- data.frame(
  y = round(rnorm(n), 3), x = round(runif(n, 0.5, 4), 3), z = round(rnorm(n), 3),
  week = rep(c(1, 2, 3, 10), length.out = n),
  f = factor(rep(c("a", "b", "c"), length.out = n)), g = factor(rep(c("u", "v"), each = 8)),
  h = factor(sample(c("p", "q", "r"), n, TRUE)), id = factor(sprintf("s%d", rep(1:4, each = 4))))
d$`odd name` <- d$x + d$z
d$x[3] <- NA; d$f[7] <- NA; d$y[11] <- NA
formulas <- c(
  "y ~ 1", "y ~ x", "y ~ f", "y ~ f + x - 1", "y ~ 0 + x + x:f", "y ~ f:g", "y ~ x:f", "y ~ 0 + f + g", "y ~ 0 + f:g",
  "y ~ g/f", "y ~ f %in% g", "y ~ (f + g + x)^2 - f:g", "y ~ x*f*g - 1", "y ~ I(x > 2)", "y ~ poly(z, 2):f", "y ~ poly(z, 3)",
  "y ~ poly(z, 2, raw = TRUE)", "y ~ poly(z, degree = 2) * g", "y ~ (x + 0) + f", "y ~ x - (1 + f) + f", "y ~ g:x + f:g",
  "y ~ scale(x) + log(abs(z)) + I(-z^2) + I(1e5 * z)", "y ~ g + f:x:g", "log(y + 10) ~ sqrt(x) + exp(z)", "y ~ x + I(x^2) + I(x^3)",
  "y ~ factor(week) + z", "y ~ factor(week):g", "y ~ `odd name` * g", "y ~ f * x + offset(z)", "y ~ x + z + I(x + z)", "y ~ f*h*g",
  "y ~ relevel(f, ref = \"b\") + x", "y ~ log(x, base = 2) + log10(x)", "y ~ (f + g)^2 + x %in% g", "y ~ -1 + x + z:g", "y ~ a:b" , "y ~ I(f == \"b\"):x",
  "y ~ x + x:z + z", "y ~ scale(x, center = FALSE) + scale(z, scale = FALSE)", "y ~ I((x - 2) * z / 3 + 1) + abs(z)", "y ~ I(x %% 2) + pmin(x, 2)")
formulas <- setdiff(formulas, "y ~ a:b")
one <- function(text, contrasts = NULL) {
  fo <- as.formula(text)
  mf <- model.frame(fo, d, drop.unused.levels = TRUE)
  tt <- terms(mf)
  m <- model.matrix(tt, mf, contrasts.arg = contrasts)
  q <- qr(m, tol = 1e-7)
  keep <- sort(q$pivot[seq_len(q$rank)])
  # the first rows again, as new data: the bases are those of the fit
  new <- d[c(16, 1, 9), ]
  nf <- model.frame(delete.response(tt), new, xlev = .getXlevels(tt, mf))
  nm <- model.matrix(delete.response(tt), nf, contrasts.arg = attr(m, "contrasts"))
  list(formula = text, sum = !is.null(contrasts), names = I(colnames(m)), kept = I(colnames(m)[keep]), x = unname(m), terms = I(attr(tt, "term.labels")),
       assign = I(attr(m, "assign")), y = I(unname(as.numeric(model.response(mf)))), dropped = n - nrow(mf), new = unname(nm))
}
cases <- lapply(formulas, one)
cases <- c(cases, list(one("y ~ f*g + x", list(f = "contr.sum", g = "contr.sum")), one("y ~ f:x + g", list(f = "contr.sum"))))
for (i in seq_along(cases)) cases[[i]]$contrast <- if (cases[[i]]$sum) I(if (grepl("f:x", cases[[i]]$formula)) "f" else c("f", "g")) else I(character(0))
dd <- lapply(d, function(c) if (is.factor(c)) as.character(c) else c)
write_json(list(data = dd, cases = cases), out, digits = NA, na = "null")
