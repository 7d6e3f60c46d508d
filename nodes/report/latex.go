package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Bounds of LaTeX tables.
const (
	latexRows = 45 // of a table that does not break over pages
	latexWide = 34 // runes from which on a column of text is set in lines
)

// latexTable writes a table with booktabs' rules: as a floating table, or as
// a longtable where a page could not hold it. Numbers are set flush right.
func latexTable(e exhibit, simulated bool) []byte {
	view := e.view
	if e.paper != nil {
		view = e.paper
	}
	head, rows := view.Head, view.Rows
	more := view.More
	if rest := view.Rest; rest != nil {
		rows = append(rows[:len(rows):len(rows)], rest.Rows...)
		more += rest.More
	}
	var spec strings.Builder
	for c, h := range head {
		wide := false
		for _, r := range rows {
			wide = wide || len([]rune(r[c].Text)) > latexWide
		}
		switch {
		case h.Number || slices.ContainsFunc(rows, func(r []cellView) bool { return r[c].Number }):
			spec.WriteString("r")
		case wide:
			spec.WriteString(`>{\raggedright\arraybackslash}p{5.5cm}`)
		default:
			spec.WriteString("l")
		}
	}
	title := e.title
	if simulated {
		title = simulatedWords + ". " + title
	}
	if more > 0 {
		title += fmt.Sprintf(" (%d more rows are in the CSV file)", more)
	}
	caption := `\caption{` + latexEscape(title) + "}"
	var b bytes.Buffer
	line := func(cells []cellView) string {
		set := make([]string, len(cells))
		for i, c := range cells {
			set[i] = latexEscape(c.Text)
			if c.Strong {
				set[i] = `\textbf{` + set[i] + "}"
			}
		}
		return strings.Join(set, " & ") + " \\\\\n"
	}
	long := len(rows) > latexRows
	if long {
		b.WriteString("% Needs the packages array, booktabs and longtable.\n\\begingroup\\small\n")
		fmt.Fprintf(&b, "\\begin{longtable}{%s}\n%s\\\\\n\\toprule\n%s\\midrule\n\\endfirsthead\n\\toprule\n%s\\midrule\n\\endhead\n\\bottomrule\n\\endfoot\n",
			spec.String(), caption, line(head), line(head))
	} else {
		b.WriteString("% Needs the packages array and booktabs.\n\\begin{table}[htbp]\n\\centering\\small\n")
		fmt.Fprintf(&b, "%s\n\\begin{tabular}{%s}\n\\toprule\n%s\\midrule\n", caption, spec.String(), line(head))
	}
	for _, r := range rows {
		b.WriteString(line(r))
	}
	if long {
		b.WriteString("\\end{longtable}\n\\endgroup\n")
	} else {
		b.WriteString("\\bottomrule\n\\end{tabular}\n\\end{table}\n")
	}
	return b.Bytes()
}

// latexEscape makes a stranger's text inert: each of TeX's special characters
// is printed as itself, and the signs that reports use are set in maths.
// Control characters become spaces.
func latexEscape(s string) string {
	var b strings.Builder
	for _, r := range s {
		if set, ok := latexSigns(r); ok {
			b.WriteString(set)
			continue
		}
		switch {
		case strings.ContainsRune("{}$&#%_", r):
			b.WriteString(`\` + string(r))
		case r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 || r == 0x85:
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func latexSigns(r rune) (string, bool) {
	switch r {
	case '\\':
		return `\textbackslash{}`, true
	case '^':
		return `\textasciicircum{}`, true
	case '~':
		return `\textasciitilde{}`, true
	case '<':
		return `\textless{}`, true
	case '>':
		return `\textgreater{}`, true
	case '|':
		return `\textbar{}`, true
	case '"':
		return `\textquotedblright{}`, true
	case '`':
		return `\textquoteleft{}`, true
	case '[', ']':
		return "{" + string(r) + "}", true // or it may be read as an option of the line's end
	case '*':
		return "{*}", true
	case '−':
		return "$-$", true
	case '–':
		return `\textendash{}`, true
	case '…':
		return `\ldots{}`, true
	case 'λ':
		return `$\lambda$`, true
	case 'Δ':
		return `$\Delta$`, true
	case 'χ':
		return `$\chi$`, true
	case 'σ':
		return `$\sigma$`, true
	case 'α':
		return `$\alpha$`, true
	case 'β':
		return `$\beta$`, true
	case '×':
		return `$\times$`, true
	case '±':
		return `$\pm$`, true
	case '≤':
		return `$\leq$`, true
	case '≥':
		return `$\geq$`, true
	case '²':
		return "$^2$", true
	case '³':
		return "$^3$", true
	}
	return "", false
}
