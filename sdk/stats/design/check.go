package design

import (
	"fmt"
	"math"
)

func (t Trial) check() error {
	rows := t.Participants * max(len(t.Times), 1)
	switch {
	case t.Participants < 1 || t.Participants > 1_000_000 || rows > 10_000_000:
		return fmt.Errorf("%d participants at %d times are asked for; give at least one participant and at most 10000000 rows", t.Participants, max(len(t.Times), 1))
	case len(t.Outcomes) == 0:
		return fmt.Errorf("the trial has no outcome")
	case (t.Time == "") != (len(t.Times) == 0):
		return fmt.Errorf("time and times are given together: the column's name and its values")
	case !(t.Missing >= 0 && t.Missing < 1):
		return fmt.Errorf("missing is %v; it is a probability below 1", t.Missing)
	case t.Attrition.Formula != "" && len(t.Times) < 2:
		return fmt.Errorf("attrition needs two times or more")
	}
	for i := range t.Times {
		if i > 0 && !(t.Times[i] > t.Times[i-1]) {
			return fmt.Errorf("times are %v; they increase", t.Times)
		}
	}
	for _, o := range t.Outcomes {
		if err := o.check(); err != nil {
			return fmt.Errorf("outcome %q: %w", o.Name, err)
		}
		if o.SDSlope > 0 && len(t.Times) < 2 {
			return fmt.Errorf("outcome %q: sd_slope is of a slope of time, and there are not two times", o.Name)
		}
	}
	return nil
}

func (o Outcome) check() error {
	gaussian := o.Family == "" || o.Family == "gaussian"
	switch {
	case o.Name == "":
		return fmt.Errorf("it has no name")
	case !gaussian && o.Family != "binomial":
		return fmt.Errorf("unknown family %q; the families are gaussian and binomial", o.Family)
	case !(o.SDIntercept >= 0 && o.SDSlope >= 0 && o.SD >= 0 && o.Step >= 0):
		return fmt.Errorf("standard deviations and the step are from 0")
	case !(math.Abs(o.Correlation) <= 1):
		return fmt.Errorf("the correlation %v is not between -1 and 1", o.Correlation)
	case !gaussian && (o.SD != 0 || o.Min != nil || o.Max != nil || o.Step != 0):
		return fmt.Errorf("sd, min, max and step are of gaussian outcomes")
	case gaussian && o.SD == 0:
		return fmt.Errorf("sd, the residual standard deviation, is missing")
	case o.Min != nil && o.Max != nil && !(*o.Min < *o.Max):
		return fmt.Errorf("min %v is not below max %v", *o.Min, *o.Max)
	}
	return nil
}
