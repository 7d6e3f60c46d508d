// Package proportion tests and estimates proportions and tables of counts.
//
// Nouns:
//
//   - a Sample is a number of events among n independent trials;
//   - an Interval is a pair of confidence limits at a Level (0.95 unless told);
//   - an Alternative says in which direction a test looks;
//   - a Test is a statistic with its p-value, as R's "htest";
//   - a Table is an r x c contingency table of counts with its labels;
//   - an Effect compares two samples: difference, ratio of risks, ratio of odds;
//   - a Needed is a number needed to treat, for benefit or for harm.
//
// Wherever R's stats package has the procedure (prop.test, binom.test,
// chisq.test, fisher.test, mcnemar.test, prop.trend.test) the numbers are R's;
// only where R's own root finder stops short (fisher.test, 1e-4) are ours
// closer to the equation's root.
package proportion
