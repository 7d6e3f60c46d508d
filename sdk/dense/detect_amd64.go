//go:build amd64 && !noasm

package dense

import "golang.org/x/sys/cpu"

func detect() *backend {
	if fast := accelerated(); len(fast) > 0 {
		return fast[0]
	}
	return portable()
}

// accelerated lists the backends beyond portable that this CPU can run,
// fastest first. golang.org/x/sys/cpu also asks whether the operating system
// saves the wide registers.
func accelerated() []*backend {
	var list []*backend
	if cpu.X86.HasAVX512F {
		list = append(list, &backend{name: "avx512", mr: 8, nr: 16, tiles: []tileFunc{
			tile1AVX512, tile2AVX512, tile3AVX512, tile4AVX512, tile5AVX512, tile6AVX512, tile7AVX512, tile8AVX512,
		}})
	}
	if cpu.X86.HasAVX2 {
		list = append(list, &backend{name: "avx2", mr: 6, nr: 8, tiles: []tileFunc{
			tile1AVX2, tile2AVX2, tile3AVX2, tile4AVX2, tile5AVX2, tile6AVX2,
		}})
	}
	return list
}
