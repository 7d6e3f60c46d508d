# Writes scale.json: Rscript scale.R OUT
# psych, GPArotation, polycor and stats on a small simulated questionnaire.
suppressPackageStartupMessages({library(psych); library(GPArotation); library(polycor); library(jsonlite)})
out <- commandArgs(TRUE)[1]
set.seed(20041979, kind = "Mersenne-Twister", normal.kind = "Inversion")
n <- 400
Phi <- matrix(c(1, .4, .25, .4, 1, .3, .25, .3, 1), 3)
F <- matrix(rnorm(n * 3), n) %*% chol(Phi)
L <- matrix(0, 12, 3)
L[1:4, 1] <- c(.8, .7, .65, .75); L[5:8, 2] <- c(.7, .75, .6, -.65); L[9:12, 3] <- c(.8, .6, .7, .55); L[4, 2] <- .2
h2 <- diag(L %*% Phi %*% t(L))
Y <- F %*% t(L) + matrix(rnorm(n * 12), n) %*% diag(sqrt(1 - h2))
cuts <- list(c(-1, 0, .8), c(-.5, .6), c(-1.5, -.4, .4, 1.3), c(-.8, 0, .9), 0.3, c(-1, 0, 1), c(-1.2, -.2, .7, 1.9), c(-.6, .5), c(-1, 0, 1), c(-.2, 1), c(-1, -.3, .4, 1.2), c(-.5, .5))
X <- sapply(1:12, function(j) findInterval(Y[, j], cuts[[j]]) + 1)
colnames(X) <- paste0("q", 1:12)
X[sample(length(X), 150)] <- NA
complete <- X; complete[is.na(complete)] <- 1L
quiet <- function(e) suppressMessages(suppressWarnings(e))
res <- list(names = colnames(X), x = X)

# Polychoric: optimize() in psych stops at 1e-4; a tight one of its own objective is the reference.
tightpoly <- function(X, global, correct) {
  p <- ncol(X); R <- diag(p)
  margin <- lapply(1:p, function(j) { f <- table(X[, j]); qnorm(cumsum(f)[-length(f)] / sum(f)) })
  for (i in 2:p) for (j in 1:(i - 1)) {
    tab <- table(factor(X[, i], sort(unique(X[, i]))), factor(X[, j], sort(unique(X[, j]))))
    tot <- sum(tab); tab <- tab / tot
    if (global) { a <- margin[[i]]; b <- margin[[j]] } else {
      tab <- tab[rowSums(tab) > 0, colSums(tab) > 0, drop = FALSE]
      tab[tab == 0] <- correct / tot
      a <- qnorm(cumsum(rowSums(tab))[-nrow(tab)]); b <- qnorm(cumsum(colSums(tab))[-ncol(tab)]) # as psych: not of the corrected sum
    }
    R[i, j] <- R[j, i] <- optimize(psych:::polyF, c(-1, 1), rc = a, cc = b, tab = tab, tol = 1e-9)$minimum
  }
  R
}
res$thresholds <- lapply(1:12, function(j) { f <- table(X[, j]); unname(qnorm(cumsum(f)[-length(f)] / sum(f))) })
res$poly_item <- tightpoly(X, TRUE, 0)
res$poly_pair <- tightpoly(X, FALSE, .5)
res$poly_pair_psych <- unname(quiet(polychoric(X, smooth = FALSE)$rho)) # categories differ: global=FALSE
pc <- polychor(X[, 1], X[, 2], ML = FALSE, std.err = TRUE)
res$polycor12 <- list(rho = unname(pc$rho), se = sqrt(pc$var[1, 1]))
res$pearson <- unname(cor(X, use = "pairwise")); res$spearman <- unname(cor(X, use = "pairwise", method = "spearman"))
res$pearson_complete <- unname(cor(X, use = "complete.obs"))

R <- res$poly_item
fit <- function(f) list(df = f$dof, objective = f$objective, chi = f$STATISTIC, p = f$PVAL, rmsea = unname(f$RMSEA), tli = f$TLI, bic = f$BIC, rms = f$rms)
dimnames(R) <- list(colnames(X), colnames(X))
f3 <- quiet(fa(R, 3, n.obs = n, rotate = "none")); u <- unclass(f3$loadings); attributes(u) <- list(dim = dim(u))
res$minres <- list(unrotated = u, communality = unname(f3$communality), fit = fit(f3))
ml <- quiet(fa(R, 3, n.obs = n, rotate = "none", fm = "ml"))
fac <- factanal(covmat = R, factors = 3, n.obs = n, rotation = "none", control = list(lower = .005, opt = list(factr = 1e2)))
res$ml <- list(uniqueness = unname(fac$uniquenesses), unrotated = unname(unclass(ml$loadings)), fit = fit(ml))
gp <- function(g) list(loadings = unname(g$loadings), Phi = if (is.null(g$Phi)) diag(3) else unname(g$Phi), f = unname(g$Table[nrow(g$Table), 2]))
tight <- function(f, ...) gp(f(u, eps = 1e-7, maxit = 5000, ...))
res$rotations <- list(
  oblimin = tight(oblimin), oblimin_kaiser = tight(oblimin, normalize = TRUE), oblimin_gamma = tight(oblimin, gam = -1),
  quartimin = tight(quartimin), varimax = tight(Varimax), varimax_kaiser = tight(Varimax, normalize = TRUE), quartimax = tight(quartimax))
v <- varimax(u, eps = 1e-15); pm <- promax(v$loadings); U <- solve(crossprod(v$rotmat %*% pm$rotmat))
res$promax_of_kaiser_varimax <- list(loadings = unname(unclass(pm$loadings)), Phi = unname(cov2cor(U)))
ob <- quiet(fa(R, 3, n.obs = n, rotate = "oblimin"))
res$psych_oblimin <- list(loadings = unname(unclass(ob$loadings)), Phi = unname(ob$Phi), ss = unname(ob$Vaccounted[1, ]), complexity = unname(ob$complexity), structure = unname(unclass(ob$Structure)))
K <- KMO(R); B <- cortest.bartlett(R, n)
res$adequacy <- list(kmo = unname(K$MSA), items = unname(K$MSAi), chi = B$chisq, p = B$p.value, df = B$df)

# Scores with exactly these loadings.
Lt <- res$psych_oblimin$loadings; Pt <- res$psych_oblimin$Phi
base <- 1:250; xb <- X[base, ]; mu <- colMeans(xb, na.rm = TRUE); sd <- apply(xb, 2, sd, na.rm = TRUE)
Z <- scale(xb, mu, sd); rb <- cor(xb, use = "pairwise")
w <- function(m, r) unname(factor.scores(r, Lt, Pt, method = m)$weights)
res$scores <- list(baseline = length(base), thurstone = w("Thurstone", rb), tenberge = w("tenBerge", rb), bartlett = w("Bartlett", rb), thurstone_poly = w("Thurstone", R), r2 = unname(factor.scores(R, Lt, Pt, method = "Thurstone")$R2),
  scores = unname(scale(X, mu, sd) %*% w("Thurstone", rb)))

keys <- X; keys[, 8] <- min(X[, 8], na.rm = TRUE) + max(X[, 8], na.rm = TRUE) - X[, 8]
al <- quiet(alpha(keys[, 5:8]))
res$alpha <- list(raw = al$total$raw_alpha, std = al$total$std.alpha, lower = unname(unlist(al$feldt$lower.ci)), upper = unname(unlist(al$feldt$upper.ci)), mean_r = al$total$average_r, median_r = al$total$median_r,
  drop_raw = al$alpha.drop$raw_alpha, drop_std = al$alpha.drop$std.alpha, r_drop = unname(al$item.stats$r.drop), mean = unname(al$item.stats$mean), sd = unname(al$item.stats$sd))
Rk <- R; Rk[8, ] <- -Rk[8, ]; Rk[, 8] <- -Rk[, 8]
res$ordinal_alpha <- quiet(alpha(Rk[5:8, 5:8]))$total$std.alpha
one <- quiet(fa(Rk[1:6, 1:6], 1)); l1 <- as.numeric(one$loadings)
res$omega_total <- sum(l1)^2 / (sum(l1)^2 + sum(1 - l1^2))
om <- quiet(omega(R, 3, plot = FALSE)); res$omega <- list(h = om$omega_h, total = om$omega.tot, ecv = unname(om$ECV))

# A matrix that is not positive definite, smoothed.
S <- matrix(c(1, .9, .2, .9, 1, .9, .2, .9, 1), 3); res$smooth <- list(r = S, out = quiet(cor.smooth(S)))
# Parallel analysis: means and percentiles by brute force.
set.seed(7); sims <- replicate(4000, eigen(cor(matrix(rnorm(60 * 5), 60)))$values)
res$parallel <- list(mean = rowMeans(sims), q95 = apply(sims, 1, quantile, .95), sd = apply(sims, 1, sd), n = 60)
# A Heywood case: one correlation larger than two others allow.
H <- matrix(c(1, .9, .8, .1, .9, 1, .3, .1, .8, .3, 1, .1, .1, .1, .1, 1), 4); fh <- quiet(fa(H, 1, n.obs = 100)); res$heywood <- list(r = H, loadings = as.numeric(fh$loadings))
res$rmsea_ncp <- list(x = 80, df = 50, upper = uniroot(function(z) pchisq(80, 50, z) - .05, c(0, 500), tol = 1e-12)$root, f = c(qf(.975, 399, 1197), qf(.025, 399, 1197)))
write_json(res, out, digits = 17, na = "null", matrix = "rowmajor", auto_unbox = TRUE, null = "null")
