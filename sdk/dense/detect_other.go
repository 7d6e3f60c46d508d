//go:build !amd64 || noasm

package dense

func detect() *backend { return portable() }

// accelerated lists the backends that this CPU can run beyond portable.
func accelerated() []*backend { return nil }
