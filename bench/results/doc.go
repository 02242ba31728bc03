// Package results keeps what a bench has measured: as one JSON file that says
// on what machine, with what programs, data and commands (file.go), as medians
// with their spread and the growth over sizes (summary.go), as tables in
// Markdown (markdown.go) and as plots (plot.go).
package results
