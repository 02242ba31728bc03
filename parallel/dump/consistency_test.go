package dump

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"odx/dumpfmt"
	"odx/parallel/odoo"
)

// The steps between which something may happen, in their order, as far as
// there is one: the filestore is copied meanwhile.
var steps = map[Engine][]string{
	EngineDirect: {"guard taken", "tables listed", "tables locked", "snapshot exported", "snapshot read",
		"schema read", "table begun", "filestore copied"},
	EnginePgDump: {"guard taken", "tables listed", "tables locked", "snapshot exported", "snapshot read", "filestore copied"},
}

// disturbances bounds how often one step is disturbed: a dump begun anew meets
// its steps again, and somebody who rewrites tables at each of its tries keeps
// it from ever ending.
const disturbances = 4

// TestRun_DisturbedBetweenSteps has files collected and tables rewritten between
// any two steps of a dump, one after the other, and between all of them. Every
// backup must be one point in time.
func TestRun_DisturbedBetweenSteps(t *testing.T) {
	for engine, steps := range steps {
		for _, at := range append([]string{"all"}, steps...) {
			t.Run(string(engine)+" "+at, func(t *testing.T) { disturbAt(t, engine, at, steps) })
		}
	}
}

func disturbAt(t *testing.T, engine Engine, at string, steps []string) {
	o := newOffice(t)
	r := o.newRun()
	r.Engine = engine
	met := map[string]int{}
	generation := 0
	var mu sync.Mutex // steps of the copying are met by several goroutines
	r.hook = func(step string) {
		mu.Lock()
		defer mu.Unlock()
		if (at == "all" || at == step) && met[step] < disturbances {
			generation++
			o.disturb(generation)
		}
		met[step]++
	}
	report, err := r.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range steps {
		if met[step] == 0 {
			t.Errorf("there was no step %q", step)
		}
	}
	if f := report.Record.Filestore; report.Losses() || f.GCGuard != guardHeld || f.Named == 0 {
		t.Errorf("filestore: %+v", f)
	}
	if report.Engine != engine || report.EngineNote != "" {
		t.Errorf("engine %s, %s", report.Engine, report.EngineNote)
	}
	o.wantConsistent(r.Target)
}

// TestRun_NewTables makes tables while the others are being locked. They are in
// the backup, with their rows.
func TestRun_NewTables(t *testing.T) {
	o := newOffice(t)
	r := o.newRun()
	made := 0
	r.hook = func(step string) {
		if step == "tables listed" && made < 3 {
			made++
			o.exec(fmt.Sprintf("CREATE TABLE new_%d AS SELECT 1 AS one", made))
		}
	}
	if _, err := r.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.wantConsistent(r.Target)
	var rows int
	err := o.restored(r.Target).QueryRow(t.Context(), "SELECT count(*) FROM (TABLE new_1 UNION ALL TABLE new_2 UNION ALL TABLE new_3) x").Scan(&rows)
	if err != nil || rows != 3 {
		t.Errorf("%d rows of three new tables, %v", rows, err)
	}
}

// TestRun_GuardGivenUp has somebody wait for ir_attachment, longer than the
// guard may keep writers waiting.
func TestRun_GuardGivenUp(t *testing.T) {
	o := newOffice(t)
	r := o.newRun()
	r.GuardPatience = 100 * time.Millisecond
	waiter := connect(t, o.name)
	r.hook = func(step string) {
		if step != "filestore copied" {
			return
		}
		// It gets the lock only when the guard is gone.
		if _, err := waiter.Exec(t.Context(), "BEGIN; LOCK ir_attachment IN SHARE MODE; COMMIT"); err != nil {
			t.Error(err)
		}
	}
	report, err := r.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if state := report.Record.Filestore.GCGuard; len(report.Warnings) == 0 || state == guardHeld {
		t.Errorf("guard %q, warnings %q", state, report.Warnings)
	}
	o.wantConsistent(r.Target)
}

// TestRun_GuardLost ends the guard's session and takes files away: each is
// reported as missing, or found again.
func TestRun_GuardLost(t *testing.T) {
	o := newOffice(t)
	r := o.newRun()
	r.hook = func(step string) {
		if step == "snapshot read" {
			o.exec("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation = 'ir_attachment'::regclass AND mode = 'RowExclusiveLock'")
			o.exec("DELETE FROM ir_attachment WHERE id <= 5")
			for o.locked() {
			}
			o.collect()
		}
	}
	report, err := r.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if f := report.Record.Filestore; f.Missing != 5 || len(f.Lost) != 5 || f.GCGuard == guardHeld {
		t.Errorf("filestore: %+v", f)
	}
}

// locked tells whether somebody has the guard's lock.
func (o *office) locked() (is bool) {
	o.t.Helper()
	err := o.QueryRow(o.t.Context(), "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'ir_attachment'::regclass AND mode = 'RowExclusiveLock')").Scan(&is)
	if err != nil {
		o.t.Fatal(err)
	}
	return is
}

// TestRun_SnapshotLost ends the session that holds the snapshot before pg_dump
// takes it over.
func TestRun_SnapshotLost(t *testing.T) {
	o := newOffice(t)
	r := o.newRun()
	r.hook = func(step string) {
		if step == "snapshot read" {
			o.exec("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation = 'twin_a'::regclass AND mode = 'AccessShareLock' AND pid <> pg_backend_pid()")
		}
	}
	if _, err := r.do(t.Context()); err == nil {
		t.Error("no error")
	}
	r.nothingLeft(t)
}

// TestRun_SnapshotLostLate ends that session while rows are read, and truncates
// tables that are still to be read: connections that have taken the snapshot over
// would find them empty.
func TestRun_SnapshotLostLate(t *testing.T) {
	for _, packed := range []bool{false, true} {
		t.Run(fmt.Sprintf("packed %t", packed), func(t *testing.T) {
			o := newOffice(t)
			r := o.newRun()
			r.Jobs = 1
			var once sync.Once
			r.hook = func(step string) {
				if step != "table begun" {
					return
				}
				once.Do(func() {
					o.exec("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation = 'twin_a'::regclass AND mode = 'AccessShareLock' AND pid <> pg_backend_pid()")
					o.exec("SET lock_timeout = '30s'; TRUNCATE twin_a, twin_b; RESET lock_timeout")
				})
			}
			if packed {
				r.Pack = func(ctx context.Context, p Packing) error {
					var tables int
					if err := p.Rows(ctx, &countingSink{&tables}); err != nil {
						return err
					}
					_, err := p.Record(Packed{})
					return err
				}
			}
			report, err := r.do(t.Context())
			if err == nil {
				t.Errorf("no error: %+v", report.Tables)
			}
			r.nothingLeft(t)
		})
	}
}

// TestRun_NotOdoo dumps a database that is nobody's in particular.
func TestRun_NotOdoo(t *testing.T) {
	o := newOffice(t)
	o.exec("DROP TABLE ir_module_module")
	r := o.newRun()
	report, err := r.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if report.Record.Odoo != nil || report.Record.Filestore != nil || len(report.Warnings) != 1 {
		t.Errorf("%+v", report)
	}
}

// TestTakeGuard_Refused holds the guard to its reasons for doing without.
func TestTakeGuard_Refused(t *testing.T) {
	o := newOffice(t)
	series := func(s string) odoo.Info {
		parsed, err := dumpfmt.ParseSeries(s)
		if err != nil {
			t.Fatal(err)
		}
		return odoo.Info{IsOdoo: true, Series: parsed}
	}
	for _, tt := range []struct {
		name    string
		info    odoo.Info
		standby bool
		off     bool
		want    string
	}{
		{"switched off", series("17.0"), false, true, guardOff},
		{"standby", series("17.0"), true, false, "not taken: the server is a standby"},
		{"old Odoo", series("13.0"), false, false, guardHeld},
		{"taken", series("14.0"), false, false, guardHeld},
	} {
		r := o.newRun()
		r.GCGuard = !tt.off
		g, err := r.takeGuard(t.Context(), tt.info, tt.standby)
		if err != nil || g.State() != tt.want {
			t.Errorf("%s: %v, %v; want %s", tt.name, g, err, tt.want)
		}
		g.release()
	}
}
