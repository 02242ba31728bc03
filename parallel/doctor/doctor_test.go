package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"odx/dumpfmt"
	"odx/parallel/pgcluster"
	"odx/parallel/server"
)

var cluster *pgcluster.Cluster

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	var err error
	cluster, err = pgcluster.Start(context.Background(), pgcluster.Options{Settings: map[string]string{
		"max_connections": "20", "max_wal_size": "1GB", "max_prepared_transactions": "2"}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := cluster.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}()
	return m.Run()
}

func settings(user string) server.Settings { return settingsOf(cluster, user) }

func settingsOf(cluster *pgcluster.Cluster, user string) server.Settings {
	return server.Settings{Params: server.Params{"host": cluster.Host(), "port": fmt.Sprint(cluster.Port()), "user": user}}
}

func open(t *testing.T, user string) *server.Session {
	t.Helper()
	s, err := settings(user).Open(t.Context(), "postgres", "odx test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func exec(t *testing.T, s *server.Session, sql string) {
	t.Helper()
	if err := s.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// want compares what was found with substrings, one for each finding.
func want(t *testing.T, got []Finding, err error, texts ...string) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
	isRight := len(got) == len(texts)
	for i := range texts {
		isRight = isRight && strings.Contains(got[i].String(), texts[i])
	}
	if !isRight {
		t.Errorf("found %q, want %q", got, texts)
	}
	for _, f := range got {
		if f.Do == "" || f.Check == "" {
			t.Errorf("%s does not say what to do", f)
		}
	}
}

func TestConnections(t *testing.T) {
	s := open(t, cluster.User())
	exec(t, s, "DROP ROLE IF EXISTS few; CREATE ROLE few LOGIN CONNECTION LIMIT 3")
	got, err := Connections(t.Context(), s, 4, true)
	want(t, got, err)
	got, err = Connections(t.Context(), s, 21, true)
	want(t, got, err, "blocking: connections: 21 connections are needed, and max_connections leaves")
	few := open(t, "few")
	got, err = Connections(t.Context(), few, 3, true)
	want(t, got, err)
	got, err = Connections(t.Context(), few, 4, true)
	want(t, got, err, "connection limit of role few leaves 3")
	got, err = Connections(t.Context(), few, 19, true)
	want(t, got, err, "max_connections", "role few")
}

func TestExtensions(t *testing.T) {
	got, err := Extensions(t.Context(), open(t, cluster.User()), []string{"plpgsql", "no such", "unaccent"})
	want(t, got, err, "blocking: extensions: the dump needs extension no such")
}

func TestSettings(t *testing.T) {
	s := open(t, cluster.User())
	got, err := Settings(t.Context(), s)
	want(t, got, err, "note: settings: fsync is off", "wal_level is replica", "max_wal_size is 1GB", "shared_buffers is 64MB")
	exec(t, s, "SET default_transaction_read_only = on")
	got, err = Settings(t.Context(), s)
	if err != nil || len(Blocked(got)) != 1 {
		t.Errorf("%v %v", got, err)
	}
}

func TestServerNeeds(t *testing.T) {
	s := open(t, cluster.User())
	needs, err := ServerNeeds(t.Context(), s, true, 1000, 400)
	if err != nil || len(needs) != 1 || needs[0].Least != 100 || needs[0].Likely != 1100 || !filepath.IsAbs(needs[0].Dir) {
		t.Errorf("%+v %v", needs, err)
	}
	// 1 GB is max_wal_size, which no file of the log that is there comes near.
	const size = 100 << 30
	needs, err = ServerNeeds(t.Context(), s, true, size, 1)
	if wal := needs[0].Likely - size - size/10; err != nil || wal <= 0 || wal > 1<<30 {
		t.Errorf("%d bytes for the write-ahead log; %v", wal, err)
	}
	if needs, err := ServerNeeds(t.Context(), s, false, 1000, 400); err != nil || needs != nil {
		t.Errorf("elsewhere: %+v %v", needs, err)
	}
	exec(t, s, "DROP ROLE IF EXISTS modest; CREATE ROLE modest LOGIN")
	if needs, err := ServerNeeds(t.Context(), open(t, "modest"), true, 1000, 400); err != nil || needs != nil {
		t.Errorf("a role that may not know: %+v %v", needs, err)
	}
}

func TestDisk(t *testing.T) {
	got, err := Disk(Need{What: "it", Dir: filepath.Join(t.TempDir(), "not", "yet"), Least: 1, Likely: 2, Files: 1})
	want(t, got, err)
	got, err = Disk(Need{What: "it", Dir: t.TempDir(), Least: 1 << 60, Likely: 1 << 61})
	want(t, got, err, "blocking: disk: ")
	for _, tt := range []struct {
		name string
		need Need
		room dumpfmt.Room
		want []string
	}{
		{"enough", Need{Least: 1, Likely: 5, Files: 5}, dumpfmt.Room{Bytes: 5, Files: 5}, nil},
		{"perhaps", Need{Least: 1, Likely: 5}, dumpfmt.Room{Bytes: 4}, []string{"warning: disk: the disk may become full"}},
		{"too little", Need{Least: 3, Likely: 5}, dumpfmt.Room{Bytes: 2}, []string{"blocking: disk: "}},
		{"inodes", Need{Files: 5}, dumpfmt.Room{Files: 4}, []string{"blocking: inodes: 4 files"}},
		{"inodes without a bound", Need{Files: 5}, dumpfmt.Room{Files: -1}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) { want(t, tt.need.judge("/x", tt.room), nil, tt.want...) })
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	got, err := Folder(filepath.Join(dir, "not", "yet"))
	want(t, got, err)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	got, err = Folder(dir)
	want(t, got, err, "warning: folder: everybody may remove")
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err = Folder(file)
	want(t, got, err, "is not a folder")
	want(t, []Finding{cannotWrite(dir, fs.ErrPermission)}, nil, "blocking: folder: nothing can be made")
}

func TestEstimateFilestore(t *testing.T) {
	dir := t.TempDir()
	for i := range folders {
		sub := filepath.Join(dir, fmt.Sprintf("%02x", i))
		if err := os.Mkdir(sub, 0o700); err != nil {
			t.Fatal(err)
		}
		for j := range 3 {
			if err := os.WriteFile(filepath.Join(sub, fmt.Sprint(j)), []byte("1234567"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if files, bytes := EstimateFilestore(dir); files != 3*folders || bytes != 3*folders*7 {
		t.Errorf("%d files, %d bytes", files, bytes)
	}
	if files, bytes := EstimateFilestore(filepath.Join(dir, "none")); files != 0 || bytes != 0 {
		t.Errorf("none: %d files, %d bytes", files, bytes)
	}
}

func TestHeed(t *testing.T) {
	var warned []string
	warn := func(format string, args ...any) { warned = append(warned, fmt.Sprintf(format, args...)) }
	list := []Finding{{Severity: Note, Text: "note"}, {Severity: Warning, Text: "warn", Do: "do"}}
	if err := Heed(list, warn); err != nil || fmt.Sprint(warned) != "[warn (do)]" {
		t.Errorf("%v %q", err, warned)
	}
	list = append(list, Refusals("x", fs.ErrExist, []string{"w"})...)
	err := Heed(list, warn)
	var blocked *BlockedError
	if !errors.As(err, &blocked) || len(blocked.Findings) != 1 || !errors.Is(err, fs.ErrExist) || len(warned) != 3 {
		t.Errorf("%v %q", err, warned)
	}
}
