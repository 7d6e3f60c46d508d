# Trials of other shapes than trial.R's, analysed by lme4, lmerTest, pbkrtest
# and emmeans: data and reference results for shapes_test.go.
# Rscript shapes.R OUTPUT
# Tolerance 2e-5: glmer's optimiser stops at a flat likelihood
suppressPackageStartupMessages({library(lme4); library(lmerTest); library(emmeans); library(jsonlite)})
emm_options(lmer.df = "kenward-roger", pbkrtest.limit = 1e6, lmerTest.limit = 1e6)
out <- commandArgs(TRUE)[1]
set.seed(77)
n <- 90
P <- data.frame(id = 1000 + 1:n, lambda = rep(c(-1, 0, 1), length.out = n), gain = rep(c(-1, -0.5, 0.5, 1), length.out = n),
  arm = rep(c("low", "mid", "top"), each = 3, length.out = n), w = round(runif(n, 0.5, 3), 2))
u <- rnorm(n, 0, 6); s <- rnorm(n, 0, 1.5)
D <- do.call(rbind, lapply(0:3, function(t) data.frame(P, week = t,
  y = round(40 + 3 * P$lambda - 4 * P$lambda^2 + 2 * (P$arm == "mid") + t * (1 + P$lambda - (P$arm == "top")) + u + s * t + rnorm(n, 0, 4), 4),
  z = round(20 + 2 * P$gain + 3 * P$gain^2 + t * P$gain + 0.7 * u + s * t + rnorm(n, 0, 3), 4),
  said = rbinom(n, 1, plogis(-0.4 + 0.8 * P$lambda + 0.3 * t + u / 6 + s * t / 3)))))
D$y[c(11, 95, 200)] <- NA
D$two <- ifelse(D$week %in% c(0, 3), round(D$y + rnorm(nrow(D), 0, 2), 4), NA)
D$p1 <- round(D$y + rnorm(nrow(D), 0, 3), 4); D$p2 <- round(D$y - 4 * (D$arm == "top") + rnorm(nrow(D), 0, 3), 4)
P$before <- round(50 + u + rnorm(n, 0, 5), 3); P$after <- round(P$before + 3 * P$lambda + rnorm(n, 0, 5), 3)
P$left <- rbinom(n, 1, plogis(-0.6 + 0.9 * P$lambda))
sign3 <- function(x) factor(ifelse(x < 0, "neg_lambda", ifelse(x > 0, "pos_lambda", "zero_lambda")), levels = intersect(c("neg_lambda", "zero_lambda", "pos_lambda"), ifelse(x < 0, "neg_lambda", ifelse(x > 0, "pos_lambda", "zero_lambda"))))
for (v in c("D", "P")) { d <- get(v); d$arm <- factor(d$arm); d$RS <- sign3(d$lambda); d$GS <- sign3(d$gain); assign(v, d) }
tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e6), calc.derivs = FALSE)
rows <- list()
keep <- function(outcome, test, spec, e, lambda = FALSE) {
  e <- as.data.frame(summary(e, infer = c(TRUE, TRUE), adjust = "none"))
  names(e) <- sub("asymp.LCL", "lower.CL", sub("asymp.UCL", "upper.CL", names(e)))
  stopifnot(nrow(e) == 1)
  rows[[length(rows) + 1]] <<- list(outcome = outcome, test = test, spec = spec, estimate = e[[if (is.null(e$estimate)) grep("trend", names(e)) else "estimate"]],
    se = e$SE, lower = e$lower.CL, upper = e$upper.CL, p = e$p.value)
}
coefs <- function(outcome, test, m, name) { k <- coef(summary(m))
  rows[[length(rows) + 1]] <<- list(outcome = outcome, test = test, spec = "primary", estimate = unname(k[name, 1]), se = unname(k[name, "Std. Error"])) }
pairOf <- function(e, a, b) contrast(e, list(x = (as.character(as.data.frame(e)[[1]]) == b) - (as.character(as.data.frame(e)[[1]]) == a)))
fitl <- function(f, d, ...) lme4::lmer(f, d, control = tight, ...)

# One factor of three levels, three lambdas (no cubic), times 0 to 3.
d <- D[!is.na(D$y), ]
aic <- c(linear = AIC(fitl(y ~ lambda + arm + week + lambda:arm + lambda:week + arm:week + (1 + week | id), d, REML = FALSE)),
  quadratic = AIC(fitl(y ~ lambda + I(lambda^2) + arm + week + lambda:arm + lambda:week + arm:week + (1 + week | id), d, REML = FALSE)))
q <- if (which.min(aic) == 2) "lambda + I(lambda^2)" else "lambda"
F <- fitl(as.formula(paste("y ~", q, "+ arm + week + lambda:arm + lambda:week + arm:week + (1 + week | id)")), d)
C <- fitl(y ~ RS + arm + week + RS:arm + RS:week + arm:week + (1 + week | id), d)
g <- function(m, spec, ...) emmeans(m, spec, data = d, ...)
title <- "RS: Avg(Pos) - Avg(Neg)"
keep("y", title, "primary", pairOf(g(F, ~lambda, at = list(lambda = c(-1, 1))), "-1", "1"))
keep("y", title, "narrow", pairOf(g(F, ~lambda, at = list(lambda = c(-.5, .5))), "-0.5", "0.5"))
keep("y", title, "coarsened", pairOf(g(C, ~RS), "neg_lambda", "pos_lambda"))
for (b in c("mid", "top")) {
  keep("y", paste0("arm: ", b, " - low"), "primary", pairOf(g(F, ~arm), "low", b))
  keep("y", paste0("arm: ", b, " - low"), "coarsened", pairOf(g(C, ~arm), "low", b))
  m <- contrast(g(F, ~lambda | arm, at = list(lambda = c(-1, 1))), list(x = c(-1, 1)), by = "arm")
  k <- c(low = -1, mid = 0, top = 0); k[b] <- 1
  keep("y", paste0("RS × arm: Interaction (", b, " - low)"), "primary", contrast(m, list(x = unname(k)), by = NULL))
  w <- contrast(g(F, ~arm | week, at = list(week = c(0, 3))), list(x = unname(k)), by = "week")
  keep("y", paste0("arm (", b, " - low) × Time: Δ (T3 - T0)"), "primary", contrast(w, list(x = c(-1, 1)), by = NULL))
  coefs("y", paste0("Coefficient: arm (", b, ") × Time"), F, paste0("arm", b, ":week"))
}
keep("y", "Slope: pos_λ × top", "primary", emtrends(F, ~1, var = "week", at = list(lambda = 1, arm = "top"), data = d))
keep("y", "Slope: pos_λ × top", "coarsened", emtrends(C, ~1, var = "week", at = list(RS = "pos_lambda", arm = "top"), data = d))
coefs("y", "Coefficient: Time", F, "week")

# The same as a construct of two items; emmeans averages items equally.
L <- do.call(rbind, lapply(c("p1", "p2"), function(i) { x <- d; x$item <- i; x$v <- x[[i]]; x })); L$item <- factor(L$item)
F <- fitl(as.formula(paste("v ~", q, "+ arm + week + lambda:arm + lambda:week + arm:week + item + item:lambda + item:arm + item:week + (1 + week | id)")), L)
g <- function(m, spec, ...) emmeans(m, spec, data = L, ...)
keep("pool", title, "primary", pairOf(g(F, ~lambda, at = list(lambda = c(-1, 1))), "-1", "1"))
keep("pool", "arm: top - low", "primary", pairOf(g(F, ~arm), "low", "top"))

# Several rows of a participant at one time: the same values without the item.
F <- fitl(as.formula(paste("v ~", q, "+ arm + week + lambda:arm + lambda:week + arm:week + (1 + week | id)")), L)
keep("both", title, "primary", pairOf(g(F, ~lambda, at = list(lambda = c(-1, 1))), "-1", "1"))
L0 <- L[L$week == 0, ]; F <- fitl(as.formula(paste("v ~", q, "+ arm + lambda:arm + (1 | id)")), L0)
g <- function(m, spec, ...) emmeans(m, spec, data = L0, ...)
keep("first", title, "primary", pairOf(g(F, ~lambda, at = list(lambda = c(-1, 1))), "-1", "1"))

# Two times: a random intercept, and time averaged as two conditions.
d <- D[!is.na(D$two), ]
F <- fitl(as.formula(paste("two ~", q, "+ arm + week + lambda:arm + lambda:week + arm:week + (1 | id)")), d)
C <- fitl(two ~ RS + arm + week + RS:arm + RS:week + arm:week + (1 | id), d)
g <- function(m, spec, ...) emmeans(m, spec, data = d, ...)
keep("two", title, "primary", pairOf(g(F, ~lambda, at = list(lambda = c(-1, 1))), "-1", "1"))
keep("two", title, "coarsened", pairOf(g(C, ~RS), "neg_lambda", "pos_lambda"))
keep("two", "arm: top - low", "primary", pairOf(g(F, ~arm), "low", "top"))
keep("two", "Time: T3 - T0", "primary", pairOf(g(F, ~week, at = list(week = c(0, 3))), "0", "3"))

# No factor, no zero and no middle: four lambdas, a sign of two levels; weights.
d <- D
F <- fitl(z ~ gain + I(gain^2) + week + gain:week + (1 + week | id), d)
C <- fitl(z ~ GS + week + GS:week + (1 + week | id), d)
g <- function(m, spec, ...) emmeans(m, spec, data = d, ...)
rs <- list(x = c(-.5, -.5, .5, .5)); l4 <- list(gain = c(-1, -.5, .5, 1))
keep("z", title, "primary", contrast(g(F, ~gain, at = l4), rs))
keep("z", title, "coarsened", pairOf(g(C, ~GS), "neg_lambda", "pos_lambda"))
keep("z", "Slope: neg_λ", "primary", contrast(emtrends(F, ~gain, var = "week", at = list(gain = c(-1, -.5)), data = d), list(x = c(.5, .5))))
W <- lmerTest::lmer(z ~ gain + I(gain^2) + week + gain:week + (1 + week | id), d, weights = w, control = tight)
keep("z", title, "weighted", contrast(emmeans(W, ~gain, at = l4, data = d, lmer.df = "satterthwaite"), rs))

# Repeated and binary.
B <- function(f) glmer(f, D, binomial, nAGQ = 1, control = glmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e6), tolPwrss = 1e-10))
F <- B(said ~ lambda + arm + week + lambda:arm + lambda:week + arm:week + (1 + week | id))
g <- function(m, spec, ...) emmeans(m, spec, data = D, ...)
keep("said", title, "primary", pairOf(g(F, ~lambda, at = list(lambda = c(-1, 1))), "-1", "1"))
keep("said", "arm: top - low", "primary", pairOf(g(F, ~arm), "low", "top"))
keep("said", "Slope: pos_λ", "primary", emtrends(F, ~1, var = "week", at = list(lambda = 1), data = D))
coefs("said", "Coefficient: RS × Time", F, "lambda:week")
curve <- as.data.frame(emmeans(F, ~lambda, at = list(lambda = c(-1, 0, 1)), type = "response", data = D))
means <- lapply(1:3, function(i) list(lambda = curve$lambda[i], mean = curve$prob[i], se = curve$SE[i], lower = curve$asymp.LCL[i], upper = curve$asymp.UCL[i]))

# Measured once: least squares with a baseline, and a logistic model with the
# exact limits of the profile likelihood (a root of the deviance, by offsets).
F <- lm(after ~ lambda + arm + before + lambda:arm, P)
g <- function(m, spec, ...) emmeans(m, spec, data = P, ...)
keep("after", title, "primary", pairOf(g(F, ~lambda, at = list(lambda = c(-1, 1))), "-1", "1"))
keep("after", "arm: mid - low", "primary", pairOf(g(F, ~arm), "low", "mid"))
F <- glm(left ~ lambda + arm + lambda:arm, binomial, P, epsilon = 1e-14); A <- glm(left ~ lambda + arm, binomial, P, epsilon = 1e-14)
keep("left", title, "primary", pairOf(g(F, ~lambda, at = list(lambda = c(-1, 1))), "-1", "1"))
b <- coef(A)["lambda"]; rise <- function(t) glm(left ~ arm, binomial, P, offset = t * lambda, epsilon = 1e-14)$deviance - A$deviance - qchisq(0.95, 1)
limit <- function(side) uniroot(rise, sort(c(b, b + side * 3)), tol = 1e-12)$root
rows[[length(rows) + 1]] <- list(outcome = "left", test = "Polynomial: λ (linear)", spec = "primary", estimate = unname(b), se = unname(sqrt(diag(vcov(A)))["lambda"]), lower = limit(-1), upper = limit(1))

# Three factors.
P$sex <- rep(c("f", "m"), each = 4, length.out = n); P$site <- rep(c("n", "s", "w"), each = 7, length.out = n)
F <- lm(after ~ lambda + arm + sex + site + before + lambda:arm + lambda:sex + lambda:site, transform(P, sex = factor(sex), site = factor(site)))
g <- function(m, spec, ...) emmeans(m, spec, data = transform(P, sex = factor(sex), site = factor(site)), ...)
keep("three", title, "primary", pairOf(g(F, ~lambda, at = list(lambda = c(-1, 1))), "-1", "1"))
keep("three", "site: w - n", "primary", pairOf(g(F, ~site), "n", "w"))
m <- contrast(g(F, ~lambda | sex, at = list(lambda = c(-1, 1))), list(x = c(-1, 1)), by = "sex")
keep("three", "RS × sex: Interaction", "primary", contrast(m, list(x = c(-1, 1)), by = NULL))

# Slopes that do not differ: a singular fit.
for (seed in 1:50) { set.seed(seed); D$same <- round(40 + 3 * D$lambda + D$week + u[match(D$id, P$id)] + rnorm(nrow(D), 0, 4), 4)
  F <- suppressMessages(fitl(same ~ lambda + arm + week + lambda:arm + lambda:week + arm:week + (1 + week | id), D)); if (isSingular(F)) break }
stopifnot(isSingular(F))
g <- function(m, spec, ...) emmeans(m, spec, data = D, ...)
keep("same", title, "primary", pairOf(g(F, ~lambda, at = list(lambda = c(-1, 1))), "-1", "1"))
keep("same", "arm: top - low", "primary", pairOf(g(F, ~arm), "low", "top"))
keep("same", "Time: T3 - T0", "primary", pairOf(g(F, ~week, at = list(week = c(0, 3))), "0", "3"))
drop <- function(d) d[, setdiff(names(d), c("RS", "GS"))]
write_json(list(weekly = drop(D), once = drop(P), form = names(aic)[which.min(aic)], rows = rows, means = means), out, digits = NA, auto_unbox = TRUE, na = "null")
