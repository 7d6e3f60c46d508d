// Package panel places a panel of models on the scale of a steered one.
//
// Nouns:
//
//   - Scores are what units (the panel's models, or the steered model at each
//     lambda) got on prompts; a unit's mean is over its rows;
//   - an anchor is the steered model at one lambda: lambda, the multiplier of
//     the steering vector, is known there and its mean score is measured;
//   - a Curve turns lambda into a score: through the anchors' means in straight
//     pieces (Interpolation), or as the least-squares line of the anchors' rows
//     (Line). The lambda equivalent of a score is where the curve has it;
//   - the centre of a panel is the median (or mean) of its models' means.
//
// The uncertainty of a lambda equivalent is a percentile bootstrap (Efron and
// Tibshirani 1993, chapter 13): models are drawn with replacement, and, where
// asked, prompts, and the anchors' prompts with them: a prompt that both have
// is drawn for both, as hard prompts are hard for all.
package panel
