package dense

// plainSize is the number of unknowns and of right-hand sides up to which
// blocks cost more than they save.
const plainSize = 8

// columns is the system with the factor to the left: X op(L) = B is
// op(L)' X' = B'.
func (s solve) columns() (b view, trans bool) {
	return s.b.op(bool(s.side)), s.trans != bool(s.side)
}

// plain solves one right-hand side after another.
func (s solve) plain() {
	b, trans := s.columns()
	l, n := s.l, s.n
	for r := range s.m {
		x := b.from(0, r)
		for q := range n {
			i, at, step, y, ystep := q, l.at+q*l.row, 1, x.at, x.row
			if trans {
				i = n - 1 - q
				at, step, y, ystep = l.at+(n-1)*l.row+i, -l.row, x.at+(n-1)*x.row, -x.row
			}
			v := &x.data[x.at+i*x.row]
			t := *v
			for range q {
				t -= float64(l.data[at] * x.data[y])
				at += step
				y += ystep
			}
			*v = t / l.data[l.at+i*(l.row+1)]
		}
	}
}

// vector solves for one right-hand side.
func (ws *workspace) vector(s solve) error {
	b, trans := s.columns()
	x := sized(&ws.turn, s.n)
	for i := range x {
		x[i] = b.data[b.at+i*b.row]
	}
	do := downward
	if trans {
		do = upward
	}
	if err := do(s.l, x, ws.ask); err != nil {
		return err
	}
	for i, v := range x {
		b.data[b.at+i*b.row] = v
	}
	return nil
}

// vectorPoll is the number of unknowns after which to ask whether to go on.
const vectorPoll = 256

// downward solves L x = b. Four rows at a time keep four sums in flight.
func downward(l view, x []float64, ask func() error) error {
	n := len(x)
	row := func(i, n int) []float64 { return l.data[l.at+i*l.row:][:n] }
	i := 0
	for ; i+4 <= n; i += 4 {
		if i%vectorPoll == 0 {
			if err := ask(); err != nil {
				return err
			}
		}
		r0, r1, r2, r3 := row(i, i+4), row(i+1, i+4), row(i+2, i+4), row(i+3, i+4)
		s0, s1, s2, s3 := x[i], x[i+1], x[i+2], x[i+3]
		for p, v := range x[:i] {
			s0 -= float64(r0[p] * v)
			s1 -= float64(r1[p] * v)
			s2 -= float64(r2[p] * v)
			s3 -= float64(r3[p] * v)
		}
		s0 /= r0[i]
		s1 = (s1 - float64(r1[i]*s0)) / r1[i+1]
		s2 = (s2 - float64(r2[i]*s0) - float64(r2[i+1]*s1)) / r2[i+2]
		s3 = (s3 - float64(r3[i]*s0) - float64(r3[i+1]*s1) - float64(r3[i+2]*s2)) / r3[i+3]
		x[i], x[i+1], x[i+2], x[i+3] = s0, s1, s2, s3
	}
	for ; i < n; i++ {
		li, s := row(i, i+1), x[i]
		for p, v := range x[:i] {
			s -= float64(li[p] * v)
		}
		x[i] = s / li[i]
	}
	return nil
}

// upward solves L' x = b: each unknown is taken from all others as soon as it
// is known, so that rows of L are read along.
func upward(l view, x []float64, ask func() error) error {
	for i := len(x) - 1; i >= 0; i-- {
		if i%vectorPoll == 0 {
			if err := ask(); err != nil {
				return err
			}
		}
		li := l.data[l.at+i*l.row:][:i+1]
		v := x[i] / li[i]
		x[i] = v
		for p, y := range li[:i] {
			x[p] -= float64(y * v)
		}
	}
	return nil
}
