package dump

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// TestRun_GuardHoldsNobody has somebody lock ir_attachment while the dump is held
// up: while rows are read, when the files are copied already, and before that,
// while the tables are locked. The lock is had all the same.
func TestRun_GuardHoldsNobody(t *testing.T) {
	for step, want := range map[string]string{"table begun": guardHeld, "tables locked": "given up"} {
		t.Run(step, func(t *testing.T) {
			o := newOffice(t)
			r := o.newRun()
			r.Engine, r.GuardWait = EngineDirect, 1
			if want == guardHeld {
				r.GuardWait = time.Hour
			}
			var once sync.Once
			r.hook = func(at string) {
				if at == step {
					once.Do(func() {
						_, err := o.Exec(t.Context(), "SET lock_timeout = '5min'; BEGIN; LOCK ir_attachment IN SHARE MODE; COMMIT; RESET lock_timeout")
						if err != nil {
							t.Error(err)
						}
					})
				}
			}
			report, err := r.do(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if f := report.Record.Filestore; !strings.HasPrefix(f.GCGuard, want) || f.Missing != 0 {
				t.Errorf("%+v", f)
			}
		})
	}
}
