package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/urfave/cli/v2"

	"odx/convert"
	"odx/dumpfmt/pgarchive"
)

func newInspectCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:      "inspect",
		Usage:     "tell what a dump holds",
		ArgsUsage: "SOURCE",
		Description: "SOURCE is a folder that odx dump made, a standard Odoo zip, a directory-format archive, a\n" +
			"custom-format .dump, a script of pg_dump or a click-odoo folder. Versions, sizes, manifest and\n" +
			"every entry are printed on stdout. Sizes are those of compressed data, of a script and a zip\n" +
			"those of the script's text.\n\n" +
			"   odx inspect prod.dump\n\n" + exitCodes,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Category: groupOutput, Usage: "print a report as one JSON object on stdout"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Category: groupOutput, Usage: "do not list the entries"},
		},
		Action: func(c *cli.Context) error {
			ui.configure(c)
			source, err := oneArgument(c)
			if err != nil {
				return err
			}
			return runInspect(c.Context, source, ui)
		},
	}
}

func runInspect(ctx context.Context, path string, ui *ui) error {
	in, err := convert.Inspect(ctx, path)
	if err != nil {
		return err
	}
	if ui.json {
		return ui.report(in, false, nil)
	}
	var out bytes.Buffer
	writeInspection(&out, in)
	if !ui.quiet {
		writeEntries(&out, in.Entries)
	}
	if _, err = ui.stdout.Write(out.Bytes()); errors.Is(err, syscall.EPIPE) {
		return nil // who reads has seen enough
	}
	return err
}

// writeInspection writes what concerns the dump as a whole.
func writeInspection(out *bytes.Buffer, in *convert.Inspection) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(out, "%-14s%s\n", name, printable(fmt.Sprintf(format, args...)))
	}
	d := &in.Dump
	row("dump", "%s: %s", in.Layout, in.Path)
	if d.ArchiveVersion != "" {
		row("archive", "version %s, %s format, compression %s, read by pg_restore %d and newer", d.ArchiveVersion, d.Format, d.Compression, d.PgRestore)
		row("created", "%s", d.Created.Format(time.DateTime))
		row("database", "%s", d.Database)
	}
	row("server", "%s", d.Server)
	row("pg_dump", "%s", d.PgDump)
	row("encoding", "%s", d.Encoding)
	row("entries", "%d%s", len(in.Entries), sectionCounts(d.Sections))
	row("data", "%s in %d tables and %d large objects", bytesText(d.DataBytes), d.Tables, d.LargeObjects)
	if m, ok := in.ParsedManifest(); ok {
		row("manifest", "Odoo %s, PostgreSQL %s, database %s, %d modules", m.Version, m.PGVersion, m.DBName, len(m.Modules))
	}
	if f := in.Filestore; f != nil {
		row("filestore", "%d files, %s", f.Files, bytesText(f.Bytes))
	}
	if r := in.Record; r != nil {
		of := fmt.Sprintf("database %s owned by %s", r.Database.Name, r.Database.Owner)
		if r.Database.Name == "" && r.Zip != nil {
			of = "made of " + r.Zip.Name
		}
		if x := r.Archive.Excluded; len(x) > 0 {
			row("left out", "the rows of tables that match %s", strings.Join(x, ", "))
		}
		row("record", "odx %s, %s to %s, %s", r.OdxVersion,
			r.Started.UTC().Format(time.DateTime), r.Finished.UTC().Format(time.TimeOnly+" UTC"), of)
	}
}

// sectionCounts gives the entries of each section in the order of a dump.
func sectionCounts(counts map[string]int) string {
	var parts []string
	for _, s := range []pgarchive.Section{pgarchive.SectionPreData, pgarchive.SectionData, pgarchive.SectionPostData, pgarchive.SectionNone} {
		if n := counts[s.String()]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}

// writeEntries lists the entries in columns.
func writeEntries(out *bytes.Buffer, entries []convert.EntryInfo) {
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tSECTION\tTYPE\tSCHEMA\tNAME\tOWNER\tBYTES")
	for _, e := range entries {
		size := ""
		if e.Bytes != nil {
			size = fmt.Sprint(*e.Bytes)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", e.ID, e.Section, printable(e.Type),
			printable(e.Schema), printable(e.Name), printable(e.Owner), size)
	}
	_ = w.Flush() // into memory
	out.WriteByte('\n')
	for line := range bytes.Lines(table.Bytes()) {
		out.Write(bytes.TrimRight(line, " \n"))
		out.WriteByte('\n')
	}
}

// printable makes text from a dump harmless for a terminal and for columns.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}
