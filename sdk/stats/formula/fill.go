package formula

// filling writes a coder's columns a strip of rows at a time. A strip is a
// column's entries in these rows, one after the other: inside WebAssembly this
// takes an eighth of the time of making the matrix row by row.
type filling struct {
	c      *coder
	values []*value
	rows   []int          // of this strip
	own    map[part]strip // of the variables, once a strip
	room   []float64      // for strips; reused
}

// part is a variable in one of its codings.
type part = factorOf

// strip is some columns, each with an entry a row.
type strip [][]float64

// fill writes the columns for the given rows of the evaluated variables into
// out, row-major with len(names) entries a row.
func (c *coder) fill(values []*value, rows []int, out []float64) {
	p := len(c.names)
	if p == 0 {
		return
	}
	size := max(1, min(512, 1<<18/p))
	f := &filling{c: c, values: values, own: map[part]strip{}}
	for from := 0; from < len(rows); from += size {
		f.rows = rows[from:min(from+size, len(rows))]
		f.room = f.room[:0]
		clear(f.own)
		f.write(out[from*p:], p)
	}
}

// write writes the columns of the strip's rows.
func (f *filling) write(out []float64, p int) {
	at := 0
	if f.c.intercept {
		for r := range f.rows {
			out[r*p] = 1
		}
		at = 1
	}
	for _, parts := range f.c.terms {
		for _, column := range f.term(parts) {
			to := out[at:]
			for r, v := range column {
				to[r*p] = v
			}
			at++
		}
	}
}

// term multiplies its variables' columns; the first variable's run fastest.
func (f *filling) term(parts []factorOf) strip {
	var cells strip
	for k, one := range parts {
		entries := f.variable(one)
		if k == 0 {
			cells = entries
			continue
		}
		next := make(strip, 0, len(cells)*len(entries))
		for _, e := range entries {
			for _, c := range cells {
				product := f.column()
				e := e[:len(product)]
				c := c[:len(product)]
				for r := range product {
					product[r] = c[r] * e[r]
				}
				next = append(next, product)
			}
		}
		cells = next
	}
	return cells
}

// variable is a variable's columns.
func (f *filling) variable(one part) strip {
	if s, ok := f.own[one]; ok {
		return s
	}
	own, v := f.c.variables[one.variable], f.values[one.variable]
	s := make(strip, own.columns(one.full))
	for j := range s {
		s[j] = f.column()
		if !own.factor {
			col := v.cols[j]
			for r, row := range f.rows {
				s[j][r] = col[row]
			}
			continue
		}
		of := make([]float64, len(own.levels)+1) // from code -1 on
		for k := range of {
			of[k] = own.code(int32(k)-1, j, one.full)
		}
		for r, row := range f.rows {
			s[j][r] = of[v.codes[row]+1]
		}
	}
	f.own[one] = s
	return s
}

// column is room for a strip's column.
func (f *filling) column() []float64 {
	n := len(f.rows)
	if cap(f.room)-len(f.room) < n {
		f.room = make([]float64, 0, max(n, 2*cap(f.room))) // the old one stays with the strips in it
	}
	at := len(f.room)
	f.room = f.room[:at+n]
	return f.room[at : at+n : at+n]
}
