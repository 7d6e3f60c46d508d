# Reference values of proportion's tests: Rscript reference.R OUT.json
# Counts are made up here; intervals that R has no function for are written out
# from their formulas, and fisher.test's roots are found again to 1e-13, since
# its own stop at 1e-4.
suppressPackageStartupMessages(library(jsonlite))
ht <- function(t) list(statistic = unname(t$statistic), df = unname(t$parameter), p = t$p.value,
  estimate = unname(t$estimate), ci = if (is.null(t$conf.int)) NULL else as.numeric(t$conf.int))
q <- function(e) suppressWarnings(e)
alts <- c("two.sided", "less", "greater")
out <- list()
one <- list(c(15, 25, .5), c(0, 12, .3), c(12, 12, .3), c(83, 100, .75), c(1, 400, .01), c(421, 1506, .28), c(6, 12, .5))
out$one <- do.call(c, lapply(one, function(k) do.call(c, lapply(alts, function(a) lapply(c(TRUE, FALSE), function(co)
  c(list(x = k[1], n = k[2], p0 = k[3], alternative = a, correct = co), ht(q(prop.test(k[1], k[2], k[3], alternative = a, correct = co)))))))))
out$binom <- do.call(c, lapply(one, function(k) lapply(alts, function(a) c(list(x = k[1], n = k[2], p0 = k[3], alternative = a), ht(binom.test(k[1], k[2], k[3], alternative = a))))))
two <- list(c(15, 25, 9, 30), c(0, 12, 4, 15), c(83, 100, 83, 100), c(421, 1506, 799, 1820), c(12, 12, 3, 9), c(5, 10, 6, 11))
out$two <- do.call(c, lapply(two, function(k) do.call(c, lapply(alts, function(a) lapply(c(TRUE, FALSE), function(co)
  c(list(k = k, alternative = a, correct = co), ht(q(prop.test(k[c(1, 3)], k[c(2, 4)], alternative = a, correct = co)))))))))
limits <- function(x, n) { p <- x / n; z <- qnorm(.975); nt <- n + z^2; pt <- (x + z^2 / 2) / nt
  list(x = x, n = n, wald = p + c(-1, 1) * z * sqrt(p * (1 - p) / n), ac = pt + c(-1, 1) * z * sqrt(pt * (1 - pt) / nt),
    jeffreys = c(if (x > 0) qbeta(.025, x + .5, n - x + .5) else 0, if (x < n) qbeta(.975, x + .5, n - x + .5) else 1)) }
out$limits <- list(limits(15, 25), limits(0, 12), limits(12, 12), limits(421, 1506))
tabs <- list(matrix(c(12, 5, 7, 9), 2), matrix(c(1085, 1021, 421, 799), 2), matrix(c(20, 30, 15, 12, 25, 40, 9, 11, 31, 3, 8, 2), 4), matrix(c(1, 0, 4, 9), 2))
out$tables <- lapply(tabs, function(m) { a <- q(chisq.test(m)); b <- q(chisq.test(m, correct = FALSE)); g <- 2 * sum(ifelse(m > 0, m * log(m / a$expected), 0))
  list(m = m, yates = ht(a), plain = ht(b), expected = a$expected, residuals = b$residuals, adjusted = b$stdres, G = g, Gp = pchisq(g, b$parameter, lower.tail = FALSE),
    V = unname(sqrt(b$statistic / (sum(m) * (min(dim(m)) - 1))))) })
fisher <- function(m, a) { f <- fisher.test(m, alternative = a); mm <- sum(m[, 1]); n <- sum(m[, 2]); k <- sum(m[1, ]); x <- m[1, 1]; lo <- max(0, k - n); hi <- min(k, mm); s <- lo:hi
  lc <- dhyper(s, mm, n, k, log = TRUE); d <- function(w) { v <- lc + log(w) * s; v <- exp(v - max(v)); v / sum(v) }
  root <- function(f) exp(uniroot(function(t) f(exp(t)), c(-30, 30), tol = 1e-14)$root); al <- if (a == "two.sided") .025 else .05
  list(m = m, alternative = a, p = f$p.value, estimate = if (x == lo) 0 else if (x == hi) NULL else root(function(w) sum(s * d(w)) - x),
    lower = if (a == "less" || x == lo) 0 else root(function(w) sum(d(w)[s >= x]) - al), upper = if (a == "greater" || x == hi) NULL else root(function(w) sum(d(w)[s <= x]) - al)) }
out$fisher <- do.call(c, lapply(list(tabs[[1]], tabs[[2]], tabs[[4]], matrix(c(3, 0, 0, 3), 2)), function(m) lapply(alts, function(a) fisher(m, a))))
pairs <- list(matrix(c(794, 86, 150, 570), 2), matrix(c(10, 4, 4, 7), 2), matrix(c(20, 5, 3, 10, 30, 4, 2, 8, 15), 3))
out$mcnemar <- lapply(pairs, function(m) list(m = m, yes = ht(mcnemar.test(m)), no = ht(mcnemar.test(m, correct = FALSE)),
  exact = if (nrow(m) == 2) binom.test(m[1, 2], m[1, 2] + m[2, 1])$p.value else NULL))
out$trend <- { x <- c(83, 90, 129, 70); n <- c(86, 93, 136, 82); s <- c(-1, -.5, .5, 1); c(list(x = x, n = n, s = s), ht(prop.trend.test(x, n, s))) }
ratio <- function(k) { a <- k[1]; b <- k[2] - k[1]; c <- k[3]; d <- k[4] - k[3]; z <- qnorm(.975); se <- sqrt(1/a+1/b+1/c+1/d); sr <- sqrt(1/a-1/(a+b)+1/c-1/(c+d))
  g <- glm(cbind(c(a, c), c(b, d)) ~ c(1, 0), family = binomial, control = list(epsilon = 1e-14)) |> q(); s <- summary(g)$coefficients[2, ]
  w <- function(x, n) as.numeric(q(prop.test(x, n, correct = FALSE))$conf.int); w1 <- w(a, a+b); w2 <- w(c, c+d); p1 <- a/(a+b); p2 <- c/(c+d)
  list(k = k, or = exp(unname(s[1])), or_se = unname(s[2]), or_z = unname(s[3]), or_p = unname(s[4]), or_ci = exp(s[1] + c(-1, 1) * z * s[2]),
    rr = p1 / p2, rr_ci = exp(log(p1 / p2) + c(-1, 1) * z * sr), rd = p1 - p2, newcombe = c(p1 - p2 - sqrt((p1 - w1[1])^2 + (w2[2] - p2)^2), p1 - p2 + sqrt((w1[2] - p1)^2 + (p2 - w2[1])^2))) }
out$effects <- list(ratio(c(15, 25, 9, 30)), ratio(c(421, 1506, 799, 1820)), ratio(c(56, 70, 48, 80)))
out$gof <- ht(chisq.test(c(20, 30, 15, 35), p = c(.2, .3, .2, .3)))
write_json(out, commandArgs(TRUE)[1], digits = NA, auto_unbox = TRUE, null = "null", na = "null")
