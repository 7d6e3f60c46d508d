# References for plugins/model: made-up data, and what R makes of them.
# Rscript model.R OUT.json
suppressPackageStartupMessages({
  library(lme4); library(lmerTest); library(emmeans); library(sandwich); library(jsonlite); library(pbkrtest)
})
out <- commandArgs(TRUE)[1]
emm_options(lmerTest.limit = 1e5, pbkrtest.limit = 1e5)
set.seed(20251)
n <- 36; k <- 4
d <- expand.grid(time = 0:(k - 1), id = sprintf("p%02d", 1:n))
person <- data.frame(id = sprintf("p%02d", 1:n), arm = rep(c("a", "b", "c"), n / 3), sex = sample(c("f", "m"), n, TRUE, c(0.6, 0.4)),
                     b0 = rnorm(n, 0, 1.1), b1 = rnorm(n, 0, 0.4), x = round(rnorm(n), 3))
d <- merge(d, person, by = "id", sort = FALSE)
d <- d[order(d$id, d$time), ]
eta <- 2 + 0.5 * (d$arm == "b") - 0.4 * (d$arm == "c") + 0.3 * d$time + 0.25 * (d$arm == "b") * d$time + 0.4 * d$x + 0.3 * (d$sex == "m")
d$y <- round(eta + d$b0 + d$b1 * d$time + rnorm(nrow(d), 0, 0.8), 4)
d$event <- rbinom(nrow(d), 1, plogis(-1 + 0.8 * (d$arm == "b") + 0.5 * d$x + 0.6 * d$b0))
d$exposure <- round(runif(nrow(d), 0.5, 3), 3)
d$count <- rpois(nrow(d), d$exposure * exp(0.2 + 0.3 * (d$arm == "c") - 0.2 * d$x))
d$w <- round(runif(nrow(d), 0.4, 2), 3)
d$x[c(9, 10)] <- NA
d$y[c(3, 50, 51)] <- NA
d <- d[, c("id", "arm", "sex", "time", "x", "y", "event", "count", "exposure", "w")]
rownames(d) <- NULL
f <- within(d, { arm <- factor(arm); sex <- factor(sex) })

tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-11, maxfun = 1e5), calc.derivs = FALSE)
coefs <- function(est, se, df = NULL, p = NULL) {
  r <- data.frame(term = names(est), estimate = unname(est), se = unname(se))
  if (!is.null(df)) r$df <- unname(df)
  if (!is.null(p)) r$p_value <- unname(p)
  r
}
frame <- function(e, names) { e <- as.data.frame(e); attr(e, "misc") <- NULL; r <- e[, names(names)]; colnames(r) <- unname(names)
  for (j in seq_along(r)) if (is.factor(r[[j]])) r[[j]] <- as.character(r[[j]]); rownames(r) <- NULL; r }
est <- c(estimate = "estimate", SE = "se", df = "df", lower.CL = "ci_lower", upper.CL = "ci_upper")

ls <- lm(y ~ arm * x + sex, f, weights = w)
lssum <- lm(y ~ arm * x + sex, f, weights = w, contrasts = list(arm = "contr.sum", sex = "contr.sum"))
drop <- function(m, test) { r <- drop1(m, . ~ ., test = test); r <- r[-1, ]; r }
t3 <- drop(lssum, "F")
g <- glm(event ~ arm + x, binomial, f)
lr <- drop(g, "Chisq")
gp <- glm(count ~ relevel(arm, "b") + x + offset(log(exposure)), poisson, f)
names(gp$coefficients) <- sub("relevel\\(arm, \"b\"\\)", "arm", names(gp$coefficients))
ps <- sqrt(diag(vcov(gp)))
mm <- lmer(y ~ arm * time + x + (1 + time | id), f, control = tight)
ml <- update(mm, REML = FALSE)
ci <- suppressWarnings(suppressMessages(confint(lmer(y ~ time + x + (1 | id), f, REML = FALSE, control = tight), quiet = TRUE, oldNames = FALSE)))
ml0 <- update(ml, . ~ . - arm:time)
sm <- summary(mm, ddf = "Satterthwaite")$coefficients
kr <- summary(mm, ddf = "Kenward-Roger")$coefficients
sat3 <- anova(mm, type = 3, ddf = "Satterthwaite")
re <- as.data.frame(ranef(mm, condVar = TRUE))
vc <- as.data.frame(VarCorr(mm))
vf <- var(as.vector(model.matrix(mm) %*% fixef(mm)))
Z <- cbind(1, model.frame(mm)$time); S <- matrix(unlist(VarCorr(mm)$id), 2)
vr <- mean(rowSums((Z %*% S) * Z))
gm <- glmer(event ~ x + (1 | id), f, binomial, nAGQ = 1, control = glmerControl(optimizer = "bobyqa", tolPwrss = 1e-13, optCtrl = list(rhoend = 1e-9, maxfun = 1e5)))
e1 <- emmeans(mm, ~ arm | time, at = list(time = c(0, 3)), lmer.df = "kenward-roger", data = f)
con <- c(contrast = "contrast", time = "time", estimate = "estimate", SE = "se", df = "df", lower.CL = "ci_lower", upper.CL = "ci_upper", p.value = "p")
# Without prior weights: emmeans 1.8 forgets them in cell counts where a formula has no functions.
e2 <- emmeans(lm(y ~ arm * x + sex, f), ~ arm, weights = "proportional")
e3 <- emmeans(g, ~ arm, type = "response")
e4 <- emmeans(g, ~ arm, regrid = "response")
cons <- function(e, ...) frame(summary(e, infer = TRUE, ...), con[setdiff(names(con), "time")])
rat <- function(e) { r <- as.data.frame(summary(e, infer = TRUE)); data.frame(contrast = as.character(r$contrast), estimate = r$odds.ratio, se = r$SE, ci_lower = r$asymp.LCL, ci_upper = r$asymp.UCL, p = r$p.value) }
trend <- emtrends(mm, ~ arm, var = "time", lmer.df = "satterthwaite")
tr <- as.data.frame(summary(trend))
nw <- data.frame(arm = c("b", "c"), x = c(0.5, -1), sex = c("m", "f"))
pr <- predict(ls, nw, se.fit = TRUE, interval = "confidence")
pg <- predict(g, nw, se.fit = TRUE, type = "response")
both <- function(a, b) { r <- anova(a, b); list(aic = r$AIC, bic = r$BIC, chisq = r$Chisq[2], df = r$Df[2], p = r$`Pr(>Chisq)`[2]) }

write_json(list(
  data = d,
  ls = list(coefficients = coefs(coef(ls), summary(ls)$coefficients[, 2], p = summary(ls)$coefficients[, 4]), sigma = sigma(ls), r2 = summary(ls)$r.squared, adj = summary(ls)$adj.r.squared,
            aic = AIC(ls), bic = BIC(ls), loglik = as.numeric(logLik(ls)), hc3 = unname(sqrt(diag(vcovHC(ls, "HC3")))), cr1s = unname(sqrt(diag(vcovCL(ls, ~id, type = "HC1")))), hat = unname(hatvalues(ls))[1:5], fitted = unname(fitted(ls))[1:5]),
  type3 = data.frame(term = rownames(t3), statistic = t3$`F value`, p_value = t3$`Pr(>F)`),
  logit = list(coefficients = coefs(coef(g), summary(g)$coefficients[, 2]), deviance = deviance(g), null = g$null.deviance, hc0 = unname(sqrt(diag(vcovHC(g, "HC0")))), limits = unname(suppressMessages(confint(g)))),
  lr = data.frame(term = rownames(lr), statistic = lr$LRT, p_value = lr$`Pr(>Chi)`),
  rate = list(coefficients = coefs(coef(gp), ps), aic = AIC(gp)),
  mixed = list(satterthwaite = coefs(sm[, 1], sm[, 2], sm[, 3], sm[, 5]), kr = coefs(kr[, 1], kr[, 2], kr[, 3], kr[, 5]), criterion = REMLcrit(mm), aic = AIC(mm), bic = BIC(mm), sigma = sigma(mm), r2m = vf / (vf + vr + sigma(mm)^2), r2c = (vf + vr) / (vf + vr + sigma(mm)^2),
               anova = data.frame(term = rownames(sat3), statistic = sat3$`F value`, ndf = sat3$NumDF, ddf = sat3$DenDF, p_value = sat3$`Pr(>F)`),
               components = data.frame(factor = vc$grp, term = ifelse(is.na(vc$var1), "", vc$var1), with = ifelse(is.na(vc$var2), "", vc$var2), covariance = vc$vcov, sd_cor = vc$sdcor),
               effects = data.frame(level = as.character(re$grp), term = as.character(re$term), estimate = re$condval, sd = re$condsd), fitted = unname(fitted(mm))[1:5]),
  glmer = list(coefficients = coefs(fixef(gm), sqrt(diag(as.matrix(vcov(gm))))), loglik = as.numeric(logLik(gm)), sd = as.data.frame(VarCorr(gm))$sdcor),
  means = list(kr = frame(summary(e1), c(arm = "arm", time = "time", emmean = "estimate", SE = "se", df = "df", lower.CL = "ci_lower", upper.CL = "ci_upper")),
               tukey = frame(summary(pairs(e1), infer = TRUE), con),
               holm = frame(summary(contrast(e1, "consec"), adjust = "holm", infer = TRUE), con),
               proportional = frame(summary(e2), c(arm = "arm", emmean = "estimate", SE = "se", df = "df")),
               named = cons(contrast(e2, list(`bc - a` = c(-1, 0.5, 0.5), `c - b` = c(0, -1, 1)), adjust = "none")),
               response = with(as.data.frame(summary(e3)), data.frame(arm = as.character(arm), estimate = prob, se = SE, ci_lower = asymp.LCL, ci_upper = asymp.UCL)),
               ratio = rat(contrast(e3, "trt.vs.ctrl", ref = 1, adjust = "holm")),
               difference = { r <- as.data.frame(summary(contrast(e4, "revpairwise", adjust = "none"), infer = TRUE)); data.frame(contrast = as.character(r$contrast), estimate = r$estimate, se = r$SE, p = r$p.value) },
               slopes = data.frame(arm = as.character(tr$arm), estimate = tr$time.trend, se = tr$SE, df = tr$df)),
  profile = list(sd = unname(ci[1:2, ]), coef = unname(ci[3:5, ])),
  compare = both(ml0, ml), predict = list(ls = list(fit = unname(pr$fit[, 1]), se = unname(pr$se.fit), lower = unname(pr$fit[, 2]), upper = unname(pr$fit[, 3])), logit = list(fit = unname(pg$fit), se = unname(pg$se.fit)))
), out, digits = 17, auto_unbox = TRUE, na = "null", dataframe = "rows")
