# References of plugins/trajectory: Rscript trajectory.R OUT.json
# A small longitudinal data set is made here with a seed of its own; lme4 gives
# the slopes, base R the tests, and the limits that R has no function for are
# written out from their formulas.
suppressPackageStartupMessages({library(lme4); library(jsonlite)})
set.seed(20261)
tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 0.02, rhoend = 1e-10, maxfun = 200000))
n <- 60; times <- 0:5
d <- expand.grid(time = times, id = sprintf("P%02d", seq_len(n)), stringsAsFactors = FALSE)
a <- rnorm(n, 50, 12); b <- rnorm(n, 0.4, 1.5); g <- match(d$id, unique(d$id))
r <- function(x) round(x, 1)
d$x1 <- r(a[g] + b[g] * d$time + rnorm(nrow(d), 0, 6)); d$x2 <- r(a[g] - 8 + b[g] * d$time + rnorm(nrow(d), 0, 6))
w <- rnorm(n, -0.2, 2); d$w <- r(40 + 0.3 * a[g] + w[g] * d$time + rnorm(nrow(d), 0, 5))
d$x1[sample(nrow(d), 40)] <- NA; d$x2[sample(nrow(d), 25)] <- NA; d$w[sample(nrow(d), 30)] <- NA
d$w[d$id == "P07"] <- NA; d$x1[d$id == "P09" & d$time > 0] <- NA; d$x2[d$id == "P09" & d$time > 0] <- NA
d$lambda <- c(-1, -0.5, 0.5, 1)[(g - 1) %% 4 + 1]; d$domain <- ifelse(g %% 3 == 0, "a", "b")
lines <- function(m, at) { cf <- coef(m)[[1]]; re <- ranef(m, condVar = TRUE)[[1]]; v <- attr(re, "postVar")
  if (is.list(v)) { u <- array(0, c(2, 2, nrow(cf))); u[1, 1, ] <- v[[1]]; u[2, 2, ] <- v[[2]]; v <- u }
  data.frame(id = rownames(cf), slope = cf[, 2], intercept = cf[, 1] + at * cf[, 2], slope_sd = sqrt(v[2, 2, ]), intercept_sd = sqrt(v[1, 1, ] + 2 * at * v[1, 2, ] + at^2 * v[2, 2, ])) }
stack <- function(v) { s <- do.call(rbind, lapply(v, function(k) data.frame(id = d$id, time = d$time, item = k, y = d[[k]]))); s <- s[!is.na(s$y), ]; s$tc <- s$time - mean(s$time); s }
L <- stack(c("x1", "x2")); L$item <- factor(L$item)
m1 <- lmer(y ~ tc + (tc | id), L, control = tight); m2 <- lmer(y ~ tc + item + (tc | id), L, control = tight); m3 <- lmer(y ~ tc + (tc || id), L, control = tight)
W <- stack("w"); mw <- lmer(y ~ tc + (tc | id), W, control = tight)
out <- list(data = d, stacked = lines(m1, 0), stacked_crit = REMLcrit(m1), at_two = lines(m1, 2 - mean(L$time)), items = lines(m2, 0), uncorrelated = lines(m3, 0), single = lines(mw, 0),
  fixed = unname(coef(summary(m1))[, 1:2]), centre = mean(L$time))
S <- merge(out$stacked[, c("id", "slope")], out$single[, c("id", "slope")], by = "id", suffixes = c("_l", "_w"))
S$profile <- ifelse(S$slope_l > 0, ifelse(S$slope_w > 0, "both", "first"), ifelse(S$slope_w > 0, "second", "neither"))
S <- merge(S, unique(d[, c("id", "lambda", "domain")])); out$profiles <- S
compare <- function(t, u, e) { x <- sum(S$profile[t] == e); n1 <- sum(t); y <- sum(S$profile[u] == e); n0 <- sum(u); z <- qnorm(.975); q <- suppressWarnings
  pt <- function(alt, co) { h <- q(prop.test(c(x, y), c(n1, n0), alternative = alt, correct = co)); list(alternative = alt, corrected = co, statistic = unname(h$statistic), p = h$p.value, ci = as.numeric(h$conf.int)) }
  p1 <- x / n1; p0 <- y / n0; wl <- function(x, n) as.numeric(q(prop.test(x, n, correct = FALSE))$conf.int); w1 <- wl(x, n1); w0 <- wl(y, n0)
  se <- sqrt(1 / x + 1 / (n1 - x) + 1 / y + 1 / (n0 - y)); or <- x * (n0 - y) / ((n1 - x) * y); rr <- p1 / p0; sr <- sqrt(1 / x - 1 / n1 + 1 / y - 1 / n0)
  f <- function(alt) fisher.test(matrix(c(x, n1 - x, y, n0 - y), 2), alternative = alt)$p.value
  cs <- q(chisq.test(rbind(table(factor(S$profile[t], levels = unique(S$profile))), table(factor(S$profile[u], levels = unique(S$profile))))))
  list(event = e, x1 = x, n1 = n1, x0 = y, n0 = n0, tests = do.call(c, lapply(c("two.sided", "greater", "less"), function(a) list(pt(a, TRUE), pt(a, FALSE)))),
    fisher = c(f("two.sided"), f("greater"), f("less")), or = or * c(1, exp(-z * se), exp(z * se)), rr = rr * c(1, exp(-z * sr), exp(z * sr)),
    wald = (p1 - p0) + c(0, -1, 1) * z * sqrt(p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0),
    newcombe = c(p1 - p0, p1 - p0 - sqrt((p1 - w1[1])^2 + (w0[2] - p0)^2), p1 - p0 + sqrt((w1[2] - p1)^2 + (p0 - w0[1])^2)), wilson1 = w1, wilson0 = w0,
    chisq = list(statistic = unname(cs$statistic), df = unname(cs$parameter), p = cs$p.value)) }
out$compare <- list(sign = compare(S$lambda > 0, S$lambda < 0, "both"), combined = compare(S$lambda > 0 & S$domain == "b", S$lambda < 0, "second"))
args <- commandArgs(TRUE)
write_json(out, args[1], digits = NA, auto_unbox = TRUE, na = "null")
