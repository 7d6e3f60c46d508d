# References of plugins/validate: Rscript validate.R OUT.json
# All data are made here with a seed of their own.
suppressPackageStartupMessages({library(lme4); library(lmerTest); library(emmeans); library(sandwich); library(lmtest); library(jsonlite)})
emm_options(lmerTest.limit = 1e6, pbkrtest.limit = 0, lmer.df = "satterthwaite", msg.interaction = FALSE)
set.seed(20263)
tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 0.02, rhoend = 1e-10, maxfun = 200000))
glmc <- glm.control(epsilon = 1e-14, maxit = 100)
out <- list()
# Steering against prompting: two arms lack some prompts.
s <- expand.grid(prompt = sprintf("q%02d", 1:18), lambda = c(-1, -.5, 0, .5, 1), arm = c("prompted", "steered", "mixed"), stringsAsFactors = FALSE)
v <- rnorm(18, 0, .7); b <- c(prompted = .9, steered = 2.1, mixed = 1.5); cc <- c(prompted = -.6, steered = .2, mixed = 0)
s$score <- round(5 + b[s$arm] * s$lambda + cc[s$arm] * s$lambda^2 + v[as.integer(substr(s$prompt, 2, 3))] + rnorm(nrow(s), 0, .8), 2)
s <- s[-sample(nrow(s), 12), ]; s$score[c(5, 77)] <- NA
fit <- function(form) { d <- s; d$arm <- relevel(factor(d$arm), ref = "steered"); m <- lmerTest::lmer(as.formula(paste("score ~", form, "* arm + (1 | prompt)")), d, control = tight)
  t <- coef(summary(m)); n <- names(fixef(m)); arms <- levels(d$arm); d <- d[!is.na(d$score), ]
  L <- function(a, x) { l <- setNames(numeric(length(n)), n); pw <- c("lambda", "I(lambda^2)")[seq_len(if (grepl("2", form)) 2 else 1)]
    for (i in seq_along(pw)) { w <- if (i == 1) 1 else 2 * x; l[pw[i]] <- w; k <- paste0(pw[i], ":arm", a); if (k %in% n) l[k] <- w }; l }
  one <- function(l) { k <- contest(m, l, joint = FALSE); c(k$Estimate, k[["Std. Error"]], k$df, k$lower, k$upper, k[["Pr(>|t|)"]]) }
  e <- as.data.frame(summary(emmeans(m, ~arm, at = list(lambda = .5), data = d), infer = TRUE))
  list(coef = data.frame(term = n, estimate = t[, 1], se = t[, 2], df = t[, 3], p = t[, 5], row.names = NULL), crit = REMLcrit(m), mean_lambda = mean(d$lambda),
    slopes = lapply(setNames(c(mean(d$lambda), .5), c("mean", "half")), function(x) lapply(setNames(arms, arms), function(a) one(L(a, x)))),
    contrasts = lapply(setNames(arms[-1], arms[-1]), function(a) one(L(a, .5) - L("steered", .5))), pair = one(L("mixed", .5) - L("prompted", .5)),
    means = lapply(setNames(seq_along(arms), e$arm), function(i) as.numeric(e[i, c("emmean", "SE", "df", "lower.CL", "upper.CL")]))) }
out$steering <- list(data = s, quadratic = fit("(lambda + I(lambda^2))"), linear = fit("lambda"))
# Persona attacks, some items missing.
a <- expand.grid(item = sprintf("t%02d", 1:25), system = c("none", "prompt", "steer"), stringsAsFactors = FALSE); u <- rnorm(25, 0, .6)
a$before <- round(rnorm(nrow(a), 6, 1), 1); a$after <- round(a$before + c(none = -2.5, prompt = -2, steer = -.3)[a$system] + u[as.integer(substr(a$item, 2, 3))] + rnorm(nrow(a), 0, .9), 1)
a <- a[-c(3, 30, 55, 56), ]; a$shift <- a$after - a$before
tt <- function(x) { t <- t.test(x); list(mean = unname(t$estimate), sd = sd(x), se = t$stderr, df = unname(t$parameter), t = unname(t$statistic), p = t$p.value, ci = as.numeric(t$conf.int), n = length(x)) }
w <- reshape(a[, c("item", "system", "shift")], direction = "wide", idvar = "item", timevar = "system")
m <- lmerTest::lmer(shift ~ system + (1 | item), a, control = tight); k <- as.data.frame(summary(contrast(emmeans(m, ~system), "trt.vs.ctrl", ref = "none"), infer = TRUE, adjust = "none"))
out$attack <- list(data = a, shifts = lapply(split(a$shift, a$system), tt), paired = list("prompt - none" = tt(na.omit(w$shift.prompt - w$shift.none)), "steer - none" = tt(na.omit(w$shift.steer - w$shift.none))),
  mixed = k[, c("contrast", "estimate", "SE", "df", "lower.CL", "upper.CL", "p.value")], holm = p.adjust(sapply(split(a$shift, a$system), function(x) t.test(x)$p.value), "holm"), crit = REMLcrit(m))
# Benchmarks.
l <- c(-1.5, -1, -.5, 0, .5, 1, 1.5); bm <- function(name, n, b0, b1, b2 = 0) data.frame(task = name, lambda = l, n = n, correct = rbinom(7, n, plogis(b0 + b1 * l + b2 * l^2)))
B <- rbind(bm("logic", 300, .4, -.15), bm("facts", 500, 1.2, .02), bm("flattery", 400, .5, .7, -.1)); z <- qnorm(.975)
B$rate <- B$correct / B$n
out$benchmarks <- list(data = B, tasks = lapply(split(B, B$task), function(d) { r <- d[d$lambda == 0, ]; wl <- function(x, n) as.numeric(prop.test(x, n, correct = FALSE)$conf.int); w0 <- wl(r$correct, r$n)
  ct <- prop.trend.test(d$correct, d$n, d$lambda); co <- function(m) { s <- coef(summary(m)); list(estimate = s[, 1], se = s[, 2], p = s[, 4]) }
  d$flattery <- B$rate[B$task == "flattery"]; d$high <- as.numeric(d$lambda >= 1); g <- function(f, fam = binomial) suppressWarnings(glm(f, fam, d, control = glmc)) # of flattery on itself the answer is not used
  list(rates = lapply(which(d$lambda != 0), function(i) { x <- d[i, ]; t <- prop.test(c(x$correct, r$correct), c(x$n, r$n)); w1 <- wl(x$correct, x$n); p1 <- x$rate; p0 <- r$rate
      list(lambda = x$lambda, wilson = w1, difference = p1 - p0, newcombe = c(p1 - p0 - sqrt((p1 - w1[1])^2 + (w0[2] - p0)^2), p1 - p0 + sqrt((w1[2] - p1)^2 + (p0 - w0[1])^2)), statistic = unname(t$statistic), p = t$p.value) }),
    trend = c(unname(ct$statistic), ct$p.value), logistic = co(g(cbind(correct, n - correct) ~ lambda)), quasi = co(g(cbind(correct, n - correct) ~ lambda, quasibinomial)),
    lambda_adjusted = co(g(cbind(correct, n - correct) ~ lambda + flattery)), high = co(g(cbind(correct, n - correct) ~ high)), high_adjusted = co(g(cbind(correct, n - correct) ~ high + flattery))) }))
# Pairwise judgements: all pairs of five lambdas on 30 items, b shown second.
J <- do.call(rbind, lapply(1:30, function(i) { p <- t(combn(c(-1, -.5, 0, .5, 1), 2)); f <- runif(10) < .5; data.frame(item = sprintf("i%02d", i), a = ifelse(f, p[, 1], p[, 2]), b = ifelse(f, p[, 2], p[, 1])) }))
tu <- rnorm(30, 0, .8)[as.integer(substr(J$item, 2, 3))]; J$b_wins <- rbinom(nrow(J), 1, plogis(.2 + (1.4 + tu) * (J$b - J$a)))
J$d <- J$b - J$a; g <- glm(b_wins ~ d, binomial, J, control = glmc); lv <- sort(unique(c(J$a, J$b))); X <- sapply(lv[-1], function(z) (J$b == z) - (J$a == z)); colnames(X) <- lv[-1]
wr <- sapply(lv, function(z) mean(c(1 - J$b_wins[J$a == z], J$b_wins[J$b == z]))); o <- coef(summary(lm(wr ~ lv)))
bt <- glm(J$b_wins ~ X + 0, binomial, control = glmc); bo <- glm(J$b_wins ~ X, binomial, control = glmc); vc <- vcovCL(g, cluster = J$item, type = "HC0")
out$judgements <- list(data = J[, c("item", "a", "b", "b_wins")], win_rates = wr, ols = unname(o), r2 = summary(lm(wr ~ lv))$r.squared, logistic = unname(coef(summary(g))), clustered = sqrt(diag(unname(vc))),
  bt = unname(coef(summary(bt))), bt_loglik = as.numeric(logLik(bt)), bt_order = unname(coef(summary(bo))))
write_json(out, commandArgs(TRUE)[1], digits = NA, auto_unbox = TRUE, na = "null")
