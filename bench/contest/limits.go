package contest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/klauspost/compress/flate"
	"golang.org/x/sync/errgroup"

	"odx/bench/measure"
)

// Limits are what a machine can do with a dataset when it does nothing else:
// each bounds one or more jobs from below. Times are in seconds, rates in bytes
// of text a second.
type Limits struct {
	Data       string    `json:"data"`
	Round      int       `json:"round"`
	RowBytes   int64     `json:"row_bytes"` // of COPY text
	CopyOut    []CopyOut `json:"copy_out"`
	CopyFiles  float64   `json:"cp_filestore_seconds"` // cp -a and sync
	CopyFolder float64   `json:"cp_folder_seconds"`    // cp -a and sync of all that odx dump made
	CopyZip    float64   `json:"cp_zip_seconds"`       // cp and sync of the zip that odx convert made
	Unzip      float64   `json:"unzip_seconds"`        // unzip -p of the dump.sql of Odoo's zip, thrown away
	Deflate    float64   `json:"deflate_per_second"`   // level 1 on one core
	Inflate    float64   `json:"inflate_per_second"`   // on one core
	Write      float64   `json:"disk_write_per_second"`
}

// CopyOut is the server's COPY TO of all tables, thrown away by the client.
type CopyOut struct {
	Jobs      int     `json:"jobs"`
	Seconds   float64 `json:"seconds"`
	ServerCPU float64 `json:"server_cpu_seconds"`
}

// Bound is the least that a job can take, and why.
type Bound struct {
	Seconds float64
	By      string
}

// Dump returns what bounds a dump with that many jobs on that many cores.
func (l Limits) Dump(jobs, cores int) Bound {
	var best Bound
	for _, c := range l.CopyOut {
		if c.Jobs == jobs {
			n := float64(min(jobs, cores))
			best = larger(Bound{c.Seconds, "COPY out"},
				Bound{(c.ServerCPU + float64(l.RowBytes)/l.Deflate) / n, "COPY out and deflate on all cores"})
		}
	}
	return larger(best, Bound{l.CopyFiles, "cp of the filestore"})
}

// ToZip returns what bounds the way from the folder to the zip.
func (l Limits) ToZip() Bound { return Bound{l.CopyZip, "cp of the zip"} }

// FromZip returns what bounds the way from any zip to the folder.
func (l Limits) FromZip(cores int) Bound {
	rows := float64(l.RowBytes)
	return larger(larger(Bound{rows / l.Inflate, "inflate on one core"},
		Bound{(rows/l.Inflate + rows/l.Deflate) / float64(cores), "inflate and deflate on all cores"}),
		Bound{l.CopyFiles, "cp of the filestore"})
}

func larger(a, b Bound) Bound {
	if b.Seconds > a.Seconds {
		return b
	}
	return a
}

const (
	sampleBytes = 32 << 20  // of rows that are deflated and inflated
	writeBytes  = 256 << 20 // to the disk
)

// Limits measures all of them.
func (s *Stage) Limits(ctx context.Context, jobs []int, round int) (Limits, error) {
	l := Limits{Data: s.Data.Name, Round: round, RowBytes: s.Data.Generated.CopyBytes}
	sample := &sampler{every: max(1, int(l.RowBytes/sampleBytes))}
	if _, err := s.copyOut(ctx, 1, sample); err != nil {
		return l, fmt.Errorf("COPY out: %w", err)
	}
	for _, n := range jobs {
		c, err := s.copyOut(ctx, n, nil)
		if err != nil {
			return l, fmt.Errorf("COPY out: %w", err)
		}
		l.CopyOut = append(l.CopyOut, c)
	}
	var err error
	if l.Deflate, l.Inflate, err = codec(sample.kept.Bytes()); err != nil {
		return l, err
	}
	for _, one := range []struct {
		seconds *float64
		step    Step
	}{
		{&l.CopyFiles, step("cp", "-a", "--reflink=never", "{filestore}", "{out}")},
		{&l.CopyFolder, step("cp", "-a", "--reflink=never", "{in:fast}", "{out}")},
		{&l.CopyZip, step("cp", "--reflink=never", "{in:odxzip}", "{out}")},
		{&l.Unzip, step("unzip", "-p", "{in:zip}", "dump.sql")},
	} {
		u, err := s.Run(ctx, Peer{Name: one.step.Tool, Steps: []Step{one.step}}, 1)
		if err != nil {
			return l, err
		}
		*one.seconds = u.Wall + u.Sync // with what it leaves to be written
	}
	l.Write, err = s.writeRate()
	return l, err
}

// copyOut reads all tables on so many connections.
func (s *Stage) copyOut(ctx context.Context, jobs int, keep *sampler) (CopyOut, error) {
	tables, err := s.tables(ctx)
	if err != nil {
		return CopyOut{}, err
	}
	m, err := measure.Start(s.cluster.PID(), s.dir)
	if err != nil {
		return CopyOut{}, err
	}
	var next atomic.Int64
	group, groupCtx := errgroup.WithContext(ctx)
	for range jobs {
		group.Go(func() error { return s.copyTables(groupCtx, tables, &next, keep) })
	}
	runErr := group.Wait()
	u, err := m.Stop()
	return CopyOut{Jobs: jobs, Seconds: u.Wall, ServerCPU: u.ServerCPU}, errors.Join(runErr, err)
}

// copyTables reads tables on one connection until all are taken.
func (s *Stage) copyTables(ctx context.Context, tables []string, next *atomic.Int64, keep *sampler) (err error) {
	conn, err := pgx.Connect(ctx, s.cluster.DSN(sourceDB))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	var w io.Writer = io.Discard
	if keep != nil {
		w = bufio.NewWriterSize(keep, sampleBlock)
	}
	for {
		i := int(next.Add(1)) - 1
		if i >= len(tables) {
			return nil
		}
		if _, err := conn.PgConn().CopyTo(ctx, w, "COPY "+tables[i]+" TO STDOUT"); err != nil {
			return err
		}
	}
}

// tables lists the tables with rows, largest first.
func (s *Stage) tables(ctx context.Context) ([]string, error) {
	conn, err := pgx.Connect(ctx, s.cluster.DSN(sourceDB))
	if err != nil {
		return nil, err
	}
	rows, err := conn.Query(ctx, "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace "+
		"ORDER BY pg_table_size(oid) DESC, oid")
	if err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return names, errors.Join(err, conn.Close(ctx))
}

const sampleBlock = 64 << 10

// sampler keeps one of so many blocks that are written to it.
type sampler struct {
	every, seen int
	kept        bytes.Buffer
}

// Write implements io.Writer.
func (k *sampler) Write(p []byte) (int, error) {
	if k.seen++; k.seen%k.every == 0 && k.kept.Len() < 2*sampleBytes {
		k.kept.Write(p)
	}
	return len(p), nil
}

// codec measures deflate at level 1 and inflate, on one core.
func codec(text []byte) (deflate, inflate float64, err error) {
	var packed bytes.Buffer
	began := time.Now()
	w, err := flate.NewWriter(&packed, 1)
	if err != nil {
		return 0, 0, err
	}
	if _, err := w.Write(text); err != nil {
		return 0, 0, err
	}
	if err := w.Close(); err != nil {
		return 0, 0, err
	}
	deflate = float64(len(text)) / time.Since(began).Seconds()
	began = time.Now()
	n, err := io.Copy(io.Discard, flate.NewReader(&packed))
	if err == nil && n != int64(len(text)) {
		err = fmt.Errorf("inflate gave %d bytes of %d", n, len(text))
	}
	return deflate, float64(len(text)) / time.Since(began).Seconds(), err
}

// writeRate measures how fast bytes that do not compress get to the disk.
func (s *Stage) writeRate() (rate float64, err error) {
	f, err := os.Create(filepath.Join(s.dir, "written"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	block := make([]byte, 1<<20)
	state := uint64(1)
	for i := range block {
		state = state*6364136223846793005 + 1442695040888963407
		block[i] = byte(state >> 56)
	}
	began := time.Now()
	for range writeBytes / len(block) {
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	return writeBytes / time.Since(began).Seconds(), nil
}
