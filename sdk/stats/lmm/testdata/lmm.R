# References for package lmm: lme4, lmerTest and pbkrtest on simulated data.
# Rscript lmm.R OUT.json
suppressPackageStartupMessages({library(lme4); library(lmerTest); library(pbkrtest); library(jsonlite)})
out <- commandArgs(TRUE)[1]
tight <- lmerControl(optimizer="bobyqa", optCtrl=list(rhobeg=0.02, rhoend=1e-10, maxfun=200000), check.conv.singular="ignore")
set.seed(20240611)
# 20 subjects by 12 items, two covariates, a factor between subjects, rows lost at random
g <- expand.grid(item=factor(sprintf("i%02d",1:12)), subj=factor(sprintf("s%02d",1:20)))
g$x <- round(rnorm(nrow(g)),3); g$t <- as.integer(g$item)-6.5; g$f <- factor(c("a","b","c")[1+(as.integer(g$subj)-1)%%3])
us <- matrix(rnorm(40),20) %*% chol(matrix(c(1,.3,.3,.5),2)); ui <- matrix(rnorm(24),12) %*% diag(c(.8,.4))
g$y <- round(2+.5*g$x+.7*(g$f=="b")-.2*(g$f=="c")*g$x+us[g$subj,1]+us[g$subj,2]*g$x+ui[g$item,1]+ui[g$item,2]*g$x+rnorm(nrow(g)),4)
g$w <- round(runif(nrow(g),.3,3),3); g$o <- round(rnorm(nrow(g)),3); g$z <- round(rnorm(nrow(g)),4)
d <- g[sort(sample(nrow(g),190)),]; d$site <- factor(c("n","e","s","w","m")[1+(as.integer(d$subj)-1)%/%4])
stopifnot(!anyNA(d))
models <- list(
 crossed=list(y~x*f+(1+x|subj)+(1|item)), vectors=list(y~x+f+(1+x|subj)+(1+x|item)), uncorrelated=list(y~x+(1|subj)+(0+x|subj)+(1|item)+(0+x|item)),
 three=list(y~x+(1|subj)+(1|item)+(1|site)), nested=list(y~x+(1|site/subj)), weighted=list(y~x*f+(1+x|subj)+(1|item),w="w",scaled="(0+sw+sx|subj)+(0+sw|item)"), offset=list(y~x+(1|subj)+offset(o)),
 weighted_one=list(y~x+f+(1+t|subj),w="w",scaled="(0+sw+st|subj)"), quadratic=list(y~t+I(t^2)+(1+t+I(t^2)|subj)), no_intercept=list(y~0+f+f:x+(1|subj)), mean_only=list(y~1+(1|subj)),
 singular_one=list(z~x+(1|subj)), singular_slope=list(z~x+(1+x|subj)), singular_crossed=list(z~x+(1+x|subj)+(1|item)))
L2 <- function(m) { p <- length(fixef(m)); L <- diag(p)[-1,,drop=FALSE]; if (nrow(L)>3) L <- L[1:3,]; L }
fit1 <- function(s, REML) { f <- s[[1]]; environment(f) <- globalenv(); if (is.null(s$w)) lmerTest::lmer(f,d,REML=REML,control=tight) else { ww <<- d[[s$w]]; lmerTest::lmer(f,d,REML=REML,control=tight,weights=ww) } }
# pbkrtest leaves weights out of account. Rows times the square root of their weight have unit weights: the same model.
weightedKR <- function(m, s, L) { sw <- sqrt(d$w); dd <- as.data.frame(unname(getME(m,"X")*sw)); names(dd) <- X <- paste0("X",seq_along(dd)); dd <- cbind(dd,yw=d$y*sw,sw=sw,sx=d$x*sw,st=d$t*sw,subj=d$subj,item=d$item)
 f <- as.formula(paste("yw ~ 0 +",paste(X,collapse="+"),"+",s$scaled)); k <- lmerTest::lmer(f,dd,control=tight); stopifnot(abs(sigma(k)-sigma(m))<1e-5)
 co <- coef(summary(k,ddf="Kenward-Roger")); j <- KRmodcomp(k,L)$test; list(kr=list(se=I(unname(co[,"Std. Error"])),df=I(unname(co[,"df"])),vcov=unname(as.matrix(vcovAdj(k)))), krjoint=list(F=j["Ftest","stat"],ndf=j["Ftest","ndf"],ddf=j["Ftest","ddf"],p=j["Ftest","p.value"])) }
one <- function(s, REML) { m <- fit1(s, REML)
 co <- coef(summary(m)); r <- list(formula=paste(deparse(s[[1]],width.cutoff=500),collapse=" "), weights=if(is.null(s$w)) "" else s$w, REML=REML, nobs=nobs(m), npar=attr(logLik(m),"df"), terms=I(rownames(co)), estimate=I(unname(co[,"Estimate"])), se=I(unname(co[,"Std. Error"])), df=I(unname(co[,"df"])), p=I(unname(co[,ncol(co)])),
  crit=unname(if(REML) REMLcrit(m) else -2*as.numeric(logLik(m))), logLik=as.numeric(logLik(m)), AIC=AIC(m), BIC=BIC(m), sigma=sigma(m), vc=as.data.frame(VarCorr(m)), fitted=unname(fitted(m)))
 re <- ranef(m,condVar=TRUE); r$ranef <- lapply(re,function(e) list(levels=rownames(e),mean=unname(as.matrix(e)),var=tryCatch({v <- attr(e,"postVar"); if (is.list(v)) NULL else unname(lapply(seq_len(dim(v)[3]),function(k) as.matrix(v[,,k])))}, error=function(e) NULL)))
 if (length(fixef(m))>1) { L <- L2(m); k <- contestMD(m,L); r$joint <- list(L=unname(L),F=k[["F value"]],ndf=k$NumDF,ddf=k$DenDF,p=k[["Pr(>F)"]])
  if (REML && is.null(s$w)) { c2 <- coef(summary(m,ddf="Kenward-Roger")); r$kr <- list(se=I(unname(c2[,"Std. Error"])),df=I(unname(c2[,"df"])),vcov=unname(as.matrix(vcovAdj(m)))); k <- KRmodcomp(m,L)$test; r$krjoint <- list(F=k["Ftest","stat"],ndf=k["Ftest","ndf"],ddf=k["Ftest","ddf"],p=k["Ftest","p.value"]) }
  if (REML && !is.null(s$w)) r <- c(r, weightedKR(m,s,L)) }
 r }
res <- list(data=lapply(d,function(c) if (is.factor(c)) as.character(c) else c), models=c(lapply(models,one,TRUE), setNames(lapply(models,one,FALSE),paste0(names(models),"_ML"))))
big <- lme4::lmer(y~x*f+(1+x|subj)+(1|item),d,REML=FALSE,control=tight); small <- lme4::lmer(y~x+f+(1+x|subj)+(1|item),d,REML=FALSE,control=tight)
a <- anova(small,big); res$lrt <- list(chisq=a$Chisq[2],df=a$Df[2],p=a[["Pr(>Chisq)"]][2])
# profile limits by root finding on the deviance itself, closer than the spline of confint()
prof <- function(b) { dd <- d; dd$yy <- dd$y-b*dd$x; m <- lme4::lmer(yy~f+(1+x|subj),dd,REML=FALSE,control=tight); -2*as.numeric(logLik(m)) }
m0 <- lme4::lmer(y~f+x+(1+x|subj),d,REML=FALSE,control=tight); b0 <- fixef(m0)[["x"]]; s0 <- sqrt(vcov(m0)["x","x"]); dv <- -2*as.numeric(logLik(m0)); q <- qchisq(.95,1)
res$profile <- list(lower=uniroot(function(b) prof(b)-dv-q,c(b0-4*s0,b0),tol=1e-10)$root,upper=uniroot(function(b) prof(b)-dv-q,c(b0,b0+4*s0),tol=1e-10)$root,estimate=b0)
# the same for standard deviations: deviance at a fixed sigma, sd of a scalar term = sigma theta
dfun <- lme4::lmer(y~x+(1|subj)+(1|item),d,REML=FALSE,control=tight,devFunOnly=TRUE); ev <- environment(dfun); n <- nrow(d)
dsig <- function(th,sg) { dfun(th); ev$pp$ldL2()+(ev$resp$wrss()+ev$pp$sqrL(1))/sg^2+n*log(2*pi*sg^2) }
ms <- lme4::lmer(y~x+(1|subj)+(1|item),d,REML=FALSE,control=tight); dv <- -2*as.numeric(logLik(ms)); vcs <- as.data.frame(VarCorr(ms))$sdcor
mini <- function(f) nlminb(log(getME(ms,"theta")),function(l) f(exp(l)),control=list(rel.tol=1e-14,x.tol=1e-12))$objective
ps <- list(subj=function(s) mini(function(th) dsig(th,s/th[1])), item=function(s) mini(function(th) dsig(th,s/th[2])), sigma=function(s) mini(function(th) dsig(th,s)))
res$sd <- lapply(setNames(1:3,names(ps)),function(i) list(estimate=vcs[i],lower=uniroot(function(s) ps[[i]](s)-dv-q,c(.3*vcs[i],vcs[i]),tol=1e-9)$root,upper=uniroot(function(s) ps[[i]](s)-dv-q,c(vcs[i],4*vcs[i]),tol=1e-9)$root))
m <- lmerTest::lmer(y~x+f+(1+x|subj)+(1|item),d,control=tight); nd <- data.frame(x=c(-1,0,2,.5),f=factor(c("a","b","c","b"),levels=levels(d$f)),subj=c("s01","s02","s07","new"),item=c("i01","i05","i12","i03"))
res$predict <- list(new=lapply(nd,function(c) if (is.factor(c)) as.character(c) else c), population=unname(predict(m,nd,re.form=NA)), conditional=unname(predict(m,nd,allow.new.levels=TRUE)))
writeLines(toJSON(res,digits=NA,auto_unbox=TRUE,na="null"),out)
