// Package ols fits linear models by least squares.
//
// A Model minimises sum w_i (y_i - offset_i - x_i'beta)^2 by Householder QR of
// sqrt(w) X, never by normal equations, so that its digits survive nearly
// collinear columns. Its Covariance of beta is one of
//
//	Classical   sigma^2 (X'WX)^-1, t with n - p degrees of freedom
//	HC0 - HC3   White's sandwich, robust to unequal variances (MacKinnon and
//	            White 1985; Long and Ervin 2000 advise HC3), t with n - p
//	CR0 - CR1S  Liang and Zeger's sandwich, robust to dependence within
//	            clusters, t with G - 1 degrees of freedom for G clusters
//	            (Cameron and Miller 2015)
//
// A Model is an [estimate.Linear]: contrasts, joint tests, marginal means and
// predictions all use the chosen covariance.
package ols
