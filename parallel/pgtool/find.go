package pgtool

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// versionTime is the most that `TOOL --version` may take; a network folder
// that does not answer should not hold up everything.
const versionTime = 10 * time.Second

// Tool is a program that was found.
type Tool struct {
	Name    string // "pg_dump"
	Path    string // absolute
	Version Version
}

// Dir returns the folder that the program is in.
func (t Tool) Dir() string { return filepath.Dir(t.Path) }

// Finder knows where to look for programs. Its methods may be called from
// several goroutines; they start each candidate to ask for its version, and
// remember nothing.
type Finder struct {
	// BinDir is the only folder looked at if it is set.
	BinDir string
	// Path is a list of folders like the variable PATH. Relative ones are
	// passed over.
	Path string
	// Roots are glob patterns of the folders where packages put the programs
	// of one version; nil stands for the usual ones.
	Roots []string
}

// usualRoots returns where packages and installers put PostgreSQL.
func usualRoots() []string {
	switch runtime.GOOS {
	case "darwin":
		return []string{
			"/opt/homebrew/opt/postgresql@*/bin", "/opt/homebrew/opt/libpq/bin", "/opt/homebrew/bin",
			"/usr/local/opt/postgresql@*/bin", "/usr/local/opt/libpq/bin", "/usr/local/bin",
			"/Applications/Postgres.app/Contents/Versions/*/bin", "/Library/PostgreSQL/*/bin",
			"/opt/local/lib/postgresql*/bin",
		}
	case "windows":
		return []string{`C:\Program Files\PostgreSQL\*\bin`}
	}
	return []string{
		"/usr/lib/postgresql/*/bin",   // Debian, Ubuntu
		"/usr/pgsql-*/bin",            // PostgreSQL's own RPM packages
		"/usr/lib/postgresql*/bin",    // SUSE
		"/usr/libexec/postgresql*",    // Alpine
		"/usr/lib64/postgresql-*/bin", // Gentoo
		"/usr/local/pgsql/bin",        // built from source
		"/opt/postgresql*/bin",        //
		"/usr/local/bin", "/usr/bin",  // only one version
	}
}

// All returns every program of that name, the newest first and each once, even
// if several paths lead to it. Programs that do not tell their version are left
// out. The error is that of ctx.
func (f Finder) All(ctx context.Context, name string) ([]Tool, error) {
	found, _, err := f.search(ctx, name)
	return found, err
}

// Newest returns the newest program of that name, or [*NotFoundError].
func (f Finder) Newest(ctx context.Context, name string) (Tool, error) {
	found, broken, err := f.search(ctx, name)
	if err != nil {
		return Tool{}, err
	}
	if len(found) == 0 {
		return Tool{}, f.notFound(name, 0, nil, broken)
	}
	return found[0], nil
}

// PgDump returns the newest pg_dump that dumps a server of that major version,
// or [*NotFoundError].
func (f Finder) PgDump(ctx context.Context, serverMajor int) (Tool, error) {
	found, broken, err := f.search(ctx, "pg_dump")
	if err != nil {
		return Tool{}, err
	}
	if len(found) > 0 && found[0].Version.Major >= serverMajor {
		return found[0], nil
	}
	return Tool{}, f.notFound("pg_dump", serverMajor, found, broken)
}

// PgRestore returns the pg_restore that suits an archive and a server, or
// [*NotFoundError]. Need is the oldest major version that reads the archive.
// Of those that do, the newest one that is not newer than the server is taken,
// else the oldest one.
func (f Finder) PgRestore(ctx context.Context, need, serverMajor int) (Tool, error) {
	found, broken, err := f.search(ctx, "pg_restore")
	if err != nil {
		return Tool{}, err
	}
	var best Tool
	for _, t := range found { // newest first
		if t.Version.Major < need {
			break
		}
		if t.Version.Major != best.Version.Major { // else an older minor one
			best = t
		}
		if best.Version.Major <= serverMajor {
			break
		}
	}
	if best.Path == "" {
		return Tool{}, f.notFound("pg_restore", need, found, broken)
	}
	return best, nil
}

// Server returns the newest server program, if it is of that major version or
// a newer one, else [*NotFoundError].
func (f Finder) Server(ctx context.Context, need int) (Tool, error) {
	found, broken, err := f.search(ctx, "postgres")
	if err != nil {
		return Tool{}, err
	}
	if len(found) > 0 && found[0].Version.Major >= need {
		return found[0], nil
	}
	return Tool{}, f.notFound("postgres", need, found, broken)
}

func (f Finder) notFound(name string, need int, found []Tool, broken []string) error {
	return &NotFoundError{Name: name, Need: need, Found: found, binDir: f.BinDir, broken: broken}
}

// search returns the programs that tell their version, the newest first, and
// what is wrong with the others.
func (f Finder) search(ctx context.Context, name string) (found []Tool, broken []string, err error) {
	dirs, err := f.dirs()
	if err != nil {
		return nil, nil, err
	}
	seen := map[string]bool{}
	for _, dir := range dirs {
		path, isNew := candidate(dir, name, seen)
		if !isNew {
			continue
		}
		version, err := f.version(ctx, path)
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		if err != nil {
			broken = append(broken, fmt.Sprintf("%s does not tell its version: %s", path, err))
			continue
		}
		found = append(found, Tool{Name: name, Path: path, Version: version})
	}
	// Of equal ones the first on PATH stays first.
	slices.SortStableFunc(found, func(a, b Tool) int {
		return cmp.Or(cmp.Compare(b.Version.Major, a.Version.Major), cmp.Compare(b.Version.Minor, a.Version.Minor))
	})
	return found, broken, nil
}

// dirs returns the folders to look at, in order.
func (f Finder) dirs() ([]string, error) {
	if f.BinDir != "" {
		dir, err := filepath.Abs(f.BinDir)
		return []string{dir}, err
	}
	var dirs []string
	for _, dir := range filepath.SplitList(f.Path) {
		if filepath.IsAbs(dir) {
			dirs = append(dirs, dir)
		}
	}
	roots := f.Roots
	if roots == nil {
		roots = usualRoots()
	}
	for _, pattern := range roots {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("look for programs in %q: %w", pattern, err)
		}
		dirs = append(dirs, matches...)
	}
	return dirs, nil
}

// candidate returns the path of a program in a folder, if there is one that
// was not seen before under another path.
func candidate(dir, name string, seen map[string]bool) (string, bool) {
	path := filepath.Join(dir, name)
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil || filepath.Base(target) == "pg_wrapper" || seen[target] {
		return "", false
	}
	info, err := os.Stat(target)
	if err != nil || !info.Mode().IsRegular() || runtime.GOOS != "windows" && info.Mode()&0o111 == 0 {
		return "", false
	}
	seen[target] = true
	return path, true
}

// version asks a program for its version.
func (f Finder) version(ctx context.Context, path string) (Version, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, versionTime, errors.New("no answer"))
	defer cancel()
	env := ChildEnv(nil, nil)
	if f.Path != "" { // which a program that is a script may need
		env = append(env, "PATH="+f.Path)
	}
	var out bytes.Buffer
	_, err := Run(ctx, Command{
		Tool: path, Args: []string{"--version"}, Env: env, Stdout: &out, Grace: time.Second,
	})
	if err != nil {
		return Version{}, err
	}
	line, _, _ := strings.Cut(out.String(), "\n")
	return parseVersion(strings.TrimSpace(line))
}
