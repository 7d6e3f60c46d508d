package glm

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-4012077a/flow/sdk/stats/formula"
	"gonum.org/v1/gonum/mat"
)

// Separation describes a direction of recession: a delta with x'delta >= 0 in
// every row that the model would like to push up, <= 0 in every row to push
// down, 0 in the rows in between, and not 0 in all. The likelihood grows along it
// for ever (Albert & Anderson 1984).
type Separation struct {
	Complete bool     // every row is separated; else quasi-complete
	Columns  []string // coefficients that the rows not separated leave undetermined
	Rows     []int    // separated rows, as row numbers of the data counted from 1
	// Direction of recession (p), of length 1 in its largest number; a linear
	// predictor along it separates Rows.
	Direction []float64
}

// SeparationError is Separation as the reason why a fit has no result.
type SeparationError struct {
	Separation
	Response string
}

func (e *SeparationError) Error() string {
	kind := "quasi-complete"
	if e.Complete {
		kind = "complete"
	}
	rows := fmt.Sprint(e.Rows)
	if len(e.Rows) > 8 {
		rows = strings.TrimSuffix(fmt.Sprint(e.Rows[:8]), "]") + " ...]"
	}
	return fmt.Sprintf("%s separation: %s is predicted without error in %d rows %s, so these coefficients have no finite maximum-likelihood estimate: %s; merge or drop what they stand for, or ask for Firth's penalty",
		kind, e.Response, len(e.Rows), rows, strings.Join(e.Columns, ", "))
}

// separated decides whether the fit stands. When it converged with every
// residual of a 0/1 row well away from 0, the score equations
// sum (y_i - mu_i) x_i = 0 prove overlap by themselves: they are a strictly
// positive combination of the rows +-x_i that vanishes, which by Stiemke's lemma
// excludes a direction of recession; the equations hold to well within 1e-3
// where R's rule ends a fit. Only else is the cone searched.
func (q *problem) separated(d *formula.Design, s *solution, failed error) error {
	if q.penalty != nil || (q.family.Distribution != BinomialDist && q.family.Distribution != PoissonDist) {
		return nil
	}
	suspect := failed != nil || s == nil || !s.converged
	if !suspect {
		for i, w := range q.w {
			if w > 0 && math.Abs(q.y[i]-s.mu[i]) < 1e-3 && q.side(i) != 0 {
				suspect = true
				break
			}
		}
	}
	if !suspect {
		return nil
	}
	sep, err := q.recession(d)
	if err != nil || sep == nil {
		return err
	}
	return &SeparationError{Separation: *sep, Response: d.Response}
}

// side is +1 for a row whose likelihood grows with eta without bound, -1 for one
// that grows against it, 0 for a row with a finite best eta.
func (q *problem) side(i int) int {
	switch {
	case q.y[i] == 0:
		return -1
	case q.y[i] == 1 && q.family.Distribution == BinomialDist:
		return 1
	}
	return 0
}

// Separated looks for separation in a design under a family; nil means that the
// maximum-likelihood estimate exists.
func Separated(d *formula.Design, family Family) (*Separation, error) {
	q, err := newProblem(d, family, Options{})
	if err != nil {
		return nil, err
	}
	if family.Distribution != BinomialDist && family.Distribution != PoissonDist {
		return nil, nil
	}
	return q.recession(d)
}

// recession searches the cone K = {delta: x~_i'delta >= 0} of x~_i = side_i x_i.
// Its dual problem is a least-squares one: the MLE exists iff some a >= 1 has
// sum a_i x~_i = 0, that is iff c + sum a_i x~_i = 0 for an a >= 0 and
// c = sum x~_i. The residual delta of the best a is the projection of c on K:
// x~_i'delta >= 0 for all i and c'delta = |delta|^2, so delta != 0 separates the
// rows with x~_i'delta > 0. The rows it leaves are searched again until nothing
// is found. This decides what the linear program of Konis (2007) decides, with
// p-sized problems only.
//
// Rows enter as rows of Q in X = QR, so that the scales of the columns do not
// matter, and are of length 1; rows of side 0 confine delta to the null space of
// theirs.
func (q *problem) recession(d *formula.Design) (*Separation, error) {
	n, p := d.X.Dims()
	var qr mat.QR
	qr.Factorize(d.X)
	var r mat.Dense
	qr.RTo(&r)
	tri := mat.NewTriDense(p, mat.Upper, nil)
	for i := range p {
		for j := i; j < p; j++ {
			tri.SetTri(i, j, r.At(i, j))
		}
	}
	var inv mat.TriDense
	if err := inv.InverseTri(tri); err != nil {
		return nil, fmt.Errorf("the columns of the design are not independent; their rank is below %d", p)
	}
	rows := make([][]float64, n) // of X R^{-1}, length 1
	var fixed, open []int
	for i := range n {
		if q.w[i] == 0 {
			continue
		}
		v := mat.NewVecDense(p, nil)
		v.MulVec(inv.T(), mat.NewVecDense(p, slices.Clone(d.X.RawRowView(i))))
		if l := mat.Norm(v, 2); l > 0 {
			v.ScaleVec(1/l, v)
		}
		rows[i] = v.RawVector().Data
		if side := q.side(i); side == 0 {
			fixed = append(fixed, i)
		} else {
			v.ScaleVec(float64(side), v)
			open = append(open, i)
		}
	}
	delta := make([]float64, p)
	separated := q.peel(rows, fixed, &open, delta)
	if len(separated) == 0 {
		return nil, nil
	}
	sep := &Separation{Complete: len(open)+len(fixed) == 0}
	slices.Sort(separated)
	for _, i := range separated {
		sep.Rows = append(sep.Rows, rowOf(d, i))
	}
	var beta mat.VecDense
	beta.MulVec(&inv, mat.NewVecDense(p, delta))
	top := mat.Norm(&beta, math.Inf(1))
	for j := range p {
		sep.Direction = append(sep.Direction, beta.AtVec(j)/top)
	}
	known := rowSpace(rows, append(slices.Clone(fixed), open...), p)
	for j := range p {
		// beta_j = e_j'R^{-1} gamma is determined iff R^{-T} e_j lies in the span.
		v := mat.NewVecDense(p, nil)
		for c := range p {
			v.SetVec(c, inv.At(j, c))
		}
		if !inside(known, v) {
			sep.Columns = append(sep.Columns, d.Names[j])
		}
	}
	return sep, nil
}

// peel removes separated rows from open until the rest overlaps, and adds the
// directions up: a later one may not undo an earlier one, so each is kept small
// enough to leave the rows already separated on their side.
func (q *problem) peel(rows [][]float64, fixed []int, open *[]int, delta []float64) []int {
	basis := complement(rowSpace(rows, fixed, len(delta)), len(delta))
	if basis == nil {
		return nil
	}
	_, k := basis.Dims()
	var separated []int
	for k > 0 && len(*open) > 0 {
		g := make([][]float64, len(*open))
		b := make([]float64, k)
		for c, i := range *open {
			v := mat.NewVecDense(k, nil)
			v.MulVec(basis.T(), mat.NewVecDense(len(delta), rows[i]))
			if l := mat.Norm(v, 2); l > 1e-9 {
				v.ScaleVec(1/l, v)
			} else {
				v.Zero()
			}
			g[c] = v.RawVector().Data
			for j := range b {
				b[j] -= g[c][j] / float64(len(*open))
			}
		}
		r := nonnegative(g, b)
		if l := math.Sqrt(dot(r, r)); l < 1e-7 {
			break
		} else {
			for j := range r {
				r[j] /= -l
			}
		}
		var rest, gone []int
		for c, i := range *open {
			if dot(g[c], r) > 1e-7 {
				gone = append(gone, i)
			} else {
				rest = append(rest, i)
			}
		}
		if len(gone) == 0 {
			break
		}
		step := mat.NewVecDense(len(delta), nil)
		step.MulVec(basis, mat.NewVecDense(k, r))
		size := 1.0
		for _, i := range separated {
			if s := dot(rows[i], step.RawVector().Data); s < 0 {
				size = math.Min(size, dot(rows[i], delta)/(-2*s))
			}
		}
		for j := range delta {
			delta[j] += size * step.AtVec(j)
		}
		separated, *open = append(separated, gone...), rest
	}
	return separated
}

// rowSpace is an orthonormal basis (p x k) of the span of the chosen rows; nil
// for the empty span.
func rowSpace(rows [][]float64, chosen []int, p int) *mat.Dense {
	cross := mat.NewSymDense(p, nil)
	for _, i := range chosen {
		cross.SymRankOne(cross, 1, mat.NewVecDense(p, rows[i]))
	}
	return eigenspace(cross, true)
}

// eigenspace gathers the eigenvectors of a with eigenvalues that are (or are
// not) above 1e-12 of the largest possible, its trace.
func eigenspace(a *mat.SymDense, above bool) *mat.Dense {
	p := a.SymmetricDim()
	trace := math.Max(mat.Trace(a), 1)
	var e mat.EigenSym
	if !e.Factorize(a, true) {
		return nil
	}
	var v mat.Dense
	e.VectorsTo(&v)
	var keep []int
	for j, l := range e.Values(nil) {
		if (l > 1e-12*trace) == above {
			keep = append(keep, j)
		}
	}
	if len(keep) == 0 {
		return nil
	}
	out := mat.NewDense(p, len(keep), nil)
	for c, j := range keep {
		for i := range p {
			out.Set(i, c, v.At(i, j))
		}
	}
	return out
}

// complement is an orthonormal basis of what is orthogonal to the columns of b
// (p x k).
func complement(b *mat.Dense, p int) *mat.Dense {
	proj := mat.NewSymDense(p, nil)
	if b != nil {
		_, k := b.Dims()
		for j := range k {
			proj.SymRankOne(proj, 1, b.ColView(j))
		}
	}
	return eigenspace(proj, false)
}

// inside says whether v lies in the span of the orthonormal columns of b.
func inside(b *mat.Dense, v *mat.VecDense) bool {
	size := mat.Norm(v, 2)
	if b == nil {
		return size == 0
	}
	var c, back, d mat.VecDense
	c.MulVec(b.T(), v)
	back.MulVec(b, &c)
	d.SubVec(v, &back)
	return mat.Norm(&d, 2) <= 1e-6*size
}
