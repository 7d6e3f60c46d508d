// Command asm generates the assembly of package dense. Run it with
//
//	go generate ./sdk/dense
//
// and commit what it writes: tiles_amd64.s with the micro-kernels, and
// tiles_amd64.go with their Go declarations.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// isa is an instruction set, and the tile that fits its registers.
type isa struct {
	name     string
	width    int // bytes of a register
	rows     int // of the tile; its columns are two registers
	register func() VecVirtual
}

func main() {
	ConstraintExpr("amd64,!noasm")
	// AVX2 has 16 registers: 6 rows leave 12 for sums, two for B, and two for
	// an element of A and a product. AVX-512 has 32; 16 sums are enough to
	// hide the latency of an addition, and more rows would only make more
	// edges.
	for _, s := range []isa{
		{"AVX2", 32, 6, func() VecVirtual { return YMM() }},
		{"AVX512", 64, 8, func() VecVirtual { return ZMM() }},
	} {
		for rows := 1; rows <= s.rows; rows++ {
			s.tile(rows)
		}
	}
	Generate()
}

// rowsAt addresses rows base + i*stride for small i. An x86 address holds one
// register scaled by 1, 2, 4 or 8, so every third row has a base of its own.
func rowsAt(base Register, stride GPVirtual, count int) func(i int) Mem {
	var bases []GPVirtual
	for i := 0; i < count; i += 3 {
		b := GP64()
		if i == 0 {
			MOVQ(base, b)
		} else {
			LEAQ(Mem{Base: bases[len(bases)-1], Index: stride, Scale: 2}, b)
			ADDQ(stride, b)
		}
		bases = append(bases, b)
	}
	return func(i int) Mem {
		m := Mem{Base: bases[i/3]}
		if i%3 > 0 {
			m.Index, m.Scale = stride, uint8(i%3)
		}
		return m
	}
}

// bytes loads a parameter that counts elements, as bytes.
func bytes(param string) GPVirtual {
	r := GP64()
	Load(Param(param), r)
	SHLQ(U8(3), r)
	return r
}

// tile writes the micro-kernel of that many rows. Products and sums are
// instructions of their own: fused ones would give other bits than Go does.
func (s isa) tile(rows int) {
	name := fmt.Sprintf("tile%d%s", rows, s.name)
	TEXT(name, NOSPLIT, "func(kc int, a, b []float64, b0, ldb int, c []float64, c0, ldc int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s is a tileFunc of %d rows.", name, rows))

	first := Load(Param("c").Base(), GP64())
	ADDQ(bytes("c0"), first)
	c := rowsAt(first, bytes("ldc"), rows)
	sums := make([][2]VecVirtual, rows)
	for i := range sums {
		for v := range sums[i] {
			sums[i][v] = s.register()
			VMOVUPD(c(i).Offset(v*s.width), sums[i][v])
		}
	}

	kc := GP64()
	Load(Param("kc"), kc)
	a, b := GP64(), GP64()
	Load(Param("a").Base(), a)
	Load(Param("b").Base(), b)
	ADDQ(bytes("b0"), b)
	ldb := bytes("ldb")

	TESTQ(kc, kc)
	JLE(LabelRef("store"))
	Label("loop")
	var y [2]VecVirtual
	for v := range y {
		y[v] = s.register()
		VMOVUPD(Mem{Base: b, Disp: v * s.width}, y[v])
	}
	for i := range sums {
		x, t := s.register(), s.register()
		VBROADCASTSD(Mem{Base: a, Disp: 8 * i}, x)
		VMULPD(x, y[0], t)
		VMULPD(x, y[1], x)
		VADDPD(t, sums[i][0], sums[i][0])
		VADDPD(x, sums[i][1], sums[i][1])
	}
	ADDQ(U32(8*s.rows), a)
	ADDQ(ldb, b)
	DECQ(kc)
	JNZ(LabelRef("loop"))

	Label("store")
	for i := range sums {
		for v := range sums[i] {
			VMOVUPD(sums[i][v], c(i).Offset(v*s.width))
		}
	}
	VZEROUPPER()
	RET()
}
