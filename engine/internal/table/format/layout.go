package format

import (
	"slices"
	"strings"
)

// A layout is how a table's columns are placed: which are shown, and how many
// cells each takes.
type layout struct {
	shown  []int // columns, in their order
	widths []int // of all columns
}

// A column is narrowed no further than this where there is more to see of it.
const (
	leastText = 10
	leastHead = 8 // of a column of numbers, which are never cut themselves
)

// arrange lays out a grid (its first row is the head) in limit cells; 0 is no
// limit. Where it is wider, the widest columns are narrowed first; where that
// is not enough, columns that say the same in every row are left out, and then
// the last ones.
func arrange(grid [][]string, number []bool, limit int) layout {
	n := len(grid[0])
	l := layout{widths: make([]int, n)}
	least := make([]int, n)
	for k := range n {
		values := 0
		for _, row := range grid[1:] {
			values = max(values, cells(row[k]))
		}
		head := cells(grid[0][k])
		l.widths[k] = min(max(head, values), longestCell)
		if number[k] {
			least[k] = max(values, min(head, leastHead))
		} else {
			least[k] = min(l.widths[k], leastText)
		}
		l.shown = append(l.shown, k)
	}
	if limit <= 0 {
		return l
	}
	for _, may := range []func(k int) bool{func(k int) bool { return same(grid[1:], k) }, func(int) bool { return true }} {
		for i := n - 1; i >= 0 && len(l.shown) > 1 && total(l.shown, least) > limit; i-- {
			if at := slices.Index(l.shown, i); at >= 0 && may(i) {
				l.shown = slices.Delete(l.shown, at, at+1)
			}
		}
	}
	for total(l.shown, l.widths) > limit {
		widest := -1
		for _, k := range l.shown {
			if l.widths[k] > least[k] && (widest < 0 || l.widths[k] > l.widths[widest]) {
				widest = k
			}
		}
		if widest < 0 {
			break
		}
		l.widths[widest]--
	}
	return l
}

// total is what columns take, with two cells between any two.
func total(columns, widths []int) int {
	sum := 2 * max(len(columns)-1, 0)
	for _, k := range columns {
		sum += widths[k]
	}
	return sum
}

// same reports whether a column says the same in every one of several rows.
func same(rows [][]string, k int) bool {
	for _, row := range rows {
		if row[k] != rows[0][k] {
			return false
		}
	}
	return len(rows) > 1
}

// hidden names the columns that are not shown, in lines of at most limit cells
// where the names allow it.
func (l layout) hidden(head []string, limit int) string {
	var b strings.Builder
	line := "not shown:"
	for k, name := range head {
		if slices.Contains(l.shown, k) {
			continue
		}
		word := " " + name
		if cells(line+word) > limit-1 && line != "" {
			b.WriteString(line + "\n")
			line, word = "", name
		}
		line += word + ","
	}
	return b.String() + strings.TrimSuffix(line, ",") + "\n"
}
