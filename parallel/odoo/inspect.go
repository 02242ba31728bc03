package odoo

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"odx/dumpfmt"
)

// Info is what a database says of the Odoo it belongs to. The zero value is
// that of a database which is not Odoo's.
type Info struct {
	IsOdoo bool
	// Series is unknown when the module base has no version that says it.
	Series dumpfmt.Series
	// Modules are those in state "installed", in the order that the server
	// gives them in, as in Odoo's manifest.
	Modules []dumpfmt.Module
	// HasStoreFname and HasFileSize tell whether ir_attachment has the columns.
	HasStoreFname, HasFileSize bool
	// Files counts the files that attachments name; nil where counting them
	// could take more than a moment.
	Files *Files
	// UUID is the parameter database.uuid, "" if there is none.
	UUID string
}

// Files counts files of a filestore, each once however many attachments name
// it.
type Files struct {
	Count int64
	Bytes int64 // by ir_attachment.file_size; what has no size counts as empty
}

// countBelow is the size in bytes of ir_attachment's own pages (without TOAST)
// up to which Inspect counts the files. Reading and sorting that much takes a
// second or two; five million attachments take several GB.
const countBelow = 256 << 20

// Inspect reads what a database says of its Odoo. A database that is not
// Odoo's, which has no ir_module_module or no ir_attachment, is no error.
func Inspect(ctx context.Context, q Querier) (Info, error) {
	s, err := readSchema(ctx, q, "ir_module_module", "ir_attachment", "ir_config_parameter")
	if err != nil {
		return Info{}, err
	}
	if !s.has("ir_module_module", "name", "state", "latest_version") || !s.has("ir_attachment", "id") {
		return Info{}, nil
	}
	info := Info{
		IsOdoo:        true,
		HasStoreFname: s.has("ir_attachment", "store_fname"),
		HasFileSize:   s.has("ir_attachment", "file_size"),
	}
	if err := info.readModules(ctx, q); err != nil {
		return Info{}, fmt.Errorf("read ir_module_module: %w", err)
	}
	if s.has("ir_config_parameter", "key", "value") {
		err := q.QueryRow(ctx, `SELECT value FROM public.ir_config_parameter WHERE key = 'database.uuid'`).Scan(&info.UUID)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return Info{}, fmt.Errorf("read ir_config_parameter: %w", err)
		}
	}
	if err := info.countFiles(ctx, q); err != nil {
		return Info{}, fmt.Errorf("count attachments: %w", err)
	}
	return info, nil
}

// readModules reads the modules and the series. It asks as Odoo does, without
// an order, so that the modules come as they would in Odoo's own manifest.
func (info *Info) readModules(ctx context.Context, q Querier) error {
	rows, err := q.Query(ctx, `SELECT name, latest_version FROM public.ir_module_module WHERE state = 'installed'`)
	if err != nil {
		return err
	}
	var name string
	var version *string
	_, err = pgx.ForEachRow(rows, []any{&name, &version}, func() error {
		m := dumpfmt.Module{Name: name}
		if version != nil {
			m.Version = dumpfmt.NullString{String: *version, Valid: true}
		}
		info.Modules = append(info.Modules, m)
		return nil
	})
	if err != nil {
		return err
	}
	// While base is being updated, it is in another state than "installed".
	var base *string
	err = q.QueryRow(ctx, `SELECT latest_version FROM public.ir_module_module WHERE name = 'base'`).Scan(&base)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if base == nil {
		return nil
	}
	if series, err := dumpfmt.ParseSeries(*base); err == nil {
		info.Series = series
	}
	return nil
}

func (info *Info) countFiles(ctx context.Context, q Querier) error {
	var size int64
	err := q.QueryRow(ctx, `SELECT pg_catalog.pg_relation_size('public.ir_attachment')`).Scan(&size)
	if err != nil || size > countBelow {
		return err
	}
	var f Files
	err = q.QueryRow(ctx, `SELECT count(*), coalesce(sum(size), 0)::bigint
FROM (SELECT max(file_size) AS size FROM (`+info.attachments()+`) AS named GROUP BY store_fname) AS files`).
		Scan(&f.Count, &f.Bytes)
	if err != nil {
		return err
	}
	info.Files = &f
	return nil
}

// AttachmentsQuery is the SELECT, fit for COPY (...) TO, of what the database
// says is in its filestore: store_fname (text) and file_size (bigint, NULL
// where unknown), distinct, in byte order of store_fname. A name comes more
// than once where its attachments differ about its size. NULL and empty names
// are left out; names that are URIs are not.
func AttachmentsQuery(info Info) string {
	return "SELECT DISTINCT * FROM (" + info.attachments() + ") AS named ORDER BY 1, 2"
}

// attachments selects the same, unordered and with doubles.
func (info Info) attachments() string {
	if !info.HasStoreFname {
		return "SELECT NULL::text AS store_fname, NULL::bigint AS file_size WHERE false"
	}
	size := "NULL::bigint"
	if info.HasFileSize {
		size = "file_size::bigint"
	}
	return `SELECT store_fname::text COLLATE pg_catalog."C" AS store_fname, ` + size + ` AS file_size` +
		` FROM public.ir_attachment WHERE store_fname <> ''`
}

// Manifest is the manifest that Odoo would write for the database.
// serverVersion is the server's server_version_num.
func Manifest(info Info, dbName string, serverVersion int) dumpfmt.Manifest {
	return dumpfmt.NewManifest(dbName, info.Series, serverVersion, info.Modules)
}
