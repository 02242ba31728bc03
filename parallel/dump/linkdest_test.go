package dump

import (
	"os"
	"path/filepath"
	"testing"
)

// TestRun_LinkDestDisturbed changes the database and the filestore while files
// are linked: what the snapshot does not name is copied, what it names is there,
// and a second attempt goes on with what the first has linked.
func TestRun_LinkDestDisturbed(t *testing.T) {
	o := newOffice(t)
	r := o.newRun()
	r.Verify = true
	if _, err := r.do(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := r.Target

	r = o.newRun()
	r.Target, r.LinkDest = filepath.Join(t.TempDir(), "second"), first
	o.attach("written before the snapshot")
	r.hook = func(step string) {
		if step == "filestore linked" || step == "snapshot exported" {
			o.disturb(1)
		}
	}
	report, err := r.do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o.wantConsistent(r.Target)
	s := report.Record.Filestore.SHA1
	if s.Linked == 0 || s.Linked > 20 || s.Wrong != 0 || s.From != first {
		t.Errorf("%+v", s)
	}
	for _, name := range []string{"attachments.tmp", "link.tmp"} {
		if _, err := os.Lstat(filepath.Join(r.Target, name)); err == nil {
			t.Errorf("%s was left", name)
		}
	}
}
