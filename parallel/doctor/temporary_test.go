package doctor

import (
	"os"
	"path/filepath"
	"testing"
)

func TestScratch(t *testing.T) {
	dir := t.TempDir()
	got, err := Scratch(dir, 1<<10)
	want(t, got, err)
	got, err = Scratch(dir, 1<<60)
	want(t, got, err, "blocking: disk: ")
	got, err = Scratch(filepath.Join(dir, "none"), 1<<10)
	want(t, got, err, "blocking: temporary: the folder for temporary files")
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err = Scratch(file, 1<<10)
	want(t, got, err, "is not a folder")
}

func TestServerTemporary(t *testing.T) {
	onEach(t, nil, func(t *testing.T, open opener) {
		s := open("postgres")
		var parent string
		if err := s.Scan(t.Context(), "SELECT current_setting('data_directory') || '/..'", &parent); err != nil {
			t.Fatal(err)
		}
		const size = 100 << 30
		got, err := ServerTemporary(t.Context(), s, true, size)
		want(t, got, err)
		exec(t, s, "SET temp_file_limit = '1GB'")
		got, err = ServerTemporary(t.Context(), s, true, size)
		want(t, got, err, "warning: temporary: temp_file_limit is 1024 MB")
		got, err = ServerTemporary(t.Context(), s, true, 5<<30)
		want(t, got, err)
		got, err = ServerTemporary(t.Context(), s, true, 0)
		want(t, got, err)
		exec(t, s, "RESET temp_file_limit")

		dir := filepath.Join(parent, "sorts")
		exec(t, s, "COPY (SELECT) TO PROGRAM 'mkdir "+dir+"'") // a folder of the server's user
		exec(t, s, "CREATE TABLESPACE sorts LOCATION '"+dir+"'")
		exec(t, s, "CREATE ROLE modest LOGIN")
		exec(t, s, "ALTER ROLE modest SET temp_tablespaces = sorts, \"nowhere else\"")
		modest := open("modest")
		got, err = ServerTemporary(t.Context(), modest, true, 1<<60)
		want(t, got, err, "note: temporary: temp_tablespaces names sorts, which may not be used", "nowhere else, which does not exist")
		exec(t, s, "GRANT CREATE ON TABLESPACE sorts TO modest")
		exec(t, modest, "SET temp_tablespaces = sorts")
		got, err = ServerTemporary(t.Context(), modest, true, size/1000)
		want(t, got, err)
		got, err = ServerTemporary(t.Context(), modest, true, 1<<60)
		want(t, got, err, "warning: disk: the disk may become full")
		got, err = ServerTemporary(t.Context(), modest, false, 1<<60)
		want(t, got, err)
	})
}
