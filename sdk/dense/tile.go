package dense

// tileFunc updates one tile of C, of its own number of rows i and nr columns:
//
//	c[c0 + i*ldc + j] += a[p*mr + i] * b[b0 + p*ldb + j]   p = 0, 1, ..., kc-1
//
// each product and each sum rounded by itself, in that order. A is packed; B
// may be packed or lie in a row-major matrix, read downwards or (ldb < 0)
// upwards.
type tileFunc func(kc int, a, b []float64, b0, ldb int, c []float64, c0, ldc int)

// backend is one set of micro-kernels.
type backend struct {
	name   string
	mr, nr int
	tiles  []tileFunc // tiles[r-1] has r rows, up to mr
}

// maxTile is the number of elements of the largest tile of any backend.
const maxTile = 8 * 16

// best is the backend that every function uses. The processor decides.
var best = detect()

// Backend names the kernels in use: "avx512", "avx2" or "portable". It
// decides nothing but speed.
func Backend() string { return best.name }

func portable() *backend {
	return &backend{name: "portable", mr: 4, nr: 4, tiles: []tileFunc{tile1x4, tile2x4, tile3x4, tile4x4}}
}

// float64(x*y) below is rounded before it is added: the Go specification lets
// a compiler fuse x*y + z, as those for arm64, ppc64, riscv64 and s390x do,
// but not across a conversion.

func tile1x4(kc int, a, b []float64, b0, ldb int, c []float64, c0, ldc int) {
	row1x4(kc, a, 0, b, b0, ldb, c[c0:c0+4:c0+4])
}

func tile2x4(kc int, a, b []float64, b0, ldb int, c []float64, c0, ldc int) {
	row2x4(kc, a, 0, b, b0, ldb, c[c0:c0+4:c0+4], c[c0+ldc:c0+ldc+4:c0+ldc+4])
}

func tile3x4(kc int, a, b []float64, b0, ldb int, c []float64, c0, ldc int) {
	row2x4(kc, a, 0, b, b0, ldb, c[c0:c0+4:c0+4], c[c0+ldc:c0+ldc+4:c0+ldc+4])
	row1x4(kc, a, 2, b, b0, ldb, c[c0+2*ldc:c0+2*ldc+4:c0+2*ldc+4])
}

func tile4x4(kc int, a, b []float64, b0, ldb int, c []float64, c0, ldc int) {
	row2x4(kc, a, 0, b, b0, ldb, c[c0:c0+4:c0+4], c[c0+ldc:c0+ldc+4:c0+ldc+4])
	row2x4(kc, a, 2, b, b0, ldb, c[c0+2*ldc:c0+2*ldc+4:c0+2*ldc+4], c[c0+3*ldc:c0+3*ldc+4:c0+3*ldc+4])
}

// row1x4 is one row of a tile, that of element i of each group of a.
func row1x4(kc int, a []float64, i int, b []float64, b0, ldb int, c []float64) {
	c0, c1, c2, c3 := c[0], c[1], c[2], c[3]
	for p := range kc {
		x, y := a[4*p+i], b[b0:b0+4:b0+4]
		c0 += float64(x * y[0])
		c1 += float64(x * y[1])
		c2 += float64(x * y[2])
		c3 += float64(x * y[3])
		b0 += ldb
	}
	c[0], c[1], c[2], c[3] = c0, c1, c2, c3
}

// row2x4 is two rows, those of elements i and i+1: eight sums fit into the
// registers of most processors, sixteen do not.
func row2x4(kc int, a []float64, i int, b []float64, b0, ldb int, c, d []float64) {
	c0, c1, c2, c3 := c[0], c[1], c[2], c[3]
	d0, d1, d2, d3 := d[0], d[1], d[2], d[3]
	for p := range kc {
		x, y := a[4*p+i:4*p+i+2:4*p+i+2], b[b0:b0+4:b0+4]
		x0, x1 := x[0], x[1]
		c0 += float64(x0 * y[0])
		d0 += float64(x1 * y[0])
		c1 += float64(x0 * y[1])
		d1 += float64(x1 * y[1])
		c2 += float64(x0 * y[2])
		d2 += float64(x1 * y[2])
		c3 += float64(x0 * y[3])
		d3 += float64(x1 * y[3])
		b0 += ldb
	}
	c[0], c[1], c[2], c[3] = c0, c1, c2, c3
	d[0], d[1], d[2], d[3] = d0, d1, d2, d3
}
