# The statistics' peers: Rscript stats.R CASE FILE, one CASE a run. Prints lines
# as Go's benchmarks do, one a repetition; the best of them is taken.
suppressPackageStartupMessages(library(lme4))
case <- commandArgs(TRUE)[1]; file <- commandArgs(TRUE)[2]
cat("BLAS", basename(dirname(extSoftVersion()[["BLAS"]])), "\n")
timed <- function(name, what, number, times = 3) for (i in seq_len(times)) {
  gc(FALSE); s <- system.time(r <- what())[["elapsed"]]
  cat(sprintf("Peer%s 1 %.0f ns/op %.12g result\n", name, 1e9 * s, number(r)))
}
daily <- engaging ~ lambda + I(lambda^2) + I(lambda^3) + personalised + domain + session + lambda:personalised + lambda:domain + lambda:session + personalised:session + domain:session + (1 + session | pid)
bobyqa <- lmerControl(optimizer = "bobyqa", optCtrl = list(maxfun = 200000))
quiet <- function(e) suppressWarnings(suppressMessages(e))
switch(case,
  daily = {
    d <- read.csv(file, stringsAsFactors = TRUE)
    timed("Default", function() quiet(lme4::lmer(daily, d)), REMLcrit)
    timed("Bobyqa", function() quiet(lme4::lmer(daily, d, control = bobyqa)), REMLcrit)
    timed("Satterthwaite", function() quiet({ m <- lmerTest::lmer(daily, d); coef(summary(m)); m }), REMLcrit, 2)
  },
  whole = {
    d <- read.csv(file, stringsAsFactors = TRUE)
    m <- quiet(lmerTest::lmer(daily, d)); print(summary(m)); print(anova(m)); invisible(ranef(m)); invisible(fitted(m))
  },
  insteval = {
    data(InstEval); write.csv(InstEval, file, row.names = FALSE, quote = FALSE)
    timed("Two", function() quiet(lme4::lmer(y ~ 1 + service + (1 | s) + (1 | d), InstEval)), REMLcrit)
    timed("TwoBobyqa", function() quiet(lme4::lmer(y ~ 1 + service + (1 | s) + (1 | d), InstEval, control = bobyqa)), REMLcrit, 2)
    timed("Three", function() quiet(lme4::lmer(y ~ 1 + service + (1 | s) + (1 | d) + (1 | dept), InstEval)), REMLcrit, 2)
  },
  # The coefficients' Kenward-Roger covariance and degrees of freedom, of a model that is fitted.
  kenward = {
    d <- read.csv(file, stringsAsFactors = TRUE); m <- quiet(lme4::lmer(daily, d)); p <- length(fixef(m))
    timed("Fit", function() quiet(lme4::lmer(daily, d)), REMLcrit)
    timed("KenwardRoger", function() { V <- pbkrtest::vcovAdj(m); sapply(seq_len(p), function(k) pbkrtest::Lb_ddf(as.numeric(seq_len(p) == k), vcov(m), V)) }, function(df) df[2], 1)
  },
  # 25 items of personality, some answers missing; one core, as beside.
  polychoric = {
    options(mc.cores = 1)
    items <- if (requireNamespace("psychTools", quietly = TRUE)) psychTools::bfi else psych::bfi
    x <- items[, 1:25]; write.csv(x, file, row.names = FALSE, na = "")
    timed("Polychoric", function() quiet(psych::polychoric(x)), function(r) r$rho[1, 2], 2)
  },
  stop("there is no case ", case))
