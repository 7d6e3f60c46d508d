//go:build !wasip1

package dense

// Outside a guest there is no host to go to.
const hasHost = false

func hostGemm(product) {}
func hostTrsm(solve)   {}

func (product) worthHost() bool { return false }
func (solve) worthHost() bool   { return false }
