package dump

import (
	"cmp"
	"context"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestRun_GuardHoldsNobody has somebody lock ir_attachment while the dump is held up,
// at any step: the lock is had all the same. Copied files need the guard no longer,
// files to be packed do.
func TestRun_GuardHoldsNobody(t *testing.T) {
	for name, tt := range map[string]struct {
		step, want string
		engine     Engine
		pack       bool
	}{
		"while the tables are locked":   {step: "tables locked", want: "given up"},
		"when the snapshot is taken":    {step: "snapshot exported", want: "given up"},
		"while rows are read":           {step: "table begun", want: guardHeld},
		"before the archive is packed":  {step: "archive made", want: "given up", engine: EnginePgDump, pack: true},
		"before the rows are packed":    {step: "snapshot read", want: "given up", pack: true},
		"while the archive is packed":   {step: "packing", want: "given up", engine: EnginePgDump, pack: true},
		"while what was read is packed": {step: "packing", want: "given up", pack: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			r := o.newRun()
			r.Engine, r.GuardPatience = cmp.Or(tt.engine, EngineDirect), 1
			if tt.want == guardHeld {
				r.GuardPatience = time.Hour
			}
			var once sync.Once
			r.hook = func(at string) {
				if at == tt.step {
					once.Do(func() {
						_, err := o.Exec(t.Context(), "SET lock_timeout = '5min'; BEGIN; LOCK ir_attachment IN SHARE MODE; COMMIT; RESET lock_timeout")
						if err != nil {
							t.Error(err)
						}
					})
				}
			}
			if tt.pack {
				r.Pack = func(ctx context.Context, p Packing) error {
					r.step("packing")
					if p.Rows != nil {
						if err := p.Rows(ctx, &countingSink{new(int)}); err != nil {
							return err
						}
					}
					_, err := p.Record(Packed{})
					return err
				}
			}
			report, err := r.do(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if f := report.Record.Filestore; !strings.HasPrefix(f.GCGuard, tt.want) || f.Missing != 0 {
				t.Errorf("%+v", f)
			}
		})
	}
}
