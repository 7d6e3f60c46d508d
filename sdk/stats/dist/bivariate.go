package dist

import "math"

// BivariateNormal returns P(X <= h, Y <= k) of standard normal X and Y whose
// correlation is rho, |rho| <= 1; h and k may be infinite. NaN in any argument,
// or a rho outside [-1, 1], gives NaN. The error is below 1e-15 absolute.
//
// Method: A. Genz, "Numerical computation of rectangular bivariate and
// trivariate normal and t probabilities", Statistics and Computing 14 (2004)
// 251-260, after Drezner and Wesolowsky (1990). With
//
//	Phi2(h, k, rho) = Phi(h)Phi(k) + 1/(2 pi) int_0^asin(rho)
//	                  exp(-(h^2 + k^2 - 2hk sin t)/(2 cos^2 t)) dt
//
// (Plackett 1954: dPhi2/drho is the density; rho = sin t), the integrand is
// smooth for |rho| < 0.925 and 6, 12 or 20 Gauss-Legendre points suffice. Near
// |rho| = 1 it peaks, and the integral is taken from the limit |rho| = 1
// instead (see tail).
func BivariateNormal(h, k, rho float64) float64 {
	if math.IsNaN(h) || math.IsNaN(k) || !(math.Abs(rho) <= 1) {
		return math.NaN()
	}
	// Genz writes the upper quadrant P(X > h, Y > k); reflect both axes.
	h, k = -h, -k
	switch {
	case math.IsInf(h, 1) || math.IsInf(k, 1):
		return 0
	case math.IsInf(h, -1):
		return phi(-k)
	case math.IsInf(k, -1):
		return phi(-h)
	case rho == 0:
		return phi(-h) * phi(-k)
	}
	var p float64
	if math.Abs(rho) < 0.925 {
		p = plackett(h, k, rho)
	} else {
		p = tail(h, k, rho)
	}
	return math.Max(0, math.Min(1, p))
}

// BivariateNormalDensity returns the standard bivariate normal density at
// (h, k), 0 at infinite arguments; it is the derivative of BivariateNormal in
// rho (Plackett, Biometrika 41 (1954) 351). |rho| < 1.
func BivariateNormalDensity(h, k, rho float64) float64 {
	if math.IsInf(h, 0) || math.IsInf(k, 0) {
		return 0
	}
	// (1-rho)(1+rho) keeps its digits near |rho| = 1.
	u := (1 - rho) * (1 + rho)
	// h^2 - 2 rho h k + k^2 = (h - rho k)^2 + u k^2.
	d := h - rho*k
	return math.Exp(-(d*d/u+k*k)/2) / (2 * math.Pi * math.Sqrt(u))
}

// phi is the standard normal distribution function.
func phi(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

// plackett is P(X > h, Y > k) by Plackett's integral from rho = 0.
func plackett(h, k, rho float64) float64 {
	nodes, weights := legendre(rho)
	hk, hs, asr := h*k, (h*h+k*k)/2, math.Asin(rho)/2
	sum := 0.0
	for i, x := range nodes {
		for _, t := range [2]float64{1 - x, 1 + x} {
			sn := math.Sin(asr * t)
			sum += weights[i] * math.Exp((sn*hk-hs)/(1-sn*sn))
		}
	}
	return sum*asr/(2*math.Pi) + phi(-h)*phi(-k)
}

// tail is P(X > h, Y > k) for |rho| >= 0.925: the value at |rho| = 1, which is
// a univariate probability, less the integral from |rho| to 1. There, with
// x = sqrt(1 - r^2), the integrand exp(-(h-k)^2/(2x^2)) g(x) has its peaked part
// times the first terms of g integrated in closed form; the smooth rest is left
// to 20 points (Genz 2004, equation 6 and the code beside it).
func tail(h, k, rho float64) float64 {
	if rho < 0 {
		k = -k
	}
	hk, p := h*k, 0.0
	if math.Abs(rho) < 1 {
		as := (1 - rho) * (1 + rho)
		a := math.Sqrt(as)
		bs := (h - k) * (h - k)
		c, d := (4-hk)/8, (12-hk)/80
		if asr := -(bs/as + hk) / 2; asr > -100 {
			p = a * math.Exp(asr) * (1 - c*(bs-as)*(1-d*bs)/3 + c*d*as*as)
		}
		if hk > -100 {
			b := math.Sqrt(bs)
			p -= math.Exp(-hk/2) * math.Sqrt(2*math.Pi) * phi(-b/a) * b * (1 - c*bs*(1-d*bs)/3)
		}
		a /= 2
		nodes, weights := legendre(rho)
		sum := 0.0
		for i, x := range nodes {
			for _, t := range [2]float64{1 - x, 1 + x} {
				xs := (a * t) * (a * t)
				asr := -(bs/xs + hk) / 2
				if asr <= -100 {
					continue
				}
				rs := math.Sqrt(1 - xs)
				ep := math.Exp(-hk/2*xs/((1+rs)*(1+rs))) / rs
				sum += weights[i] * math.Exp(asr) * (1 + c*xs*(1+5*d*xs) - ep)
			}
		}
		p = (a*sum - p) / (2 * math.Pi)
	}
	switch {
	case rho > 0:
		return p + phi(-math.Max(h, k))
	case h >= k:
		return -p
	case h < 0:
		return phi(k) - phi(h) - p
	}
	return phi(-h) - phi(-k) - p
}

// legendre returns the positive Gauss-Legendre nodes on [-1, 1] and their
// weights: 6, 12 or 20 points by |rho|, as Genz chose for double precision.
func legendre(rho float64) (nodes, weights []float64) {
	switch r := math.Abs(rho); {
	case r < 0.3:
		return []float64{0.9324695142031522, 0.6612093864662647, 0.2386191860831970},
			[]float64{0.1713244923791705, 0.3607615730481384, 0.4679139345726904}
	case r < 0.75:
		return []float64{0.9815606342467191, 0.9041172563704750, 0.7699026741943050, 0.5873179542866171, 0.3678314989981802, 0.1252334085114692},
			[]float64{0.04717533638651177, 0.1069393259953183, 0.1600783285433464, 0.2031674267230659, 0.2334925365383547, 0.2491470458134029}
	}
	return []float64{0.9931285991850949, 0.9639719272779138, 0.9122344282513259, 0.8391169718222188, 0.7463319064601508,
			0.6360536807265150, 0.5108670019508271, 0.3737060887154196, 0.2277858511416451, 0.07652652113349733},
		[]float64{0.01761400713915212, 0.04060142980038694, 0.06267204833410906, 0.08327674157670475, 0.1019301198172404,
			0.1181945319615184, 0.1316886384491766, 0.1420961093183821, 0.1491729864726037, 0.1527533871307259}
}
