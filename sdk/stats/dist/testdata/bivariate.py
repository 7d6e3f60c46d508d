"""Writes bivariate.json with mpmath, at 40 digits: python bivariate.py OUT

P(X <= h, Y <= k) as the integral of phi(x) Phi((k - rho x)/sqrt(1 - rho^2)),
cut where the inner normal turns: another formula than the one under test.
"""
import json
import random
import sys

from mpmath import mp, mpf, quad, ncdf, npdf, sqrt

mp.dps = 40


def phi2(h, k, r):
    h, k, r = mpf(h), mpf(k), mpf(r)
    s = sqrt(1 - r * r)
    low = mpf(-14)
    turn = k / r if r else mpf(0)
    cuts = sorted({low, h} | {c for c in [turn + j * s * 3 / abs(r or 1) for j in range(-4, 5)] + [mpf(-4), mpf(0), mpf(4)] if low < c < h})
    return quad(lambda x: npdf(x) * ncdf((k - r * x) / s), cuts, maxdegree=10)


random.seed(20041)
points = [(h, k, r) for r in (-0.999999, -0.99, -0.93, -0.92, -0.5, 0.05, 0.29, 0.31, 0.74, 0.76, 0.924, 0.926, 0.98, 0.9999)
          for h, k in ((0.0, 0.0), (0.3, 0.3), (-1.2, 0.7), (2.5, -0.4), (-3.1, -2.9), (1.0, -1.0))]
points += [(round(random.uniform(-4, 4), 3), round(random.uniform(-4, 4), 3), round(random.uniform(-1, 1), 4)) for _ in range(120)]
with open(sys.argv[1], "w") as f:
    json.dump([{"h": h, "k": k, "rho": r, "p": float(phi2(h, k, r))} for h, k, r in points], f, indent=0)
