package main

// planSchema is the JSON Schema of a plan (trial.Plan).
const planSchema = `"type": "object", "additionalProperties": false, "required": ["measure", "participant", "lambda"], "properties": {
	"measure": {"type": "string", "minLength": 1, "description": "what the outcomes measure; the first column of the results"},
	"participant": {"type": "string", "minLength": 1, "description": "column that identifies participants"},
	"level": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.95, "description": "confidence level"},
	"df": {"enum": ["kenward-roger", "satterthwaite", "asymptotic"], "default": "kenward-roger", "description": "degrees of freedom of mixed models"},
	"limits": {"enum": ["profile", "profile-interpolated", "wald"], "default": "profile", "description": "limits of coefficients of logistic models; interpolated: as R's confint"},
	"lambda": {"type": "object", "additionalProperties": false, "required": ["column"], "properties": {
		"column": {"type": "string", "minLength": 1, "description": "column of lambda"},
		"label": {"type": "string", "default": "RS", "description": "in the names of tests, and of the factor of lambda's sign"},
		"name": {"type": "string", "description": "in the names of time effects; the label if left out"},
		"symbol": {"type": "string", "default": "λ", "description": "in the names of the polynomial's terms"},
		"high": {"type": "array", "items": {"type": "number"}, "minItems": 1, "default": [0.5, 1], "description": "lambdas of the primary contrast: the mean at these less that at low"},
		"low": {"type": "array", "items": {"type": "number"}, "minItems": 1, "default": [-0.5, -1], "description": "see high; a value outside the data's range has no estimate"},
		"specs": {"type": "array", "description": "further pairs of lambdas; narrow (0.5, -0.5) and full (1, -1) if left out", "items": {"type": "object", "additionalProperties": false, "required": ["name", "high", "low"], "properties": {
			"name": {"type": "string", "minLength": 1}, "high": {"type": "number"}, "low": {"type": "number"}}}},
		"forms": {"type": "array", "items": {"enum": ["linear", "quadratic", "cubic"]}, "minItems": 1, "default": ["linear", "quadratic", "cubic"], "description": "polynomials to choose from"},
		"criterion": {"enum": ["aic", "aicc", "bic"], "default": "aic", "description": "what chooses the form, under maximum likelihood"},
		"signs": {"type": "array", "items": {"type": "string"}, "minItems": 3, "maxItems": 3, "default": ["neg_lambda", "zero_lambda", "pos_lambda"], "description": "levels of the sign of lambda"},
		"marks": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2, "description": "short names of the negative and positive lambdas, in slopes"},
		"curve": {"type": "array", "items": {"type": "number"}, "description": "lambdas of the means' curve; left out: those of the data, and every tenth"}}},
	"factors": {"type": "array", "default": [], "description": "what is randomised beside lambda", "items": {"type": "object", "additionalProperties": false, "required": ["column"], "properties": {
		"column": {"type": "string", "minLength": 1},
		"label": {"type": "string", "description": "in the names of tests; the column if left out"},
		"short": {"type": "string", "description": "in test types, as main_effect_SHORT; the label if left out"},
		"levels": {"type": "array", "items": {"type": "string"}, "description": "the first is the reference; if left out those of the data, sorted"},
		"marks": {"type": "array", "items": {"type": "string"}, "description": "short names of the levels, in slopes"}}}},
	"time": {"description": "time of repeated measurements", ` + timeSchema + `},
	"join": {"description": "columns to add to every table: what is known of participants", ` + joinSchema + `},
	"tables": {"type": "object", "default": {}, "description": "tables by name; left out: the input is the one table", "additionalProperties": {"type": "object", "additionalProperties": false, "properties": {
		"file": {"type": "string", "description": "the rows of this file, by the input's column file_column"},
		"where": {"description": "the rows whose columns have these values", ` + whereSchema + `},
		"join": {` + joinSchema + `},
		"recode": {"type": "object", "additionalProperties": {"type": "object", "additionalProperties": false, "required": ["from", "values"], "properties": {
			"from": {"type": "string"}, "values": {"type": "object", "additionalProperties": {"type": ["string", "number"]}}}}, "description": "new columns from old ones with values replaced by texts, or by numbers (yes = 1, no = 0); what is not named stays"},
		"derive": {"type": "object", "additionalProperties": {"type": "string"}, "description": "new columns by expressions of numbers, as change = \"post - pre\""}}}},
	"studies": {"type": "array", "default": [], "description": "parts of the data that are analysed apart", "items": {"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
		"name": {"type": "string", "minLength": 1}, "where": {` + whereSchema + `},
		"tests": {"type": "array", "items": {"enum": ["main", "dose", "moderation", "time", "slopes"]}, "description": "what is reported; left out: all that applies"}}}},
	"families": {"type": "object", "additionalProperties": {"type": "object", "additionalProperties": false, "properties": {"label": {"type": "string"}}}, "default": {}, "description": "local families that outcomes may name; left out: those that they do name"},
	"outcomes": {"type": "array", "default": [], "items": {"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
		"name": {"type": "string", "minLength": 1},
		"family": {"type": "string", "description": "local family of corrections; the measure if left out"},
		"table": {"type": "string", "description": "where it is; left out where there are no tables"},
		"column": {"type": "string", "description": "numbers; the name if left out"},
		"items": {"type": "array", "items": {"type": "string"}, "minItems": 2, "description": "columns of a pooled construct: stacked, with the item as a fixed effect"},
		"kind": {"enum": ["gaussian", "binary"], "default": "gaussian", "description": "binary: 0 and 1, by logistic models"},
		"baseline": {"type": "string", "description": "column with the value before treatment"},
		"form": {"enum": ["linear", "quadratic", "cubic"], "description": "fixes the polynomial of lambda"},
		"once": {"type": "boolean", "default": false, "description": "no time in the model"},
		"time": {"description": "its own time, in place of the plan's", ` + timeSchema + `},
		"several": {"type": "boolean", "default": false, "description": "a participant has several rows at one time, each a measurement of its own (else that is an error)"},
		"random": {"enum": ["slope", "intercept", "none"], "description": "random part: an intercept and slope of time, an intercept, or none; left out: the largest of them that the rows can tell from the residual (slope where repeated, intercept for a construct measured once)"},
		"where": {` + whereSchema + `},
		"studies": {"type": "object", "description": "the studies it is in, and what differs there; left out: all", "additionalProperties": {"type": "object", "additionalProperties": false, "properties": {
			"baseline": {"type": "string"}, "form": {"enum": ["linear", "quadratic", "cubic"]}, "table": {"type": "string"}}}}}}},
	"weights": {"type": "object", "default": {}, "description": "weights of participants by name", "additionalProperties": {"type": "object", "additionalProperties": false, "properties": {
		"column": {"type": "string", "description": "a column of the outcomes' tables"},
		"dropout": {"type": "string", "description": "or a formula of leaving, fitted by logistic regression: weights are 1 / (1 - p)"},
		"table": {"type": "string", "description": "of the formula: one row a participant"},
		"stabilised": {"type": "boolean", "default": false, "description": "times the share that stayed"}, "max": {"type": "number", "minimum": 0, "description": "truncate at this weight"},
		"quantile": {"type": "number", "exclusiveMinimum": 0.5, "exclusiveMaximum": 1, "description": "truncate at this quantile, and its complement"}}}},
	"robustness": {"type": "array", "default": [], "description": "refits; the name becomes the spec of their rows", "items": {"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
		"name": {"type": "string", "minLength": 1},
		"covariates": {"type": "array", "items": {"type": "string"}, "description": "columns to add to the model"},
		"weights": {"type": "string", "description": "name of weights"}, "where": {` + whereSchema + `},
		"studies": {"type": "array", "items": {"type": "string"}}, "outcomes": {"type": "array", "items": {"type": "string"}}}}},
	"associations": {"type": "array", "default": [], "description": "chi-squared tests of a categorical outcome", "items": {"type": "object", "additionalProperties": false, "required": ["outcome"], "properties": {
		"outcome": {"type": "string", "minLength": 1, "description": "column"}, "table": {"type": "string", "description": "where it is; left out where there are no tables"}, "where": {` + whereSchema + `},
		"studies": {"type": "array", "items": {"type": "string"}},
		"treatments": {"type": ["array", "object"], "items": {"type": "string"}, "additionalProperties": {"type": "string"}, "description": "columns (or names = \"column\"), sign and lambda; left out: the factors, sign and lambda"},
		"across": {"type": "string", "description": "column that tells the studies apart, to compare them"}}}}}`

const whereSchema = `"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "array"], "items": {"type": ["string", "number", "boolean"]}}`

const joinSchema = `"type": "array", "items": {"type": "object", "additionalProperties": false, "required": ["columns"], "properties": {
	"file": {"type": "string"}, "where": {` + whereSchema + `},
	"by": {"type": "array", "items": {"type": "string"}, "description": "columns that identify a row; the participant if left out"},
	"columns": {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1, "description": "columns to add: new name = \"column of the file\""}}}`

const timeSchema = `"type": "object", "additionalProperties": false, "required": ["column"], "properties": {
	"column": {"type": "string", "minLength": 1, "description": "numbers, or texts that end in one (w3 is 3)"},
	"name": {"type": "string", "description": "in the names of tests; left out: Time, or the plan's"},
	"mark": {"type": "string", "description": "before a time's number in the names of tests; left out: T, or the plan's"}}`
