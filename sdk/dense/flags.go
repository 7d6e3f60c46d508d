package dense

// Flags of the plugin ABI's num_gemm and num_trsm. sdk/abi has them too; a
// test holds them together.
const (
	gemmTransA = 1
	gemmTransB = 2
	gemmLower  = 4
	trsmRight  = 1
	trsmTrans  = 2
)
