package odoo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// neutralizeScript is where a module keeps its own neutralizing SQL, within
// the module's folder.
const neutralizeScript = "data/neutralize.sql"

// moduleSQL is the neutralizing script of one module.
type moduleSQL struct {
	Module string
	Path   string // of the file
	SQL    string
}

// fromAddons finds the modules' own neutralize.sql in the folders of an
// addons path; the first folder that has the file wins, as in Odoo. It returns
// them in the order of the modules, and the names of those without one. Odoo
// looks, besides the addons path, in the folder of base, which in a checkout
// lies beside the others, in ../odoo/addons; so does fromAddons.
//
// A folder of the path that does not exist has no modules. A script that is
// there and cannot be read is an error.
func fromAddons(paths []string, modules []string) (found []moduleSQL, missing []string, err error) {
	paths = withBase(paths)
	for _, module := range modules {
		m, err := findScript(paths, module)
		switch {
		case err != nil:
			return nil, nil, fmt.Errorf("neutralize.sql of module %q: %w", module, err)
		case m == nil:
			missing = append(missing, module)
		default:
			found = append(found, *m)
		}
	}
	return found, missing, nil
}

// Absent gives the modules of which no folder of the addons path has any trace:
// nobody can tell whether they have a script. Without a path there are none.
func Absent(paths []string, modules []string) (absent []string) {
	if len(paths) == 0 {
		return nil
	}
	paths = withBase(paths)
	for _, module := range modules {
		there := slices.ContainsFunc(paths, func(dir string) bool {
			info, err := os.Stat(filepath.Join(dir, filepath.Base(module)))
			return err == nil && info.IsDir()
		})
		if !there {
			absent = append(absent, module)
		}
	}
	slices.Sort(absent)
	return absent
}

// withBase adds the folders where checkouts keep base, after all others.
func withBase(paths []string) []string {
	all := append([]string(nil), paths...)
	for _, path := range paths {
		dir := filepath.Join(path, "..", "odoo", "addons")
		if info, err := os.Stat(filepath.Join(dir, baseModule)); err == nil && info.IsDir() {
			all = append(all, dir)
		}
	}
	return all
}

// findScript returns nil for a module that has no script.
func findScript(paths []string, module string) (*moduleSQL, error) {
	// The name comes from the database and must not lead elsewhere.
	if !filepath.IsLocal(module) || strings.ContainsAny(module, `/\`) {
		return nil, nil
	}
	for _, dir := range paths {
		path := filepath.Join(dir, module, filepath.FromSlash(neutralizeScript))
		sql, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return &moduleSQL{Module: module, Path: path, SQL: strings.TrimSpace(string(sql))}, nil
	}
	return nil, nil
}

// ScriptError says which statement of which module's script failed.
type ScriptError struct {
	Module    string
	Path      string
	Statement int // from 1; 0 if the server did not say
	Line      int // from 1; 0 if the server did not say
	Err       error
}

// Error prints as "neutralize.sql of module sale, line 3 (/opt/…): ERROR: …".
func (e *ScriptError) Error() string {
	where := ""
	switch {
	case e.Line > 0:
		where = fmt.Sprintf(", line %d", e.Line)
	case e.Statement > 0:
		where = fmt.Sprintf(", statement %d", e.Statement)
	}
	return fmt.Sprintf("neutralize.sql of module %s%s (%s): %v", e.Module, where, e.Path, e.Err)
}

// Unwrap gives the server's error.
func (e *ScriptError) Unwrap() error { return e.Err }

// errTransaction says that a script ended the transaction it ran in.
var errTransaction = errors.New("the script ends the transaction")

// run sends the script as it is, as one string of many statements, and returns
// the rows that they changed. The transaction must be neutralize's own: one
// that a script ended cannot be rolled back any more.
func (m moduleSQL) run(ctx context.Context, tx pgx.Tx) (rows int64, err error) {
	conn := tx.Conn().PgConn()
	results := conn.Exec(ctx, m.SQL)
	done := 0
	for results.NextResult() {
		tag, err := results.ResultReader().Close()
		if err != nil {
			break // and again from Close
		}
		done++
		if tag.Insert() || tag.Update() || tag.Delete() {
			rows += tag.RowsAffected()
		}
	}
	if err := results.Close(); err != nil {
		failed := &ScriptError{Module: m.Module, Path: m.Path, Statement: done + 1, Err: err}
		var pg *pgconn.PgError
		if errors.As(err, &pg) && pg.Position > 0 {
			failed.Line = lineAt(m.SQL, int(pg.Position))
		}
		return 0, failed
	}
	if conn.TxStatus() != 'T' {
		return 0, &ScriptError{Module: m.Module, Path: m.Path, Err: errTransaction}
	}
	return rows, nil
}

// lineAt is the number of the line that holds the character at position, which
// counts from 1.
func lineAt(text string, position int) int {
	line := 1
	for _, r := range text {
		if position--; position <= 0 {
			break
		}
		if r == '\n' {
			line++
		}
	}
	return line
}
