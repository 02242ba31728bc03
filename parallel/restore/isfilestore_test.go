package restore

import (
	"os"
	"path/filepath"
	"testing"
)

// TestIsFilestore has folders as Odoo makes and made them, and those of others.
func TestIsFilestore(t *testing.T) {
	for name, ok := range map[string]bool{"ab": true, "0f1": true, "checklist": true, "prod": false, "abcd": false, "AB": false, "a": false} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := isFilestore(dir); (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
