package contest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"odx/parallel/pgtool"
)

// Tools are the programs that take part.
type Tools struct {
	BinDir   string            // of PostgreSQL's programs, the server's included
	Major    int               // their version
	Versions map[string]string // what each says of itself
	path     []string          // folders for all others
	odx      string
}

// others are the programs that are neither odx's nor PostgreSQL's, with the
// argument that makes them tell their version.
var others = [][2]string{{"python3", "--version"}, {"zip", "--version"}, {"unzip", "-v"}, {"cp", "--version"}}

// FindTools looks for all programs: PostgreSQL's in binDir, "" for the newest
// server's, the others in the folders of path (as PATH has them).
func FindTools(ctx context.Context, odx, binDir, path string) (*Tools, error) {
	postgres, err := pgtool.Finder{BinDir: binDir, Path: path}.Newest(ctx, "postgres")
	if err != nil {
		return nil, err
	}
	// A link on PATH says nothing of where the other programs are.
	server, err := filepath.EvalSymlinks(postgres.Path)
	if err != nil {
		return nil, err
	}
	t := &Tools{
		BinDir: filepath.Dir(server), Major: postgres.Version.Major,
		Versions: map[string]string{"PostgreSQL": postgres.Version.Text},
		// A system's own folders first: pyenv's python3 is a script that starts another one.
		path: append([]string{"/usr/bin", "/bin"}, filepath.SplitList(path)...),
	}
	if t.odx, err = filepath.Abs(odx); err != nil {
		return nil, err
	}
	if t.Versions["odx"], err = t.ask(ctx, t.odx, "version"); err != nil {
		return nil, err
	}
	for _, tool := range others {
		file, err := t.find(tool[0])
		if err != nil {
			return nil, err
		}
		if t.Versions[tool[0]], err = t.ask(ctx, file, tool[1]); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// ask returns the first line of a program's output that tells a version.
func (t *Tools) ask(ctx context.Context, file, arg string) (string, error) {
	var out strings.Builder
	if _, err := pgtool.Run(ctx, pgtool.Command{Tool: file, Args: []string{arg}, Env: pgtool.ChildEnv(nil, nil), Stdout: &out}); err != nil {
		return "", err
	}
	lines := strings.Split(out.String(), "\n")
	if strings.HasPrefix(lines[0], "Copyright") && len(lines) > 1 { // zip
		lines = lines[1:]
	}
	first, _, _ := strings.Cut(lines[0], ", by ")
	first, _, _ = strings.Cut(first, " (")
	if filepath.Base(file) == filepath.Base(t.odx) {
		first = lines[0]
	}
	return strings.TrimSuffix(strings.TrimPrefix(first, "This is "), "."), nil
}

// find returns the path of a step's program.
func (t *Tools) find(tool string) (string, error) {
	if tool == "odx" {
		return t.odx, nil
	}
	for _, dir := range append([]string{t.BinDir}, t.path...) {
		file := filepath.Join(dir, tool)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("no program %s on PATH; .ci/setup bench installs what the bench needs", tool)
}

// compresses tells whether the archive programs can write a compression. It is
// found out by asking for it: with which libraries they were built, they do not
// say.
func (s *Stage) compresses(ctx context.Context, method string) (bool, error) {
	if method == "" {
		return true, nil
	}
	file, err := s.tools.find("pg_dump")
	if err != nil {
		return false, err
	}
	_, err = pgtool.Run(ctx, pgtool.Command{
		Tool: file, Args: []string{"-Fc", "--schema-only", "-Z" + method, "postgres"}, Env: s.environment(),
	})
	if exit := (*pgtool.ExitError)(nil); errors.As(err, &exit) {
		return false, nil
	}
	return err == nil, err
}

// environment is that of every step.
func (s *Stage) environment() []string {
	return pgtool.ChildEnv(append(s.cluster.Env(), "HOME="+s.tmp()), map[string]string{
		"PATH": strings.Join(append([]string{s.tools.BinDir}, s.tools.path...), string(filepath.ListSeparator)), "TMPDIR": s.tmp(),
	})
}
