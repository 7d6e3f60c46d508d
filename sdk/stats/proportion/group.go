package proportion

import "fmt"

// Row is a line of a group table: how often a level of the outcome was seen in a
// group.
type Row struct {
	Group, Level string
	N            int     // rows of this group with this level
	Total        int     // rows of this group
	Percentage   float64 // 100 N / Total
	Lower, Upper float64 // confidence limits of the percentage
}

// Groups lists every level of the outcome (columns) in every group (rows), in
// the table's order, with limits by method m.
func (t *Table) Groups(m Method, level float64) ([]Row, error) {
	var rows []Row
	for i, counts := range t.Counts {
		total := 0
		for _, k := range counts {
			total += k
		}
		for j, k := range counts {
			s := Sample{k, total}
			l, err := s.Limits(m, level)
			if err != nil {
				return nil, fmt.Errorf("group %s: %w", label(t.Rows, i), err)
			}
			rows = append(rows, Row{
				Group: at(t.Rows, i), Level: at(t.Cols, j), N: k, Total: total,
				Percentage: 100 * s.P(), Lower: 100 * l.Lower, Upper: 100 * l.Upper,
			})
		}
	}
	return rows, nil
}

func at(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprint(i + 1)
}
