package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// truth is what is known of the database before odx has touched it, by the word
// of pg_dump and of the files themselves.
type truth struct {
	databases map[string]bool   // names of all that are there
	script    digest            // of pg_dump's text
	sorted    digest            // of the same with the rows of each table sorted
	files     map[string]digest // of the filestore, by path
	manifest  string            // of the first backup
}

type digest [sha256.Size]byte

func (c *campaign) learn(t *testing.T) *truth {
	t.Helper()
	w := &truth{databases: map[string]bool{}, files: map[string]digest{}}
	for _, name := range c.databases(t) {
		w.databases[name] = true
	}
	text, err := c.program("pg_dump", "--no-owner", "--dbname="+c.DSN(sourceDB))
	if err != nil {
		t.Fatal(err)
	}
	w.script, w.sorted = scriptDigest(text, false), scriptDigest(text, true)
	if w.files, err = treeDigests(os.DirFS(c.filestore(sourceDB))); err != nil || len(w.files) < 10 {
		t.Fatalf("%d files, %v", len(w.files), err)
	}
	return w
}

// program runs one of PostgreSQL's and gives its output.
func (c *campaign) program(name string, args ...string) ([]byte, error) {
	cmd := exec.Command(filepath.Join(c.BinDir(), name), args...)
	cmd.Env = append(os.Environ(), c.Env()...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || errs.Len() > 0 {
		return nil, fmt.Errorf("%s: %w: %s", name, errors.Join(errors.New("it complains"), err), errs.Bytes())
	}
	return out, nil
}

// scriptDigest is that of pg_dump's text without the keys drawn at random, and
// if asked for with the rows of each table sorted: several connections may have
// loaded it.
func scriptDigest(text []byte, sorted bool) (d digest) {
	lines := bytes.SplitAfter(restrictLines.ReplaceAll(text, nil), []byte("\n"))
	start := -1
	for i, line := range lines {
		switch {
		case !sorted:
		case start < 0 && bytes.HasPrefix(line, []byte("COPY ")) && bytes.HasSuffix(line, []byte(" FROM stdin;\n")):
			start = i + 1
		case start >= 0 && string(line) == "\\.\n":
			slices.SortFunc(lines[start:i], bytes.Compare)
			start = -1
		}
	}
	h := sha256.New()
	for _, line := range lines {
		h.Write(line)
	}
	h.Sum(d[:0])
	return d
}

func treeDigests(tree fs.FS) (map[string]digest, error) {
	found := map[string]digest{}
	err := fs.WalkDir(tree, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := fs.ReadFile(tree, path)
		found[path] = sha256.Sum256(data)
		return err
	})
	return found, err
}

// filesFlaw says that the filestore is not the source's, and everything else is.
type filesFlaw struct{ paths []string }

func (f *filesFlaw) Error() string { return fmt.Sprintf("files of the filestore differ: %q", f.paths) }

// others gives the files that differ beside the one that a fault was about.
func (f *filesFlaw) others(touched string) []string {
	touched = strings.TrimPrefix(touched, "filestore/")
	return slices.DeleteFunc(slices.Clone(f.paths), func(p string) bool { return p == touched })
}

func (w *truth) judgeFiles(got map[string]digest) error {
	var f filesFlaw
	for path, d := range w.files {
		if got[path] != d {
			f.paths = append(f.paths, path)
		}
	}
	for path := range got {
		if _, ok := w.files[path]; !ok {
			f.paths = append(f.paths, path)
		}
	}
	if f.paths == nil {
		return nil
	}
	return &f
}

func (w *truth) judgeManifest(text []byte) error {
	var m struct {
		Name string `json:"db_name"`
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	if w.manifest == "" {
		w.manifest = string(text)
	}
	if m.Name != sourceDB || string(text) != w.manifest {
		return fmt.Errorf("manifest is %s", text)
	}
	return nil
}

// judge says what is wrong with the product.
func (tr *trial) judge(t *testing.T) error {
	t.Helper()
	if tr.op.makes == aDatabase {
		return tr.judgeDatabase(t)
	}
	return tr.judgeAt(t, tr.target())
}

func (tr *trial) judgeAt(t *testing.T, path string) error {
	t.Helper()
	if tr.op.makes == aZip {
		return tr.judgeZip(path)
	}
	return tr.judgeFolder(path)
}

func (tr *trial) judgeFolder(path string) error {
	text, err := tr.program("pg_restore", "--no-owner", "-f", "-", filepath.Join(path, "dump"))
	if err != nil {
		return err
	}
	if scriptDigest(text, false) != tr.truth.script {
		return errors.New("the archive is not the database")
	}
	manifest, err := os.ReadFile(filepath.Join(path, "manifest.json"))
	if err != nil {
		return err
	}
	if err := tr.truth.judgeManifest(manifest); err != nil {
		return err
	}
	files, err := treeDigests(os.DirFS(filepath.Join(path, "filestore")))
	if err != nil {
		return err
	}
	return tr.truth.judgeFiles(files)
}

func (tr *trial) judgeZip(path string) error {
	if out, err := exec.Command("unzip", "-tqq", path).CombinedOutput(); err != nil {
		return fmt.Errorf("unzip -t: %w: %s", err, out)
	}
	z, err := zip.OpenReader(path)
	if err != nil {
		return err
	}
	defer z.Close()
	files := map[string]digest{}
	for _, f := range z.File {
		data, err := memberOf(f)
		if err != nil {
			return err
		}
		switch name, isFile := strings.CutPrefix(f.Name, "filestore/"); {
		case isFile && !strings.HasSuffix(name, "/"):
			files[name] = sha256.Sum256(data)
		case f.Name == "dump.sql" && scriptDigest(data, false) != tr.truth.script:
			return errors.New("dump.sql is not the database")
		case f.Name == "manifest.json":
			if err := tr.truth.judgeManifest(data); err != nil {
				return err
			}
		}
	}
	for _, name := range []string{"dump.sql", "manifest.json"} {
		if !slices.ContainsFunc(z.File, func(f *zip.File) bool { return f.Name == name }) {
			return fmt.Errorf("no %s", name)
		}
	}
	return tr.truth.judgeFiles(files)
}

func memberOf(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(bufio.NewReader(r))
}

func (tr *trial) judgeDatabase(t *testing.T) error {
	t.Helper()
	c := tr.connect(t, "postgres")
	defer c.Close(t.Context())
	var state string
	err := c.QueryRow(t.Context(), `SELECT concat_ws(' ', pg_get_userbyid(datdba), datallowconn, datistemplate, datconnlimit,
		shobj_description(oid, 'pg_database'), has_database_privilege('public', oid, 'CONNECT')) FROM pg_database WHERE datname = $1`, tortureTarget).Scan(&state)
	if err != nil {
		return err
	}
	if state != odooRole+" t f -1 t" {
		return fmt.Errorf("owner, connections, template, limit, comment, access: %s", state)
	}
	text, err := tr.program("pg_dump", "--no-owner", "--dbname="+tr.DSN(tortureTarget))
	if err != nil {
		return err
	}
	if scriptDigest(text, true) != tr.truth.sorted {
		return errors.New("the database is not the source's")
	}
	files, err := treeDigests(os.DirFS(filepath.Join(tr.store(), tortureTarget)))
	if err != nil {
		return err
	}
	return tr.truth.judgeFiles(files)
}
