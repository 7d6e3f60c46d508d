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
	latexWide = 34 // runes from which on a column of text is set in lines, where there is room
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
	spec, size := latexColumns(head, rows)
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
		b.WriteString("% Needs the packages array, booktabs and longtable.\n\\begingroup" + size + "\n")
		fmt.Fprintf(&b, "\\begin{longtable}{%s}\n%s\\\\\n\\toprule\n%s\\midrule\n\\endfirsthead\n\\toprule\n%s\\midrule\n\\endhead\n\\bottomrule\n\\endfoot\n",
			spec, caption, line(head), line(head))
	} else {
		b.WriteString("% Needs the packages array and booktabs.\n\\begin{table}[htbp]\n\\centering" + size + "\n")
		fmt.Fprintf(&b, "%s\n\\begin{tabular}{%s}\n\\toprule\n%s\\midrule\n", caption, spec, line(head))
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

// latexColumns chooses how a table's columns are set, and its letters, so that
// it is no wider than a page: words are set in lines, shorter ones where there
// are many columns, and letters are smaller.
func latexColumns(head []cellView, rows [][]cellView) (spec, size string) {
	width := func(c int) int {
		w := len([]rune(head[c].Text))
		for _, r := range rows {
			w = max(w, len([]rune(r[c].Text)))
		}
		return w
	}
	total := func(line int) (n int) {
		for c := range head {
			w := width(c) + 2
			if !latexNumbers(head, rows, c) {
				w = min(w, line+2)
			}
			n += w
		}
		return n
	}
	// Sizes of letters: how many go across A4, and how wide one is, in cm.
	line, cm := latexWide, 0.0
	for _, letters := range []struct {
		set   string
		page  int
		cm    float64
		least int // a line of words
	}{{`\small`, 96, 0.165, 26}, {`\footnotesize\setlength{\tabcolsep}{3.5pt}`, 114, 0.15, 26}, {`\scriptsize\setlength{\tabcolsep}{2.5pt}`, 134, 0.13, 14}} {
		size, cm = letters.set, letters.cm
		for line = latexWide; line > letters.least && total(line) > letters.page; {
			line--
		}
		if total(line) <= letters.page {
			break
		}
	}
	var b strings.Builder
	for c := range head {
		switch {
		case latexNumbers(head, rows, c):
			b.WriteString("r")
		case width(c) > line:
			fmt.Fprintf(&b, `>{\raggedright\arraybackslash}p{%.1fcm}`, cm*float64(line))
		default:
			b.WriteString("l")
		}
	}
	return b.String(), size
}

// latexNumbers says whether a column holds numbers.
func latexNumbers(head []cellView, rows [][]cellView, c int) bool {
	return head[c].Number || slices.ContainsFunc(rows, func(r []cellView) bool { return r[c].Number })
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
		case r == '_':
			b.WriteString(`\_\allowbreak{}`) // names of columns are long
		case r == ':':
			b.WriteString(`:\allowbreak{}`)
		case strings.ContainsRune("{}$&#%", r):
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
	case '∞':
		return `$\infty$`, true
	case '→':
		return `$\to$`, true
	case '•':
		return `\textbullet{}`, true
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
	return greek(r)
}

// greek sets a Greek letter, which fonts for text may lack.
func greek(r rune) (string, bool) {
	const small, large = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi - pi rho varsigma sigma tau upsilon phi chi psi omega",
		"- - Gamma Delta - - - Theta - - Lambda - - Xi - Pi - - Sigma - Upsilon Phi - Psi Omega"
	name := "-"
	switch {
	case r >= 'α' && r <= 'ω':
		name = strings.Fields(small)[r-'α']
	case r >= 'Α' && r <= 'Ω':
		name = strings.Fields(large)[r-'Α']
	}
	return `$\` + name + "$", name != "-"
}
