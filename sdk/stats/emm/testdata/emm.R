# Marginal means, contrasts and slopes by R's emmeans over least squares.
out <- commandArgs(TRUE)[1]
suppressPackageStartupMessages({library(jsonlite); library(emmeans)})
emm_options(msg.interaction = FALSE, msg.nesting = FALSE)
set.seed(11)
n <- 60
d <- data.frame(x = sample(c(-1, -0.5, 0, 0.5, 1), n, TRUE), z = round(runif(n, 1, 5), 3), f = sample(c("a", "b", "c"), n, TRUE, c(.5, .3, .2)), g = sample(c("u", "v"), n, TRUE, c(.3, .7)), k = sample(c(4, 6, 8), n, TRUE), b = rbinom(n, 1, .4), w = round(runif(n, .5, 2), 3))
d$y <- round(1 + 2 * d$x - d$x^2 + .4 * d$z + (d$f == "b") - .5 * (d$g == "v") * d$x + rnorm(n), 4)
d$f2 <- ifelse(d$f == "c" & d$g == "v", "b", d$f)   # an empty cell
df <- d
for (v in c("f", "g", "f2")) df[[v]] <- factor(d[[v]])
r <- function(e, adjust = "none", level = .95, type = "link") {
  s <- as.data.frame(summary(e, infer = c(TRUE, TRUE), adjust = adjust, level = level))
  names(s) <- sub("asymp.LCL", "lower.CL", sub("asymp.UCL", "upper.CL", names(s)))
  i <- match("SE", names(s)) - 1
  list(estimate = s[[i]], se = s$SE, df = s$df, lower = s$lower.CL, upper = s$upper.CL, t = s[[match("p.value", names(s)) - 1]], p = s$p.value)
}
L <- list()
m <- lm(y ~ x + I(x^2) + z + f * g, df)
at <- list(x = c(-1, -.5, .5, 1))
L$mean_f <- r(emmeans(m, ~ f)); L$mean_fg <- r(emmeans(m, ~ f | g)); L$mean_f_prop <- r(emmeans(m, ~ f, weights = "proportional")); L$mean_f_cells <- r(emmeans(m, ~ f, weights = "cells")); L$mean_f_outer <- r(emmeans(m, ~ f, weights = "outer"))
e <- emmeans(m, ~ x, at = at)
L$mean_x <- r(e); L$primary <- r(contrast(e, list(c = c(-.5, -.5, .5, .5)))); L$overall <- r(emmeans(m, ~ 1))
for (a in c("none", "tukey", "holm", "bonferroni", "BH", "sidak")) L[[paste0("pairs_", a)]] <- r(pairs(emmeans(m, ~ f)), a)
L$pairs_by <- r(pairs(emmeans(m, ~ f | g)), "tukey", .9)
L$ctrl <- r(contrast(emmeans(m, ~ f), "trt.vs.ctrl", ref = 2)); L$eff <- r(contrast(emmeans(m, ~ f), "eff")); L$poly <- r(contrast(e, "poly")); L$consec <- r(contrast(e, "consec")); L$rev <- r(contrast(emmeans(m, ~ f), "revpairwise"))
L$interaction <- r(contrast(emmeans(m, ~ f * g), interaction = c("pairwise", "revpairwise")))
s <- contrast(emmeans(m, ~ f | g), list(h = c(-1, .5, .5)), by = "g"); L$of_contrasts <- r(contrast(s, "revpairwise", by = NULL))
L$joint <- { t <- as.data.frame(test(pairs(emmeans(m, ~ f | g)), joint = TRUE)); list(F = t$F.ratio, p = t$p.value, df1 = t$df1, df2 = t$df2) }
mw <- lm(y ~ x * g + poly(z, 2) + factor(k) + b, df, weights = w)
L$w_k <- r(emmeans(mw, ~ k)); L$w_b <- r(emmeans(mw, ~ b)); L$w_g_prop <- r(emmeans(mw, ~ g, weights = "proportional")); L$w_at <- r(emmeans(mw, ~ g | x, at = list(x = c(-1, 1), z = 2)))
L$trend <- r(emtrends(mw, ~ g, var = "x")); L$trend_pairs <- r(pairs(emtrends(mw, ~ g, var = "x"))); L$trend_z <- r(emtrends(mw, ~ z, var = "z", at = list(z = c(2, 4))))
ex <- diag(0, length(coef(mw))); V <- vcov(mw); h <- 1e-4; gz <- function(z) (predict(mw, data.frame(x = mean(d$x), g = "u", z = z + h, k = 4, b = 0)) - predict(mw, data.frame(x = mean(d$x), g = "u", z = z - h, k = 4, b = 0))) / (2 * h)
L$exact_z <- list(estimate = unname(c(gz(2), gz(4))))
mc <- lm(y ~ f * g + z, df, contrasts = list(f = "contr.sum", g = "contr.sum")); L$sum_f <- r(emmeans(mc, ~ f)); 
mn <- lm(y ~ f2 * g + z, df); nn <- as.data.frame(emmeans(mn, ~ f2 * g)); L$nonest <- list(estimate = nn$emmean)
gl <- glm(I(y > 1.5) ~ x + f + z, binomial, df); eg <- emmeans(gl, ~ f)
L$logit <- list(beta = unname(coef(gl)), vcov = unname(vcov(gl))); L$prob <- r(emmeans(gl, ~ f, type = "response")); L$odds <- r(pairs(emmeans(gl, ~ f, type = "response"))); L$risk <- r(pairs(regrid(eg)))
mo <- lm(y ~ f + offset(z), df); L$offset_f <- r(emmeans(mo, ~ f))
ml <- lm(log(y + 10) ~ f * log(z), df); L$logz <- r(emmeans(ml, ~ f, at = list(z = 3))); 
write_json(list(data = d, results = L), out, digits = NA, na = "null", auto_unbox = TRUE)
