package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"odx/parallel/server"
)

// TestWAL_Archiver has archiving fail, and then work again.
func TestWAL_Archiver(t *testing.T) {
	dir := t.TempDir()
	stop := filepath.Join(dir, "stop")
	if err := os.WriteFile(stop, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for d := dir; d != "/" && d != filepath.Clean(os.TempDir()); d = filepath.Dir(d) { // the server's user gets there
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	archiving := map[string]string{"archive_mode": "on", "archive_command": "test ! -e " + stop}
	onEach(t, archiving, func(t *testing.T, open opener) {
		if err := os.WriteFile(stop, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		s := open("postgres")
		exec(t, s, "SELECT pg_switch_wal()")
		await(t, s, "SELECT failed_count > 0 FROM pg_stat_archiver")
		got, err := WAL(t.Context(), s, 1<<30)
		want(t, got, err, "warning: wal: the server cannot archive its write-ahead log")
		if len(got) == 1 && !strings.Contains(got[0].Text, "perhaps 2048 MB") {
			t.Errorf("found %s", got[0])
		}
		if err := os.Remove(stop); err != nil {
			t.Fatal(err)
		}
		await(t, s, "SELECT last_archived_time > last_failed_time FROM pg_stat_archiver")
		got, err = WAL(t.Context(), s, 1<<30)
		want(t, got, err)
	})
}

// TestWAL_Slots makes slots that hold the log, and one that does not, and looks
// as a role without rights.
func TestWAL_Slots(t *testing.T) {
	onEach(t, nil, func(t *testing.T, open opener) {
		s := open("postgres")
		exec(t, s, "CREATE ROLE modest LOGIN")
		modest := open("modest")
		got, err := WAL(t.Context(), modest, 0)
		want(t, got, err)
		exec(t, s, "SELECT pg_create_physical_replication_slot('empty')")
		got, err = WAL(t.Context(), modest, 0)
		want(t, got, err)
		exec(t, s, "SELECT pg_create_physical_replication_slot('held', true)")
		got, err = WAL(t.Context(), modest, 0)
		want(t, got, err, "warning: wal: the server keeps its write-ahead log for replication slot held, which nobody reads")
		exec(t, s, "ALTER SYSTEM SET max_slot_wal_keep_size = '64MB'")
		exec(t, s, "SELECT pg_reload_conf()")
		await(t, s, "SELECT current_setting('max_slot_wal_keep_size') = '64MB'")
		await(t, modest, "SELECT current_setting('max_slot_wal_keep_size') = '64MB'")
		got, err = WAL(t.Context(), modest, 0)
		want(t, got, err, "more than 64 MB behind (max_slot_wal_keep_size) the slot is lost")
		exec(t, s, "SELECT pg_drop_replication_slot('held')")
		got, err = WAL(t.Context(), modest, 0)
		want(t, got, err)
	})
}

// await waits until a query gives true.
func await(t *testing.T, s *server.Session, sql string) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		var is bool
		if err := s.Scan(t.Context(), "SELECT COALESCE(("+sql+"), false)", &is); err != nil {
			t.Fatal(err)
		}
		if is {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("never true: %s", sql)
		}
	}
}
