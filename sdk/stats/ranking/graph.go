package ranking

import (
	"fmt"
	"strings"
)

// ConnectionError says that the win graph is not strongly connected, so that some
// differences of worth have no finite estimate.
type ConnectionError struct {
	// Groups of items within which worths can be compared; where not Apart, an
	// earlier group won all its comparisons with later ones.
	Groups [][]string
	// Apart: some groups were never compared with one another at all.
	Apart bool
}

func (e *ConnectionError) Error() string {
	var groups []string
	for i, g := range e.Groups {
		if i == 6 {
			groups = append(groups, "...")
			break
		}
		if len(g) > 8 {
			g = append(append([]string(nil), g[:8]...), "...")
		}
		groups = append(groups, "{"+strings.Join(g, ", ")+"}")
	}
	why := "in these groups, each of which won every comparison with a later one"
	if e.Apart {
		why = "in these groups, some of which were never compared with one another"
	}
	return fmt.Sprintf("the worths have no finite estimates: the %d items fall %s: %s; compare across groups, fit each group alone, or ask for pseudo-comparisons", e.items(), why, strings.Join(groups, " "))
}

func (e *ConnectionError) items() int {
	n := 0
	for _, g := range e.Groups {
		n += len(g)
	}
	return n
}

// connected returns nil when every item can be reached from every other along
// wins, else the reason with strong components in topological order (winners
// first).
func connected(choices []choice, names []string) error {
	m := len(names)
	wins, either := make([]map[int]bool, m), make([]map[int]bool, m)
	for i := range m {
		wins[i], either[i] = map[int]bool{}, map[int]bool{}
	}
	for _, c := range choices {
		for a, i := range c.set[:c.taken] {
			for b, j := range c.set {
				if a != b {
					wins[i][j] = true
					either[i][j], either[j][i] = true, true
				}
			}
		}
	}
	groups := components(wins)
	if len(groups) == 1 {
		return nil
	}
	e := &ConnectionError{Apart: len(components(either)) > 1}
	if e.Apart {
		groups = components(either)
	}
	for _, g := range groups {
		var n []string
		for _, i := range g {
			n = append(n, names[i])
		}
		e.Groups = append(e.Groups, n)
	}
	return e
}

// components are the strong components by Kosaraju's algorithm, without
// recursion, each in the order of the items, a component before those it has
// edges to.
func components(edges []map[int]bool) [][]int {
	m := len(edges)
	back := make([][]int, m)
	fore := make([][]int, m)
	for i := range m {
		for j := range m {
			if edges[i][j] {
				fore[i] = append(fore[i], j)
				back[j] = append(back[j], i)
			}
		}
	}
	var finished []int
	seen := make([]bool, m)
	for i := range m {
		walk(i, fore, seen, func(v int) { finished = append(finished, v) })
	}
	label := make([]int, m)
	clear(seen)
	n := 0
	for k := m - 1; k >= 0; k-- {
		if seen[finished[k]] {
			continue
		}
		walk(finished[k], back, seen, func(v int) { label[v] = n })
		n++
	}
	out := make([][]int, n)
	for i, l := range label {
		out[l] = append(out[l], i)
	}
	return out
}

// walk goes depth first from a vertex and calls leave as it leaves each.
func walk(from int, edges [][]int, seen []bool, leave func(int)) {
	if seen[from] {
		return
	}
	seen[from] = true
	stack, next := []int{from}, map[int]int{}
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		if next[v] == len(edges[v]) {
			leave(v)
			stack = stack[:len(stack)-1]
			continue
		}
		u := edges[v][next[v]]
		next[v]++
		if !seen[u] {
			seen[u] = true
			stack = append(stack, u)
		}
	}
}
