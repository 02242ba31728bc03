package odoo

import (
	"archive/zip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// realBackup is a backup that Odoo 19 made of a database with demo data.
const realBackup = "../../../shared/data/odoo19-standard.zip"

func openReal(t *testing.T) *zip.ReadCloser {
	t.Helper()
	z, err := zip.OpenReader(realBackup)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the real backup is not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { z.Close() })
	return z
}

// realMember reads a member of the real backup.
func realMember(t *testing.T, name string) []byte {
	t.Helper()
	f, err := openReal(t).Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// realFiles names the members of its filestore, sorted.
func realFiles(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, f := range openReal(t).File {
		if strings.HasPrefix(f.Name, "filestore/") && !strings.HasPrefix(f.Name, "filestore/checklist/") {
			names = append(names, f.Name)
		}
	}
	slices.Sort(names)
	return names
}

// loadReal loads the real backup into a database of its own, once.
var loadReal = sync.OnceValue(func() error {
	z, err := zip.OpenReader(realBackup)
	if err != nil {
		return err
	}
	defer z.Close()
	script, err := z.Open("dump.sql")
	if err != nil {
		return err
	}
	defer script.Close()
	psql := exec.Command(cluster.BinDir()+"/psql", "-X", "-q", "-d", "real")
	psql.Env = append(os.Environ(), cluster.Env()...)
	psql.Stdin = script
	create := exec.Command(cluster.BinDir()+"/createdb", "-T", "template0", "--lc-collate=C", "real")
	create.Env = psql.Env
	if out, err := create.CombinedOutput(); err != nil {
		return errors.New(string(out))
	}
	// Older servers do not know transaction_timeout; psql goes on.
	if out, err := psql.CombinedOutput(); err != nil {
		return errors.New(string(out))
	}
	return nil
})

// realDatabase is a transaction in a database with the content of the real
// backup, loaded by psql as Odoo does it. It is rolled back after the test.
func realDatabase(t *testing.T) pgx.Tx {
	t.Helper()
	openReal(t)
	if err := loadReal(); err != nil {
		t.Fatal(err)
	}
	tx, err := connect(t, "real", "").Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Rollback(context.Background()) })
	return tx
}
