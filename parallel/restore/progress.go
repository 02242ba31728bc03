package restore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"odx/dumpfmt/pgarchive"
	"odx/parallel"
)

// weights say how much each entry counts for progress. A data entry counts
// the bytes of its data file; an index or a key counts as much as the data it
// reads, so that the bar moves evenly.
type weights struct {
	data, object map[pgarchive.DumpID]int64
	byTable      map[tableKey]int64
}

type tableKey struct{ schema, name string }

// objectWeight is what an entry counts that reads no table.
const objectWeight = 4 << 10

func weigh(toc *pgarchive.TOC, sizes map[pgarchive.DumpID]int64) weights {
	w := weights{data: sizes, object: map[pgarchive.DumpID]int64{}, byTable: map[tableKey]int64{}}
	tableBytes := map[pgarchive.DumpID]int64{} // by the TABLE's dump ID
	for i := range toc.Entries {
		e := &toc.Entries[i]
		if e.Desc != pgarchive.DescTableData {
			continue
		}
		w.byTable[tableKey{e.Namespace.String, e.Tag}] = sizes[e.ID]
		if len(e.Dependencies) > 0 {
			tableBytes[e.Dependencies[0]] = sizes[e.ID]
		}
	}
	for i := range toc.Entries {
		e := &toc.Entries[i]
		if e.Section != pgarchive.SectionPostData {
			continue
		}
		weight := int64(objectWeight)
		for _, d := range e.Dependencies {
			weight = max(weight, tableBytes[d])
		}
		w.object[e.ID] = weight
	}
	return w
}

func sum(m map[pgarchive.DumpID]int64) (total int64) {
	for _, n := range m {
		total += n
	}
	return total
}

// finished counts an entry that pg_restore is done with.
func (r *run) finished(id pgarchive.DumpID) {
	if n, ok := r.weights.data[id]; ok {
		r.Progress.Database.Add(n)
		r.Progress.Database.Item()
	} else if n, ok := r.weights.object[id]; ok {
		r.Progress.Objects.Add(n)
		r.Progress.Objects.Item()
	}
}

// textPerByte is how much COPY text a byte of a compressed data file is taken
// for, while the file is being loaded.
const textPerByte = 5

const runningWork = `
SELECT n.nspname, c.relname, p.bytes_processed::float8, true
FROM pg_catalog.pg_stat_progress_copy p
JOIN pg_catalog.pg_class c ON c.oid = p.relid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE p.datname = pg_catalog.current_database()
UNION ALL
SELECT n.nspname, c.relname, p.blocks_done::float8 / GREATEST(p.blocks_total, 1), false
FROM pg_catalog.pg_stat_progress_create_index p
JOIN pg_catalog.pg_class c ON c.oid = p.relid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE p.datname = pg_catalog.current_database()`

// poll refines the progress by what the server says of COPYs and index builds
// under way (PostgreSQL 14 and newer). It has a session of its own, because
// ending it in the middle of a question closes the connection.
func (r *run) poll(ctx context.Context) (stop func()) {
	s, err := r.openTarget(ctx)
	if err != nil || s.Version < 140000 {
		s.Close()
		return func() {}
	}
	halt := parallel.Every(ctx, time.Second, func() {
		var copied, built int64
		err := s.Do(func(c *pgx.Conn) error {
			rows, err := c.Query(ctx, runningWork)
			if err != nil {
				return err
			}
			var k tableKey
			var done float64
			var isCopy bool
			_, err = pgx.ForEachRow(rows, []any{&k.schema, &k.name, &done, &isCopy}, func() error {
				size := r.weights.byTable[k]
				if isCopy {
					copied += min(int64(done/textPerByte), size)
				} else {
					built += int64(min(done, 1) * float64(max(size, objectWeight)))
				}
				return nil
			})
			return err
		})
		if err == nil {
			r.Progress.Database.SetExtra(copied)
			r.Progress.Objects.SetExtra(built)
		}
	})
	return func() { halt(); s.Close() }
}
