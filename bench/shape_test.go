package bench

import (
	"compress/gzip"
	"strings"
	"testing"
)

// planFor plans a database without making it.
func planFor(t *testing.T, o Options) *plan {
	t.Helper()
	o.Database = "x"
	opts, err := o.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPlan(opts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestShape compares the tables with those of a real Odoo 19: 750 tables of
// which 266 are relations, 7,500 columns, 2,751 foreign keys, 1,022 indexes of
// which 263 are partial and 35 trigram ones, 850 keys.
func TestShape(t *testing.T) {
	g := &generation{plan: planFor(t, Options{Tables: 350, Scale: 100_000_000})}
	g.trigrams = true
	g.foreignKeys()
	counts := map[string]int{"tables": len(g.schema.tables), "foreign keys": g.result.ForeignKeys}
	for _, table := range g.schema.tables {
		counts["columns"] += len(allColumns(table))
		counts["keys"] += 1 + len(table.uniques)
		if table.rel {
			counts["relations"]++
		}
		for _, sql := range g.createIndexes(table) {
			counts["indexes"]++
			if strings.Contains(sql, "gin_trgm_ops") {
				counts["trigram"]++
			}
			if strings.Contains(sql, " WHERE ") {
				counts["partial"]++
			}
		}
	}
	for name, real := range map[string]int{
		"tables": 750, "relations": 266, "columns": 7500, "foreign keys": 2751, "indexes": 1022, "partial": 263, "trigram": 35, "keys": 850,
	} {
		if got := counts[name]; got < real*8/10 || got > real*12/10 {
			t.Errorf("%d %s, a real database has %d", got, name, real)
		}
	}
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// TestText compresses the rows of a whole database as COPY writes them.
func TestText(t *testing.T) {
	p := planFor(t, Options{Scale: 12_000_000, Tables: -1})
	var packed counter
	w := gzip.NewWriter(&packed)
	var size int64
	for _, table := range p.bySize() {
		for number := range chunks(table) {
			rows, err := p.chunk(t.Context(), table, number, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(rows); err != nil {
				t.Fatal(err)
			}
			size += int64(len(rows))
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if ratio := float64(size) / float64(packed); ratio < 4 || ratio > 6.5 {
		t.Errorf("gzip makes rows %.1f times smaller, and those of a real database 5 times", ratio)
	} else {
		t.Logf("gzip makes rows %.1f times smaller", ratio)
	}
}

func TestProfiles(t *testing.T) {
	share := func(p *plan, name string) float64 {
		var all, one int64
		for _, table := range p.schema.tables {
			all += table.rows * table.rowBytes
			if table.name == name {
				one = table.rows * table.rowBytes
			}
		}
		return float64(one) / float64(all)
	}
	const scale = 100_000_000
	if got := share(planFor(t, Options{Scale: scale, Profile: OneTable}), "mail_message"); got < 0.85 || got > 0.95 {
		t.Errorf("one table has %.2f of everything, want nine tenths", got)
	}
	p := planFor(t, Options{Scale: scale, Profile: ManyFiles, Filestore: t.TempDir()})
	if got := p.files.plan.total; got != 9*scale {
		t.Errorf("%d bytes of files, want nine times the rows", got)
	}
	real := planFor(t, Options{Scale: scale})
	var large float64
	for _, name := range []string{"mail_message", "account_move_line", "mail_tracking_value", "stock_move"} {
		large += share(real, name)
	}
	if large < 0.5 || large > 0.85 {
		t.Errorf("the four largest tables have %.2f of everything", large)
	}
	for _, want := range []Profile{RealLife, OneTable, ManyFiles} {
		if got, err := ParseProfile(want.String()); err != nil || got != want {
			t.Errorf("%s: got %v, %v", want, got, err)
		}
	}
	if _, err := ParseProfile("flat"); err == nil {
		t.Error("got no error for an unknown profile")
	}
}
