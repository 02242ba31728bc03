package bench

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// plan is a database that is about to be made: its tables with their numbers of
// rows, and what writes the rows.
type plan struct {
	opts     Options
	schema   *schema
	files    *fileWriter
	writers  map[*table]value
	trigrams bool // the server has pg_trgm
}

// newPlan decides everything that does not need the server.
func newPlan(opts Options) (*plan, error) {
	s, err := readSchema()
	if err != nil {
		return nil, err
	}
	if err := complete(s, opts.Tables); err != nil {
		return nil, err
	}
	p := &plan{opts: opts, schema: s, writers: make(map[*table]value)}
	p.files = &fileWriter{dir: opts.Filestore, plan: filePlan{seed: opts.Seed, total: opts.FilestoreBytes}}
	if opts.Profile == OneTable {
		oneTable(s)
	}
	// The size of a row depends a little on how many rows the other tables have,
	// so the numbers of rows are found in two steps.
	for _, t := range s.tables {
		t.rowBytes = 150
	}
	for range 2 {
		if err := p.prepareTables(); err != nil {
			return nil, err
		}
		if err := p.measure(); err != nil {
			return nil, err
		}
	}
	return p, p.prepareTables()
}

// prepareTables sets the numbers of rows, and makes what writes them.
func (p *plan) prepareTables() error {
	if err := p.count(); err != nil {
		return err
	}
	k := &compiler{schema: p.schema, lists: lists(p.schema), odoo: odooValues()}
	for _, t := range p.schema.tables {
		var err error
		if p.writers[t], err = k.compile(t); err != nil {
			return err
		}
	}
	return nil
}

// oneTable turns the usual sizes into those of a database in which one table,
// mail_message, has nine tenths.
func oneTable(s *schema) {
	const largest = "mail_message"
	var rest float64
	for _, t := range s.tables {
		if t.name != largest {
			rest += t.size.share
		}
	}
	for _, t := range s.tables {
		t.size.share *= 100 / rest
	}
	s.byName[largest].size.share = 900
}

// count sets every table's number of rows.
func (p *plan) count() error {
	l := lists(p.schema)
	for _, t := range p.schema.tables {
		size := t.size
		switch {
		case size.list == "attachments":
			t.rows = p.files.plan.rows(max(60, p.opts.Scale/100_000))
		case size.list != "":
			t.rows = int64(len(l[size.list]))
		case size.share > 0:
			t.rows = max(int64(size.share/1000*float64(p.opts.Scale))/t.rowBytes, size.min, 3)
			if size.max > 0 {
				t.rows = min(t.rows, size.max)
			}
		default:
			t.rows = size.fixed
		}
	}
	for _, t := range p.schema.tables {
		if of := p.schema.byName[t.size.of]; of != nil {
			t.rows = of.rows * t.size.times
		} else if t.size.of != "" {
			return fmt.Errorf("table %s: no table %s", t.name, t.size.of)
		}
	}
	for _, t := range p.schema.tables {
		p.limit(t)
	}
	return nil
}

// limit keeps pairs that must not come twice within what the tables allow.
func (p *plan) limit(t *table) {
	left, right := int64(0), int64(0)
	for _, c := range t.columns {
		if c.ref == "" || !t.rel {
			continue
		}
		if left == 0 {
			left = p.schema.byName[c.ref].rows
			if left == 0 {
				t.rows = 0
			}
			continue
		}
		right = p.schema.byName[c.ref].rows
	}
	if t.rel {
		t.rows = min(t.rows, left*right)
	}
}

// measure finds the mean size of the tables' rows from samples.
func (p *plan) measure() error {
	for _, t := range p.schema.tables {
		write := p.writers[t]
		if t.rows == 0 {
			continue
		}
		const samples = 300
		c := cell{rng: seeded(p.opts.Seed, t.name, -1), sample: true}
		var b []byte
		for i := range int64(samples) {
			c.start(t, i*t.rows/samples, p.users())
			if err := p.prepare(context.Background(), t, &c); err != nil {
				return err
			}
			b = append(write(&c, b), '\n')
		}
		t.rowBytes = max(1, int64(len(b))/samples)
	}
	return nil
}

func (p *plan) users() int64 { return p.schema.byName["res_users"].rows }

// prepare does what a row needs besides its cell.
func (p *plan) prepare(ctx context.Context, t *table, c *cell) error {
	if t.size.list == "attachments" {
		return p.files.prepare(ctx, c)
	}
	return nil
}

// chunkBytes is about what a chunk of rows takes.
const chunkBytes = 512 << 10

// chunkRows is the number of rows in a chunk of t.
func chunkRows(t *table) int64 {
	if t.size.list == "attachments" {
		return attachmentChunk
	}
	return max(1, min(chunkBytes/t.rowBytes, t.rows))
}

func chunks(t *table) int64 { return (t.rows + chunkRows(t) - 1) / max(1, chunkRows(t)) }

// chunk appends the rows of one chunk of t to b.
func (p *plan) chunk(ctx context.Context, t *table, number int64, b []byte) ([]byte, error) {
	c := cell{rng: seeded(p.opts.Seed, t.name, number)}
	write, users := p.writers[t], p.users()
	first := number * chunkRows(t)
	for row := first; row < min(first+chunkRows(t), t.rows); row++ {
		c.start(t, row, users)
		if err := p.prepare(ctx, t, &c); err != nil {
			return b, err
		}
		b = append(write(&c, b), '\n')
	}
	return b, nil
}

// bySize returns the tables that have rows, largest first, so that the last
// ones to be worked on are small. Attachments come before all: their files take
// longest.
func (p *plan) bySize() []*table {
	tables := slices.DeleteFunc(slices.Clone(p.schema.tables), func(t *table) bool { return t.rows == 0 })
	work := func(t *table) int64 {
		if t.size.list == "attachments" {
			return 1 << 60
		}
		return t.rows * t.rowBytes
	}
	slices.SortStableFunc(tables, func(a, b *table) int { return cmp.Compare(work(b), work(a)) })
	return tables
}
