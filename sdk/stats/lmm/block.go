package lmm

import "math"

// The blocks of a random-effects structure are as small as the columns of one
// grouping factor, one to about ten, so they are plain row-major slices of
// length k*k and these few loops.

// cholesky overwrites the lower triangle of the symmetric k x k matrix a with
// L, a = LL', and zeroes the rest. It reports false when a is not positive
// definite.
func cholesky(a []float64, k int) bool {
	for i := 0; i < k; i++ {
		for j := 0; j <= i; j++ {
			s := a[i*k+j]
			for m := 0; m < j; m++ {
				s -= a[i*k+m] * a[j*k+m]
			}
			if i != j {
				a[i*k+j] = s / a[j*k+j]
				continue
			}
			if !(s > 0) || math.IsInf(s, 1) {
				return false
			}
			a[i*k+i] = math.Sqrt(s)
		}
		for j := i + 1; j < k; j++ {
			a[i*k+j] = 0
		}
	}
	return true
}

// forwardSolve overwrites the k x m matrix b with L^-1 b.
func forwardSolve(l []float64, k int, b []float64, m int) {
	for i := 0; i < k; i++ {
		bi := b[i*m : i*m+m]
		for j := 0; j < i; j++ {
			v := l[i*k+j]
			if v == 0 {
				continue
			}
			bj := b[j*m : j*m+m]
			for c := range bi {
				bi[c] -= v * bj[c]
			}
		}
		d := 1 / l[i*k+i]
		for c := range bi {
			bi[c] *= d
		}
	}
}

// backSolve overwrites the k x m matrix b with L'^-1 b.
func backSolve(l []float64, k int, b []float64, m int) {
	for i := k - 1; i >= 0; i-- {
		bi := b[i*m : i*m+m]
		for j := i + 1; j < k; j++ {
			v := l[j*k+i]
			if v == 0 {
				continue
			}
			bj := b[j*m : j*m+m]
			for c := range bi {
				bi[c] -= v * bj[c]
			}
		}
		d := 1 / l[i*k+i]
		for c := range bi {
			bi[c] *= d
		}
	}
}

// multiply sets out = a b for k x k matrices; out is neither a nor b.
func multiply(out, a, b []float64, k int) {
	for i := 0; i < k; i++ {
		for j := 0; j < k; j++ {
			s := 0.0
			for m := 0; m < k; m++ {
				s += a[i*k+m] * b[m*k+j]
			}
			out[i*k+j] = s
		}
	}
}

// multiplyT sets out = a b' for k x k matrices; out is neither a nor b.
func multiplyT(out, a, b []float64, k int) {
	for i := 0; i < k; i++ {
		for j := 0; j < k; j++ {
			s := 0.0
			for m := 0; m < k; m++ {
				s += a[i*k+m] * b[j*k+m]
			}
			out[i*k+j] = s
		}
	}
}

// tMultiply sets out = a' b for k x k matrices; out is neither a nor b.
func tMultiply(out, a, b []float64, k int) {
	for i := 0; i < k; i++ {
		for j := 0; j < k; j++ {
			s := 0.0
			for m := 0; m < k; m++ {
				s += a[m*k+i] * b[m*k+j]
			}
			out[i*k+j] = s
		}
	}
}

// traceProduct is tr(ab) for k x k matrices.
func traceProduct(a, b []float64, k int) float64 {
	s := 0.0
	for i := 0; i < k; i++ {
		for j := 0; j < k; j++ {
			s += a[i*k+j] * b[j*k+i]
		}
	}
	return s
}

// quadratic is x'ay for the k x k matrix a.
func quadratic(x, a, y []float64) float64 {
	k, s := len(x), 0.0
	for i, xi := range x {
		if xi != 0 {
			s += xi * dot(a[i*k:i*k+k], y)
		}
	}
	return s
}

func dot(a, b []float64) float64 {
	s := 0.0
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

// axpy adds v x to y.
func axpy(v float64, x, y []float64) {
	if v == 0 {
		return
	}
	y = y[:len(x)]
	for i, xi := range x {
		y[i] += v * xi
	}
}

// mirror copies the lower triangle of the k x k matrix a onto the upper.
func mirror(a []float64, k int) {
	for i := 0; i < k; i++ {
		for j := 0; j < i; j++ {
			a[j*k+i] = a[i*k+j]
		}
	}
}
