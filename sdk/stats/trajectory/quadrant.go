package trajectory

import "math"

// Quadrants names what two slopes say together.
type Quadrants struct {
	Both, First, Second, Neither string
	// A slope counts as rising where it is above its threshold.
	FirstAbove, SecondAbove float64
}

// Name is the quadrant of a pair of slopes, "" where one is missing (NaN).
func (q Quadrants) Name(first, second float64) string {
	switch a, b := first > q.FirstAbove, second > q.SecondAbove; {
	case math.IsNaN(first) || math.IsNaN(second):
		return ""
	case a && b:
		return q.Both
	case a:
		return q.First
	case b:
		return q.Second
	}
	return q.Neither
}

// Names are the four names in that order.
func (q Quadrants) Names() []string { return []string{q.Both, q.First, q.Second, q.Neither} }
