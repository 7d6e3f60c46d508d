package trial

import "github.com/seed-4012077a/flow/sdk/stats/estimate"

// Row is one estimate. A number that does not exist is NaN, with the reason in
// Note.
type Row struct {
	Measure, Study, Outcome, Family string
	Test, Kind, Spec                string
	Slope                           string   // of a slope: 1way, 2way, 3way
	Levels                          []string // of a slope: lambda's side, then a level of each factor; "" not fixed
	estimate.Estimate
	Local, Global   float64 // corrected p
	N, Participants int
	Form            string
	Model, Method   string // the formula and how it was fitted
	Note            string
}

// Fit is one model that was fitted, with what it is for: a form (under ML),
// full, additive, coarsened, or a robustness run.
type Fit struct {
	Study, Outcome, Role, Formula, Method, Note string
	N, Participants, Dropped, Parameters        int
	LogLik, AIC, AICc, BIC, Sigma               float64
	Chosen                                      bool // of forms: the one that is reported
	Components                                  []Component
	Coefficients                                []estimate.Estimate
}

// Component is a variance or covariance of a mixed model's random effects.
type Component struct {
	Group, Column, With string
	Covariance, SDCor   float64
}

// Result is all that a plan's analysis gives.
type Result struct {
	Rows         []Row
	Fits         []Fit
	Means        []Mean
	Associations []Associated
}

// PlanError is a mistake in the plan that the data brought to light: a file,
// column or value that is not there.
type PlanError struct{ Err error }

func (e *PlanError) Error() string { return e.Err.Error() }
func (e *PlanError) Unwrap() error { return e.Err }

func inPlan(err error) error { return &PlanError{err} }
