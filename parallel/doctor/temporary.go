package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"odx/parallel/server"
)

// sortShare is the part of a database that the sort for one index of its largest
// table may write to disk: 1/sortShare.
const sortShare = 10

// Scratch makes sure that odx can put its own temporary files, of about that many
// bytes, into a folder, which has to exist.
func Scratch(dir string, bytes int64) ([]Finding, error) {
	const do = "set the environment variable TMPDIR to a folder with room"
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return []Finding{{Check: "temporary", Severity: Blocking, Text: "the folder for temporary files, " + dir + ", does not exist", Err: err, Do: do}}, nil
	}
	list, err := Folder(dir)
	if err != nil || len(Blocked(list)) > 0 {
		return instead(list, do), err
	}
	short, err := Disk(Need{What: "what odx keeps there while it works", Dir: dir, Least: bytes, Likely: 2 * bytes, Files: 8})
	return append(list, instead(short, do)...), err
}

// instead gives findings another advice.
func instead(list []Finding, do string) []Finding {
	for i := range list {
		list[i].Do = do
	}
	return list
}

// ServerTemporary looks at where, and how much, the server may write while it
// sorts rows for indexes of a database of about size bytes, 0 if unknown.
func ServerTemporary(ctx context.Context, s *server.Session, isLocal bool, size int64) ([]Finding, error) {
	var limit int64 // bytes; below 0 without a bound
	err := s.Scan(ctx, "SELECT setting::bigint * 1024 FROM pg_catalog.pg_settings WHERE name = 'temp_file_limit'", &limit)
	if err != nil {
		return nil, fmt.Errorf("read the limit of temporary files: %w", err)
	}
	var list []Finding
	if limit >= 0 && limit < size/sortShare {
		list = append(list, Finding{Check: "temporary", Severity: Warning,
			Text: fmt.Sprintf("temp_file_limit is %d MB: the server refuses to build an index that needs more for its sort, and the largest of this database may need %d MB", limit>>20, size/sortShare>>20),
			Do:   "lift it for the role that restores, as a superuser: ALTER ROLE role SET temp_file_limit = -1"})
	}
	found, err := sortRoom(ctx, s, isLocal, size)
	return append(list, found...), err
}

// sortRoom looks at the tablespaces that are for temporary files alone.
func sortRoom(ctx context.Context, s *server.Session, isLocal bool, size int64) (list []Finding, err error) {
	type space struct {
		Name, Dir      string
		Exists, Usable bool
	}
	spaces, err := gather[space](ctx, s, "read the tablespaces for temporary files", `
		SELECT w.name, COALESCE(pg_catalog.pg_tablespace_location(t.oid), ''), t.oid IS NOT NULL,
		       COALESCE(pg_catalog.has_tablespace_privilege(t.oid, 'CREATE'), false)
		FROM (SELECT btrim(n, ' "') AS name FROM regexp_split_to_table(current_setting('temp_tablespaces'), ',') n) w
		LEFT JOIN pg_catalog.pg_tablespace t ON t.spcname = w.name WHERE w.name <> ''`)
	if err != nil {
		return nil, err
	}
	for _, x := range spaces {
		switch {
		case !x.Exists:
			list = append(list, unusable(x.Name, "does not exist"))
		case !x.Usable:
			list = append(list, unusable(x.Name, "may not be used by this role"))
		case isLocal && x.Dir != "":
			found, err := Disk(Need{What: "the sort for an index", Dir: filepath.Clean(x.Dir), Likely: size / sortShare})
			if errors.Is(err, fs.ErrPermission) {
				continue // not for odx to look at
			}
			if err != nil {
				return nil, err
			}
			list = append(list, instead(found, "make room there, or set temp_tablespaces to another tablespace for the role that restores")...)
		}
	}
	return list, nil
}

func unusable(name, why string) Finding {
	return Finding{Check: "temporary", Severity: Note, Text: fmt.Sprintf("temp_tablespaces names %s, which %s: sorts go to the database's own disk", name, why),
		Do: "create it, grant CREATE on it, or take it off the list"}
}
