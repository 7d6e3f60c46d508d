// Package dense is dense linear algebra in float64 whose results have the same
// bits on every machine: matrix products, triangular solves, Cholesky factors
// and inverses. Mixed models are built on it.
//
// Its nouns:
//
//   - A [Matrix] is row-major with a stride: element (i, j) lies at
//     Data[i*Stride+j], Stride >= Cols. It is laid out as gonum's
//     blas64.General: Matrix(m.RawMatrix()) converts a *mat.Dense without a
//     copy.
//   - A factor is a lower triangular matrix L. Of a symmetric or triangular
//     matrix only the lower triangle is read and written; what lies above
//     the diagonal may hold anything and keeps it.
//   - A tile is the piece of C that one call of a micro-kernel updates while
//     its sums stay in registers.
//   - A chain is the sequence of rounded operations that makes one element.
//
// # The same bits
//
// Every element of a result is one chain, written down here. Each operation
// in it rounds to nearest even in IEEE 754 binary64, subnormals included;
// multiplication and addition are never fused; the terms are added one by one
// in the order given, to the element itself. How work is cut into blocks,
// tiles and vectors does not change a chain, since cutting one and going on
// with what was stored is the same chain: blocks are not part of the
// definition.
//
//	Gemm   c_ij <- c_ij + (alpha a_ip) b_pj          p = 0, 1, ..., k-1
//	Syrk   c_ij <- c_ij + (alpha a_ip) a_jp          p = 0, 1, ..., k-1;  i >= j
//	Trsm   x_ij <- b_ij - l_ip x_pj                  p = 0, ..., i-1;     then / l_ii     L X = B
//	       x_ij <- b_ij - l_pi x_pj                  p = n-1, ..., i+1;   then / l_ii     L' X = B
//	       x_ij <- b_ij - x_ip l_jp                  p = 0, ..., j-1;     then / l_jj     X L' = B
//	       x_ij <- b_ij - x_ip l_pj                  p = n-1, ..., j+1;   then / l_jj     X L = B
//	Potrf  l_ij <- a_ij - l_ip l_jp                  p = 0, ..., j-1;     then / l_jj, or the root where i = j
//	Trtri  column j of X: L x = e_j by Trsm          p = j, ..., i-1
//	Potri  c_ij <- x_pi x_pj                         p = i, ..., n-1;     i >= j, X = Trtri(L)
//
// So the assembly, the portable Go code on any processor, and the same code
// inside a WebAssembly guest agree, and so does a textbook's triple loop; the
// tests compare them bit by bit. A NaN is where the definition has a NaN, but
// its sign and payload are not promised, as they are not for WebAssembly's
// own arithmetic; flow makes them canonical where results leave a plugin.
// Trtri and Potri read zeros above the diagonal of blocks, so that promise
// holds for finite factors; with infinities in L they may give more NaNs than
// the formula, the same ones everywhere.
//
// The price is speed: without fused operations a processor does half as many
// a second. And a chain's error grows with its length k, up to k/2^53 of the
// sum of the absolute terms.
//
// # Where the work is done
//
// A Go program uses the kernels directly: assembly for AVX-512 or AVX2 where
// the processor has them, else Go. Inside a plugin (GOOS=wasip1) calls of
// enough work go to flow, through the imports num_gemm and num_trsm of the
// plugin ABI; smaller ones, for which crossing over does not pay, stay in the
// guest. Nothing here starts a goroutine; calls on different matrices may run
// at the same time.
//
// # Errors
//
// Nothing panics. Each function checks all shapes, slices and overlaps before
// it touches anything, and says in its error what does not fit. Matrices that
// are written must not overlap any other argument; parts of one larger matrix
// that have no element in common are fine. A [*PivotError] says that a matrix
// is not positive definite.
//
// # Sources
//
// K. Goto, R. van de Geijn, "Anatomy of High-Performance Matrix
// Multiplication", ACM TOMS 34(3), 2008, for packing and blocks;
// F. Gustavson, "Recursion leads to automatic variable blocking for dense
// linear-algebra algorithms", IBM J. Res. Dev. 41(6), 1997, for the solves
// and factors. Names are those of LAPACK.
package dense

//go:generate sh -c "cd asm && go run . -out ../tiles_amd64.s -stubs ../tiles_amd64.go -pkg dense"
