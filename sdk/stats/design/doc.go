// Package design plans trials: it makes randomisation lists, simulates trials
// with stated effects and attrition, and counts participants through the
// stages of a trial.
//
// A factor is what participants are assigned to, with its levels; an arm is
// one combination of levels, one of each factor. A stratum is one combination
// of what is known of a participant before assignment (study site, say). A
// block is a run of consecutive assignments within one stratum in which the
// arms stand in their ratio; a list made of permuted blocks never strays
// further from that ratio than half a block.
//
// A simulated trial is data that a stated model made, with a seed: in a WASM
// guest the same seed gives the same rows on every machine (natively, exp may
// differ in its last bit between processors). Every row says so in its column
// "simulated". Power is the share of simulated trials in which a test's p
// value is below alpha.
package design
