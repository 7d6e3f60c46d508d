// Command report is a native node that turns a study's result tables into one
// page: pictures, tables, method and provenance.
//
// A frame is one input table in memory. A figure is one picture with its
// caption, as SVG and PNG. The page is one HTML file without anything from the
// network; it prints as it looks. Every text of every table is a stranger's
// and is escaped.
package main

import (
	"fmt"
	"os"

	"github.com/seed-4012077a/flow/sdk/native"
)

func main() {
	if err := native.Serve(reportNode()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const version = "1.3.0"

func reportNode() native.Node {
	return native.Node{
		Name:    "report",
		Version: version,
		Doc:     "One self-contained page of a study's results, with each picture as SVG and PNG and the numbers as JSON.",
		Operators: []native.Operator{{
			Name:   "page",
			Doc:    "Writes index.html, figures/*.svg, figures/*.png and results.json as rows of a table of files.",
			Inputs: inputPorts(),
			Outputs: []native.Port{{Name: "files", Doc: "one row a file", Columns: fileColumns()},
				{Name: "undrawn", Doc: "tables that were not drawn, where the parameter undrawable lets them be", Columns: undrawnColumns()}},
			Params: paramsSchema,
			Bind:   bindPage,
			Run:    runPage,
		}},
	}
}
