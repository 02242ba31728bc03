package convert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

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
	in, err := plainText(c.plan.Source, &source{ctx: ctx, r: script, meter: c.Meter})
	if err != nil {
		return err
	}
	if _, err := c.rebuildIn(dir.Path(), in, scriptOptions{name: filepath.Base(c.Source)}); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return dir.Commit()
}

// scriptOptions say what is to be known of a script that becomes an archive.
type scriptOptions struct {
	name string       // for errors
	time pgarchive.Tm // of the dump
	keep io.Writer    // gets the script but for the data; nil keeps nothing

	deflated *deflated // what the script is read from; nil where nothing of it can be reused
}

// rebuilt is what an archive was made of.
type rebuilt struct {
	toc         *pgarchive.TOC
	files       []dumpfmt.FileDigest // toc.dat first
	compression string               // of the data files
	script      dumpfmt.ScriptRecord // of what was kept
}

// rebuildIn makes an archive of a script, in a folder that exists.
func (c *conversion) rebuildIn(dir string, script io.Reader, o scriptOptions) (*rebuilt, error) {
	out, err := newDataFile(dir, c.Compression, c.Jobs)
	if err != nil {
		return nil, err
	}
	defer out.abort()
	s := &sink{c: c, out: out, deflated: o.deflated}
	if o.keep != nil {
		s.split = &splitter{src: script, text: o.keep}
		script = s.split
	}
	result, err := rebuild.Read(script, s, rebuild.Options{Name: o.name, Time: o.time, Compression: c.Compression.Method})
	if err != nil {
		return nil, err
	}
	if err := s.endScript(); err != nil {
		return nil, err
	}
	for _, list := range result.Lists {
		if err := out.plain(list.File, list.Text()); err != nil {
			return nil, err
		}
	}
	var toc bytes.Buffer
	if err := pgarchive.WriteTOC(&toc, result.TOC); err != nil {
		return nil, err
	}
	data := len(out.files)
	if err := out.plain(tocFile, toc.Bytes()); err != nil {
		return nil, err
	}
	c.describeTOC(result.TOC)
	c.report.TargetBytes += out.bytes
	c.report.DataBytes = out.text
	if o.keep == nil {
		c.describeFrame(&result.Frame)
	}
	c.describeArchive(result.TOC)
	if o.deflated != nil {
		c.report.Compression = c.Compression.Method.String() // the level is the zip's
	}
	files := append(slices.Clone(out.files[data:]), out.files[:data]...)
	return &rebuilt{toc: result.TOC, files: files, compression: c.report.Compression, script: s.script}, nil
}

// describeFrame fills in what is to be known of the script: what makes a script
// of the archive another one.
func (c *conversion) describeFrame(f *rebuild.Frame) {
	r := &c.report
	r.RestrictKey = f.RestrictKey
	if f.Verbose || f.Started != "" {
		r.Notes = append(r.Notes, "the comments of --verbose are not in the archive")
	}
	if f.QuotesAll {
		r.Notes = append(r.Notes, "the script has all names in quotes; to print the archive so again, convert it with --quote-all-identifiers")
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
	c        *conversion
	out      *dataFile
	split    *splitter // nil where nothing of the script is kept
	deflated *deflated
	script   dumpfmt.ScriptRecord
}

func (s *sink) Table(e *pgarchive.Entry, offset int64) (io.WriteCloser, error) {
	s.c.report.Tables++
	s.c.Meter.Item()
	if err := s.out.create(e.File); err != nil || s.split == nil {
		return s.out, err
	}
	after, err := s.split.dataAt(offset)
	s.script.SQL += after
	s.script.Data = append(s.script.Data, dumpfmt.ScriptData{After: after, Entry: int32(e.ID)})
	return &splitTable{dataFile: s.out, split: s.split, deflated: s.deflated, offset: offset}, err
}

func (s *sink) LargeObject(_ pgarchive.DumpID, oid uint32, offset int64) (io.WriteCloser, error) {
	s.c.Meter.Item()
	if err := s.out.create(pgarchive.LargeObjectFile(oid)); err != nil || s.split == nil {
		return s.out, err
	}
	return &splitObject{dataFile: s.out, split: s.split, offset: offset}, nil
}

// endScript keeps what comes after the last data.
func (s *sink) endScript() error {
	if s.split == nil {
		return nil
	}
	rest, err := s.split.end()
	s.script.SQL += rest
	return err
}

// splitObject writes a large object's file. The statements that hold its content
// are SQL, which the splitter need not hold until the next data.
type splitObject struct {
	*dataFile
	split  *splitter
	offset int64 // in the script, before which all is SQL
}

func (o *splitObject) Write(p []byte) (int, error) {
	n, err := o.dataFile.Write(p)
	if err != nil {
		return n, err
	}
	o.offset += 2 * int64(n)
	return n, o.split.textTo(o.offset)
}

// splitTable writes a data file and tells the splitter what is data, and the
// file what of it is compressed already.
type splitTable struct {
	*dataFile
	split    *splitter
	deflated *deflated
	offset   int64 // in the script, of what is written next
}

func (t *splitTable) Write(p []byte) (n int, err error) {
	for t.deflated != nil && err == nil {
		b, ok := t.deflated.next(t.offset, t.offset+int64(len(p)-n))
		if !ok {
			break
		}
		var m int
		if m, err = t.write(p[n : n+int(b.Text+b.Length-t.offset)]); err == nil {
			err = t.reuse(t.deflated.raw, b)
		}
		n += m
	}
	if err != nil {
		return n, err
	}
	m, err := t.write(p[n:])
	return n + m, err
}

func (t *splitTable) write(p []byte) (int, error) {
	n, err := t.dataFile.Write(p)
	t.split.skip(n)
	t.offset += int64(n)
	return n, err
}

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
