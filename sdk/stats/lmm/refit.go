package lmm

import "fmt"

// Refit fits the same model to another response, one value for each row used,
// without making the cross-products of X and Z again. The search begins at
// this model's theta where that is not singular.
func (m *Model) Refit(y []float64) (*Model, error) {
	return m.refit(y, m.opt)
}

func (m *Model) refit(y []float64, o Options) (*Model, error) {
	q, err := m.q.respond(y)
	if err != nil {
		return nil, err
	}
	d := *m.design
	d.Y = append([]float64(nil), y...)
	m.mu.Lock()
	k := m.f.k.respond(q)
	m.mu.Unlock()
	theta := append([]float64(nil), m.pt.theta...)
	if nearSingular(theta, q) {
		theta = q.start()
	}
	return fit(&d, q, k, theta, o)
}

// respond copies the problem with another response.
func (q *problem) respond(y []float64) (*problem, error) {
	if len(y) != q.n {
		return nil, fmt.Errorf("the new response has %d values for %d observations", len(y), q.n)
	}
	if err := finite("response", y); err != nil {
		return nil, err
	}
	constant := true
	for _, v := range y {
		constant = constant && v == y[0]
	}
	if constant {
		return nil, fmt.Errorf("the response is %v in every row: without variance there is nothing to model", y[0])
	}
	n := *q
	n.yy = make([]float64, q.n)
	n.mean = append([]float64(nil), q.mean...)
	n.mean[q.p] = 0
	total := 0.0
	for i, v := range y {
		n.yy[i] = v - q.offset(i)
		w := 1.0
		if q.root != nil {
			w = q.root[i] * q.root[i]
		}
		total += w
		n.mean[q.p] += w * n.yy[i]
	}
	n.mean[q.p] /= total
	if q.icpt < 0 {
		n.mean[q.p] = 0
	}
	n.xy = append([]float64(nil), q.xy...)
	for i, v := range n.yy {
		v -= n.mean[q.p]
		if q.root != nil {
			v *= q.root[i]
		}
		n.xy[i*q.w+q.p] = v
	}
	return &n, nil
}

// ML is the same model fitted by maximum likelihood, for likelihood-ratio
// tests and information criteria over different fixed effects; the model
// itself if it was. Kenward-Roger becomes Satterthwaite.
func (m *Model) ML() (*Model, error) {
	if !m.opt.REML {
		return m, nil
	}
	o := m.opt
	o.REML = false
	if o.DF == KenwardRoger {
		o.DF = Satterthwaite
	}
	return m.refit(m.response(), o)
}

// REML is the same model fitted by restricted maximum likelihood.
func (m *Model) REML() (*Model, error) {
	if m.opt.REML {
		return m, nil
	}
	o := m.opt
	o.REML = true
	return m.refit(m.response(), o)
}

// response is y as given.
func (m *Model) response() []float64 {
	y := append([]float64(nil), m.q.yy...)
	for i := range y {
		y[i] += m.q.offset(i)
	}
	return y
}
