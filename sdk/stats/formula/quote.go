package formula

// Quote writes a column's name as it stands in a formula, in backquotes where
// it is no plain name.
func Quote(name string) string { return quoteName(name) }
