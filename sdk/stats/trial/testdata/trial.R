# A small trial and its analysis by lme4, pbkrtest and emmeans: data and
# reference results for trial_test.go. Rscript trial.R OUTPUT
suppressPackageStartupMessages({library(lme4); library(emmeans); library(jsonlite)})
emm_options(lmer.df = "kenward-roger", pbkrtest.limit = 1e6)
out <- commandArgs(TRUE)[1]
set.seed(20250)
n <- 60
lam <- rep(c(-1, -0.5, 0, 0.5, 1), length.out = n)
P <- data.frame(id = sprintf("p%02d", 1:n), lambda = lam, arm = rep(c("a", "b"), each = 5, length.out = n),
  mode = rep(c("off", "on"), each = 10, length.out = n), age = round(rnorm(n, 40, 10)), w = round(runif(n, 0.5, 2), 2))
u <- rnorm(n, 0, 8); s <- rnorm(n, 0, 1.5)
D <- do.call(rbind, lapply(1:4, function(t) data.frame(P, week = t,
  liking = 50 + 4 * P$lambda - 6 * P$lambda^2 + 2 * (P$arm == "b") + t * (1 + P$lambda) + u + s * t + rnorm(n, 0, 4))))
D$first <- 40 + 3 * D$lambda + 0.8 * u[match(D$id, P$id)] + rnorm(nrow(D), 0, 5)
D$second <- D$first + 5 + rnorm(nrow(D), 0, 5)
D$liking[c(7, 90, 200)] <- NA
D <- D[!(D$id == "p03" & D$week > 2), ]
P$before <- 30 + rnorm(n, 0, 5); P$after <- P$before + 3 * P$lambda + rnorm(n, 0, 4)
P$left <- rbinom(n, 1, plogis(-0.3 + 0.9 * P$lambda))
Q <- P; for (v in c("first", "second")) Q[[v]] <- round(40 + 5 * P$lambda + rnorm(n, 0, 6), 3)
Q$second <- Q$second + 0.5 * (Q$first - 40)
tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e6), calc.derivs = FALSE)
prep <- function(d) { d$arm <- factor(d$arm); d$mode <- factor(d$mode)
  d$RS <- factor(ifelse(d$lambda < 0, "neg_lambda", ifelse(d$lambda > 0, "pos_lambda", "zero_lambda")), levels = c("neg_lambda", "zero_lambda", "pos_lambda")); d }
stack <- function(d) do.call(rbind, lapply(c("first", "second"), function(i) { d$item <- i; d$y <- d[[i]]; d }))
rhs <- c(linear = "lambda", quadratic = "lambda + I(lambda^2)", cubic = "lambda + I(lambda^2) + I(lambda^3)")
row <- function(e) { e <- as.data.frame(summary(e, infer = c(TRUE, TRUE), adjust = "none")); names(e) <- sub("asymp.LCL", "lower.CL", sub("asymp.UCL", "upper.CL", names(e)))
  list(estimate = e$estimate, se = e$SE, lower = e$lower.CL, upper = e$upper.CL, p = e$p.value) }
analyse <- function(y, d, rep, items, base = NULL, random = "", binary = FALSE, covariates = NULL) {
  L <- "lambda"; f <- function(P, L, inter = TRUE, extra = NULL) {
    t <- c(P, "arm", "mode", if (rep) "week", base, extra, if (inter) c(paste0(L, ":arm"), paste0(L, ":mode"), if (rep) c(paste0(L, ":week"), "arm:week", "mode:week")),
      if (items) c("item", if (rep) c(paste0("item:", L), "item:arm", "item:mode", "item:week")), random)
    as.formula(paste(y, "~", paste(t[t != ""], collapse = " + "))) }
  fit <- function(fo, reml = TRUE) if (random != "") lmer(fo, d, REML = reml, control = tight) else if (binary) glm(fo, binomial, d) else lm(fo, d)
  aic <- sapply(rhs, function(p) AIC(fit(f(p, L), FALSE))); best <- names(which.min(aic)); F <- fit(f(rhs[[best]], L)); A <- fit(f(rhs[[best]], L, FALSE)); C <- fit(f("RS", "RS"))
  g <- function(m, spec, at = list(), by = NULL) emmeans(m, spec, at = at, by = by, data = d)
  r <- list(aic = as.list(aic), best = best, nobs = nobs(F))
  rs <- function(m, at = list()) contrast(g(m, ~lambda, c(list(lambda = c(-1, -.5, .5, 1)), at)), list(x = c(-.5, -.5, .5, .5)))
  r$main <- list(primary = row(rs(F)), narrow = row(contrast(g(F, ~lambda, list(lambda = c(-.5, .5))), "revpairwise")), full = row(contrast(g(F, ~lambda, list(lambda = c(-1, 1))), "revpairwise")),
    coarsened = row(contrast(g(C, ~RS), list(x = c(-1, 0, 1)))))
  r$arm <- list(primary = row(contrast(g(F, ~arm), "revpairwise")), coarsened = row(contrast(g(C, ~arm), "revpairwise")))
  mod <- contrast(contrast(g(F, ~lambda | arm, list(lambda = c(-1, -.5, .5, 1))), list(x = c(-.5, -.5, .5, .5)), by = "arm"), "revpairwise", by = NULL)
  r$moderation <- list(primary = row(mod)); cf <- coef(summary(A))
  if (rep) { r$time <- list(primary = row(contrast(g(F, ~week, list(week = c(1, 4))), "revpairwise")))
    by <- contrast(g(F, ~lambda | week, list(lambda = c(-1, -.5, .5, 1), week = c(1, 4))), list(x = c(-.5, -.5, .5, .5)), by = "week")
    r$interaction <- list(primary = row(contrast(by, "revpairwise", by = NULL)))
    r$slope_pos_b <- list(primary = row(contrast(emtrends(F, ~lambda, var = "week", at = list(lambda = c(.5, 1), arm = "b"), data = d), list(x = c(.5, .5)))))
    r$coefficient <- list(primary = list(estimate = unname(coef(summary(F))["lambda:week", 1]), se = unname(coef(summary(F))["lambda:week", 2]))) }
  r$linear <- list(primary = list(estimate = unname(cf["lambda", 1]), se = unname(cf["lambda", 2])))
  if (!is.null(covariates)) { R <- fit(f(rhs[[best]], L, TRUE, covariates)); r$main$adjusted <- row(rs(R)) }
  r }
D <- prep(D); P <- prep(P); Q <- prep(Q)
ref <- list(
  liking = analyse("liking", D[!is.na(D$liking), ], TRUE, FALSE, random = "(1 + week | id)", covariates = "age"),
  construct = analyse("y", stack(D), TRUE, TRUE, random = "(1 + week | id)"),
  after = analyse("after", P, FALSE, FALSE, base = "before", covariates = "age"),
  left = analyse("left", P, FALSE, FALSE, binary = TRUE),
  pair = analyse("y", stack(Q), FALSE, TRUE, random = "(1 | id)"))
drop <- function(d) d[, setdiff(names(d), "RS")]
write_json(list(weekly = drop(D), once = drop(P), single = drop(Q), results = ref), out, digits = NA, auto_unbox = TRUE, na = "null")
