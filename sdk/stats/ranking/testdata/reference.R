# Reference values of package ranking: Rscript reference.R OUT.json
# Made-up data with a seed. Bradley-Terry by glm; Plackett-Luce and ties by Newton
# steps with the sets that could have been taken listed one by one.
suppressPackageStartupMessages(library(jsonlite))
set.seed(90210); m <- 6; lam <- c(0, .4, -.5, 1, .2, -.9)
# A choice is a matrix of the features of all sets that could have been taken (row 1: the one that was); log f is linear in them.
newton <- function(C, k) { p <- numeric(k); for (i in 1:60) { g <- numeric(k); H <- matrix(0, k, k); ll <- 0; for (c in C) { e <- drop(c$M %*% p); q <- exp(e - max(e)); Z <- sum(q); q <- q / Z; mu <- drop(crossprod(c$M, q))
    ll <- ll + c$w * (e[1] - max(e) - log(Z)); g <- g + c$w * (c$M[1, ] - mu); H <- H + c$w * (crossprod(c$M * sqrt(q)) - tcrossprod(mu)) }
  st <- solve(H, g); p <- p + st / max(1, max(abs(st)) / 2); if (max(abs(st)) < 1e-13) break }; list(par = p, vcov = solve(H), logLik = ll) }
fitout <- function(r, extra = integer()) { k <- m - 1; V <- r$vcov; list(coef = c(0, r$par[1:k]), se = c(0, sqrt(diag(V))[1:k]), other = I(r$par[extra]), other_se = I(sqrt(diag(V))[extra]), logLik = r$logLik) }
# Paired comparisons: a glm on differences, items shown first and second.
n <- 150; a <- sample(m, n, TRUE); b <- (a + sample(m - 1, n, TRUE) - 1) %% m + 1; eta <- lam[a] - lam[b] + .35; win <- rbinom(n, 1, plogis(eta))
X <- t(sapply(1:n, function(i) { x <- numeric(m); x[a[i]] <- 1; x[b[i]] <- x[b[i]] - 1; x })); ct <- list(epsilon = 1e-15, maxit = 100)
g1 <- glm(win ~ 0 + X[, -1], family = binomial, control = ct); g2 <- glm(win ~ X[, -1], family = binomial, control = ct); z <- c(1.2, .3, -.7, 2, .1, -1.4); g3 <- glm(win ~ 0 + I(drop(X %*% z)), family = binomial, control = ct)
bt <- list(first = a - 1, second = b - 1, win = win, plain = list(coef = c(0, unname(coef(g1))), se = c(0, unname(sqrt(diag(vcov(g1))))), logLik = as.numeric(logLik(g1))),
  order = list(coef = c(0, unname(coef(g2)[-1])), se = c(0, unname(sqrt(diag(vcov(g2)))[-1])), other = I(unname(coef(g2)[1])), other_se = I(unname(sqrt(diag(vcov(g2)))[1])), logLik = as.numeric(logLik(g2))),
  z = z, covariate = list(other = I(unname(coef(g3))), other_se = I(unname(sqrt(diag(vcov(g3))))), logLik = as.numeric(logLik(g3))))
V <- rbind(0, cbind(0, vcov(g1))); D <- outer(diag(V), diag(V), "+") - 2 * V; ij <- which(upper.tri(D), arr.ind = TRUE); qf <- function(q) { s <- q[ij[, 1]] + q[ij[, 2]]; if (any(s <= 0)) 1e9 else sum((log(D[ij]) - log(s))^2) }
bt$quasi <- sqrt({ q <- rowSums(D) / (2 * (m - 1)); for (i in 1:5) q <- optim(q, qf, method = "BFGS", control = list(reltol = 1e-16, maxit = 1000, parscale = q))$par; q })
# Rankings of 3 to 6 of the items, some with ties, some of the best only.
stages <- function(R, sizes) { C <- list(); row <- function(S) c(replace(numeric(m), S, 1 / length(S))[-1], as.numeric(sizes == length(S)))
  for (r in R) { rest <- c(unlist(r$places), r$below); for (pl in r$places) { if (length(rest) > 1) { all <- unlist(lapply(intersect(c(1, sizes), seq_along(rest)), function(k) combn(length(rest), k, function(q) rest[q], simplify = FALSE)), recursive = FALSE)
    same <- sapply(all, setequal, pl); C <- c(C, list(list(w = r$w, M = t(sapply(c(all[same], all[!same]), row))))) }; rest <- setdiff(rest, pl) } }; C }
draw <- function(ties) { k <- sample(3:m, 1); it <- sample(m, k); u <- lam[it] - log(-log(runif(k))); o <- it[order(-u)]; pl <- as.list(o)
  if (ties && runif(1) < .5) { at <- sample(k - 1, 1); w <- if (at < k - 1 && runif(1) < .3) 2 else 1; pl <- c(as.list(o[seq_len(at - 1)]), list(o[at:(at + w)]), as.list(o[seq_len(k) > at + w])) }
  below <- integer(); if (length(pl) > 2 && runif(1) < .25) { below <- unlist(pl[3:length(pl)]); pl <- pl[1:2] }; list(places = pl, below = below, w = sample(1:3, 1)) }
R1 <- lapply(1:40, function(i) draw(FALSE)); R2 <- lapply(1:60, function(i) draw(TRUE))
js <- function(R) lapply(R, function(r) list(places = lapply(r$places, function(p) I(p - 1)), below = I(r$below - 1), w = r$w))
out <- list(bt = bt, pl = c(list(rankings = js(R1)), fitout(newton(stages(R1, integer()), m - 1))), ties = c(list(rankings = js(R2)), fitout(newton(stages(R2, 2:3), m + 1), m - 1 + 1:2)))
# Davidson's ties for pairs, written out, and Plackett-Luce with pseudo-comparisons against an item of worth 1.
tie <- rbinom(n, 1, .25); dav <- lapply(1:n, function(i) { A <- c(replace(numeric(m), a[i], 1)[-1], 0); B <- c(replace(numeric(m), b[i], 1)[-1], 0); T <- c(replace(numeric(m), c(a[i], b[i]), .5)[-1], 1); list(w = 1, M = if (tie[i]) rbind(T, A, B) else if (win[i]) rbind(A, B, T) else rbind(B, A, T)) })
out$davidson <- c(list(tie = tie), fitout(newton(dav, m), m))
one <- function(i) replace(numeric(m), i, 1); ps <- unlist(lapply(R1[1:3], function(r) { o <- c(unlist(r$places), r$below); lapply(seq_along(r$places), function(j) list(w = r$w, M = t(sapply(o[j:length(o)], one)))) }), recursive = FALSE)
ps <- newton(c(ps, lapply(1:m, function(i) list(w = .5, M = rbind(one(i), 0))), lapply(1:m, function(i) list(w = .5, M = rbind(0, one(i))))), m)
out$pseudo <- list(coef = ps$par - mean(ps$par), se = { C <- diag(m) - 1 / m; sqrt(diag(C %*% ps$vcov %*% C)) })
write_json(out, commandArgs(TRUE)[1], digits = NA, auto_unbox = TRUE, null = "null", na = "null")
