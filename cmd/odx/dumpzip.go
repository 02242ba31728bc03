package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"odx/convert"
	"odx/dumpfmt"
	"odx/parallel/dump"
)

// standardOutput is the target that stands for it.
const standardOutput = "-"

// dumpTarget gives the path of a dump; "" if it goes to standard output.
func dumpTarget(target string) (string, error) {
	switch convert.TargetLayout(target) {
	case dumpfmt.LayoutScript, dumpfmt.LayoutCustom:
		return "", usagef("target %q: odx dump makes a folder or a zip (.zip); odx convert makes a script of a folder", target)
	}
	if target == standardOutput {
		return "", nil
	}
	return filepath.Abs(target)
}

// runDumpToOutput writes a zip to standard output, which then has nothing else.
// What is kept on disk meanwhile is in the folder for temporary files.
func runDumpToOutput(ctx context.Context, o dump.Options, ui *ui) (done outcomes, err error) {
	switch {
	case ui.json:
		return done, usagef("--json writes its report to standard output, where the zip is to go")
	case ui.dataToTerminal():
		return done, usagef("standard output is a terminal, and a zip is no text: send it to a program or a file")
	}
	work, err := dumpfmt.CreateScratch("", "dump")
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, work.Remove()) }()
	o.Target = filepath.Join(work.Path(), "backup.zip")
	o.Pack, o.PackOnce = packZip(o, ui.stdout), true
	return runDump(ctx, o, "standard output", ui)
}

// closeOutput closes what a zip was written to: of a file on some file systems the
// full disk is known only then.
func closeOutput(out io.Writer) error {
	f, ok := out.(*os.File)
	if !ok {
		return nil
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	return f.Close()
}

// packZip makes a zip of a dump while the files of its filestore are kept from
// being deleted: at the target, or written to out if that is not nil.
func packZip(o dump.Options, out io.Writer) func(context.Context, dump.Packing) error {
	return func(ctx context.Context, p dump.Packing) error {
		zip := convert.Options{
			Source: p.Dir, Target: o.Target, TargetLayout: dumpfmt.LayoutZip, Filestore: p.Filestore, Sidecar: true,
			Jobs: o.Jobs, OdxVersion: o.OdxVersion, Out: out, Consume: true,
			Record: func(r *convert.Report) ([]byte, error) {
				return p.Record(dump.Packed{Files: r.Files, Bytes: r.FileBytes, Rows: r.Live, Absent: append(r.NotPacked, r.Vanished...), Notes: r.Notes})
			},
		}
		if p.Rows == nil {
			zip.Meter = &o.Progress.Database
		} else {
			zip.Rows = func(ctx context.Context, s *convert.LiveScript) error { return p.Rows(ctx, s) }
		}
		_, err := convert.Run(ctx, zip)
		if err == nil && out != nil {
			err = closeOutput(out)
		}
		if err != nil && !errors.Is(err, dump.ErrFilesMissing) {
			return fmt.Errorf("make the zip: %w", err)
		}
		return err
	}
}
