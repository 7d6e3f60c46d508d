# References for plugins/rank. Bradley-Terry is a logistic regression of
# differences; Plackett-Luce is Cox's partial likelihood with a stratum a
# ranking. Rscript rank.R OUT.json
suppressPackageStartupMessages({ library(survival); library(jsonlite) })
out <- commandArgs(TRUE)[1]
set.seed(411)
items <- c("amber", "birch", "cedar", "dahlia", "elm")
worth <- c(0, 0.7, -0.4, 1.1, 0.2)
draw <- function(id) {
  set <- sort(sample(5, sample(3:5, 1)))
  order <- set[order(worth[set] + -log(-log(runif(length(set)))), decreasing = TRUE)]
  data.frame(ranking = sprintf("r%02d", id), item = items[order], rank = seq_along(order), times = 1 + id %% 3)
}
r <- do.call(rbind, lapply(1:40, draw))
m <- coxph(Surv(rank) ~ item + strata(ranking), data = r, weights = times, ties = "breslow", control = coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 100))
v <- vcov(m)
b <- data.frame(a = sample(5, 120, TRUE), b = sample(5, 120, TRUE))
b <- b[b$a != b$b, ]
b$won <- rbinom(nrow(b), 1, plogis(0.4 + worth[b$a] - worth[b$b]))
x <- matrix(0, nrow(b), 5)
for (i in seq_len(nrow(b))) { x[i, b$a[i]] <- 1; x[i, b$b[i]] <- -1 }
x <- x[, -1]; colnames(x) <- items[-1]
control <- glm.control(epsilon = 1e-14, maxit = 100)
g <- glm(b$won ~ 0 + x, family = binomial, control = control)
go <- glm(b$won ~ x, family = binomial, control = control)
height <- c(1.2, 3.4, 2.2, 0.8, 5.1)
gc <- glm(b$won ~ 0 + I(height[b$a] - height[b$b]), family = binomial, control = control)
one <- function(m) list(coef = unname(coef(m)), se = unname(sqrt(diag(vcov(m)))), loglik = as.numeric(logLik(m)))
write_json(list(rankings = r, height = height, items = items,
  pl = list(coef = unname(coef(m)), se = unname(sqrt(diag(v))), difference = unname(sqrt(v[1, 1] + v[3, 3] - 2 * v[1, 3])), loglik = as.numeric(logLik(m)) + sum(r$times * log(r$times))), # Cox's risk sets are weighted too
  comparisons = data.frame(first = items[b$a], second = items[b$b], winner = ifelse(b$won == 1, items[b$a], items[b$b])),
  bt = one(g), order = one(go), covariate = one(gc)), out, digits = 17, auto_unbox = TRUE)
