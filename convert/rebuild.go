package convert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
	"odx/dumpfmt/rebuild"
)

// rebuild makes an archive of a script.
func (c *conversion) rebuild(ctx context.Context) (err error) {
	script, err := os.Open(c.Source)
	if err != nil {
		return err
	}
	defer script.Close()
	info, err := script.Stat()
	if err != nil {
		return err
	}
	dir, err := dumpfmt.CreateDir(c.Target)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Abort()) }()
	c.Meter.Start(info.Size())
	if err := c.rebuildIn(ctx, dir.Path(), script); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return dir.Commit()
}

func (c *conversion) rebuildIn(ctx context.Context, dir string, script io.Reader) error {
	out, err := newDataFile(dir, c.Compression, c.Jobs)
	if err != nil {
		return err
	}
	defer out.abort()
	sink := &sink{c: c, out: out}
	source := &source{ctx: ctx, r: script, meter: c.Meter}
	result, err := rebuild.Read(source, sink, rebuild.Options{Name: filepath.Base(c.Source), Compression: c.Compression.Method})
	if err != nil {
		return err
	}
	r := &c.report
	for _, list := range result.Lists {
		text := list.Text()
		if err := writeFile(dir, list.File, text); err != nil {
			return err
		}
		r.TargetBytes += int64(len(text))
	}
	size, err := writeTOC(dir, result.TOC)
	if err != nil {
		return err
	}
	c.describeTOC(result.TOC)
	r.TargetBytes += size + out.bytes
	r.DataBytes = out.text
	c.describeFrame(&result.Frame)
	c.describeArchive(result.TOC)
	return nil
}

// describeFrame fills in what is to be known of the script: what makes a script
// of the archive another one.
func (c *conversion) describeFrame(f *rebuild.Frame) {
	r := &c.report
	r.RestrictKey = f.RestrictKey
	if f.Verbose || f.Started != "" {
		r.Notes = append(r.Notes, "the comments of --verbose are not in the archive")
	}
	if f.Connect != "" {
		r.Notes = append(r.Notes, "the script makes its database (--create); of the archive, pg_restore --create does that")
	}
}

// describeArchive fills in what is to be known of an archive that was written.
func (c *conversion) describeArchive(t *pgarchive.TOC) {
	c.report.Compression = c.Compression.String()
	m := c.Compression.Method
	if (m == pgarchive.LZ4 || m == pgarchive.Zstd) && !t.Header.Version.AtLeast(pgarchive.Version15) {
		c.report.Notes = append(c.report.Notes, fmt.Sprintf("pg_restore reads %s files from release 16 on", m))
	}
}

// sink writes the data of a script into data files.
type sink struct {
	c   *conversion
	out *dataFile
}

func (s *sink) Table(id pgarchive.DumpID) (io.WriteCloser, error) {
	s.c.report.Tables++
	s.c.Meter.Item()
	return s.out, s.out.create(tableFile(id))
}

func (s *sink) LargeObject(_ pgarchive.DumpID, oid uint32) (io.WriteCloser, error) {
	s.c.Meter.Item()
	return s.out, s.out.create(rebuild.LargeObjectFile(oid))
}

// tableFile names the data file of a table, without a suffix.
func tableFile(id pgarchive.DumpID) string { return fmt.Sprintf("%d.dat", id) }

// source reads a file that is being converted.
type source struct {
	ctx   context.Context
	r     io.Reader
	meter Meter
}

func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.r.Read(p)
	s.meter.Add(int64(n))
	return n, err
}
