# References of plugins/panel: Rscript panel.R OUT.json
# A small panel (24 models, 15 prompts, 3 developers, some scores missing) and
# a steered model's anchors are made here with a seed of their own.
suppressPackageStartupMessages({library(lme4); library(lmerTest); library(jsonlite)})
set.seed(20262)
tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 0.02, rhoend = 1e-10, maxfun = 200000))
nm <- 24; np <- 15
days <- sort(sample(900, nm)); models <- data.frame(model = sprintf("m%02d", seq_len(nm)), developer = sample(c("A", "B", "C"), nm, TRUE), year = round(2023 + days / 365.25, 4), u = rnorm(nm, 0, .8))
v <- rnorm(np, 0, .6)
d <- expand.grid(model = models$model, prompt = sprintf("q%02d", seq_len(np)), stringsAsFactors = FALSE)
i <- match(d$model, models$model); j <- match(d$prompt, unique(d$prompt))
d$developer <- models$developer[i]; d$year <- models$year[i]
d$score <- round(3 + 0.8 * (d$year - 2023) + models$u[i] + v[j] + rnorm(nrow(d), 0, .9), 1)
d <- d[-sample(nrow(d), 30), ]; d <- d[order(d$model, d$prompt), ]
a <- expand.grid(prompt = unique(d$prompt)[order(unique(d$prompt))], lambda = c(-1, -.5, 0, .5, 1), stringsAsFactors = FALSE)
a$score <- round(4.6 + 1.9 * a$lambda + v[match(a$prompt, unique(d$prompt))] + rnorm(nrow(a), 0, .8), 1)
d$years <- d$year - min(d$year)
tab <- function(m) { s <- coef(summary(m)); data.frame(term = rownames(s), estimate = s[, 1], se = s[, 2], df = s[, "df"], statistic = s[, "t value"], p = s[, "Pr(>|t|)"], row.names = NULL) }
fit <- function(f) { m <- lmerTest::lmer(f, d, control = tight); ci <- confint(lme4::lmer(f, d, control = tight), parm = "beta_", method = "profile", quiet = TRUE, devtol = 1e-6)
  list(coef = tab(m), crit = REMLcrit(m), varcomp = as.data.frame(VarCorr(m))$vcov, profile = unname(ci)) }
out <- list(data = d[, c("model", "developer", "year", "prompt", "score")], anchors = a)
out$mixed <- fit(score ~ years + (1 | model) + (1 | prompt)); out$developer <- fit(score ~ years + developer + (1 | model) + (1 | prompt))
ls <- function(f) { s <- coef(summary(lm(f, d))); data.frame(term = rownames(s), estimate = s[, 1], se = s[, 2], row.names = NULL) }
out$ols <- ls(score ~ years); out$ols_developer <- ls(score ~ years + developer)
out$points <- do.call(rbind, lapply(split(d, d$model), function(x) { t <- t.test(x$score); data.frame(model = x$model[1], mean = mean(x$score), lower = t$conf.int[1], upper = t$conf.int[2], n = nrow(x)) }))
rownames(out$points) <- NULL
mx <- lmerTest::lmer(score ~ years + (1 | model) + (1 | prompt), d, control = tight); x <- range(d$years)
out$line <- do.call(rbind, lapply(x, function(z) { k <- contest(mx, c(1, z), joint = FALSE); data.frame(years = z, mean = k$Estimate, se = k[["Std. Error"]], lower = k$lower, upper = k$upper) }))
sm <- tapply(a$score, a$lambda, mean); mm <- aggregate(score ~ model + year, d, mean); w <- mm[mm$year >= 2023.85, ]
inv <- function(s) approx(sm, as.numeric(names(sm)), xout = s, ties = "ordered")$y
l <- lm(score ~ lambda, a)
out$equivalent <- list(n = nrow(w), median = median(w$score), mean = mean(w$score), point = inv(median(w$score)), point_mean = inv(mean(w$score)), line = unname((median(w$score) - coef(l)[1]) / coef(l)[2]), models = inv(mm$score), anchors = unname(sm))
set.seed(7); B <- 40000
Y <- with(d[d$model %in% w$model, ], tapply(score, list(model, prompt), sum)); N <- ifelse(is.na(Y), 0, 1); Y[is.na(Y)] <- 0; S <- with(a, tapply(score, list(lambda, prompt), mean)); z <- as.numeric(rownames(S))
q <- function(x) unname(quantile(x, c(.025, .975), na.rm = TRUE))
# Beyond the anchors a draw counts as such, where na.rm would cut the interval short.
ap <- function(s, m) if (s < m[1]) -Inf else if (s > m[length(m)]) Inf else if (is.unsorted(m)) NA else approx(m, z, xout = s, ties = "ordered")$y
one <- function(models, prompts, anchors) { i <- sample(nrow(Y), replace = TRUE); j <- sample(ncol(Y), replace = TRUE); jp <- if (prompts) j else seq_len(ncol(Y)); ja <- if (anchors) j else seq_len(ncol(S))
  ap(median((rowSums(Y[, jp]) / rowSums(N[, jp]))[i]), rowMeans(S[, ja])) }
out$bootstrap <- list("models" = q(replicate(B, one(TRUE, FALSE, FALSE))), "models, prompts" = q(replicate(B, one(TRUE, TRUE, FALSE))), "models, anchors" = q(replicate(B, one(TRUE, FALSE, TRUE))), "models, prompts, anchors" = q(replicate(B, one(TRUE, TRUE, TRUE))))
write_json(out, commandArgs(TRUE)[1], digits = NA, auto_unbox = TRUE, na = "null")
