package dump

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"

	"odx/dumpfmt"
	"odx/parallel/odoo"
	"odx/parallel/server"
)

// spoolFile holds the snapshot's list of attachments while the dump runs; five
// million of them are some 300 MB.
func (r *run) spoolFile() string { return filepath.Join(r.dir.Path(), "attachments.tmp") }

// readSnapshot reads, in the snapshot, what the record and the manifest need
// and spools the list of attachments to disk.
func (r *run) readSnapshot(ctx context.Context, s *server.Session) (sizes relations, err error) {
	err = s.Do(func(c *pgx.Conn) error {
		if r.record.Database, err = readDatabase(ctx, c, s.Version); err != nil {
			return err
		}
		if sizes, err = readRelations(ctx, c, s.Version); err != nil {
			return fmt.Errorf("read the sizes of the tables: %w", err)
		}
		if r.unlogged, err = r.readUnlogged(ctx, c); err != nil {
			return fmt.Errorf("list the unlogged tables: %w", err)
		}
		info, err := odoo.Inspect(ctx, c)
		if err != nil {
			return fmt.Errorf("read Odoo's modules: %w", err)
		}
		if !info.IsOdoo {
			return nil
		}
		r.record.Odoo = &dumpfmt.OdooRecord{Series: info.Series.String(), Modules: len(info.Modules), UUID: info.UUID}
		if err := r.writeManifest(info, s.Version); err != nil {
			return err
		}
		if r.Filestore == "" {
			return nil
		}
		return r.spoolAttachments(ctx, c, info)
	})
	r.Progress.Database.Start(sizes.total())
	return sizes, err
}

// readUnlogged names the tables whose rows a standby does not have.
func (r *run) readUnlogged(ctx context.Context, c *pgx.Conn) ([]string, error) {
	if !r.record.Standby {
		return nil, nil
	}
	rows, err := c.Query(ctx, `
		SELECT n.nspname || '.' || c.relname
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' AND c.relpersistence = 'u' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
		ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func (r *run) spoolAttachments(ctx context.Context, c *pgx.Conn, info odoo.Info) (err error) {
	f, err := os.OpenFile(r.spoolFile(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = c.PgConn().CopyTo(ctx, f, "COPY ("+odoo.AttachmentsQuery(info)+") TO STDOUT")
	if err != nil {
		return fmt.Errorf("list the attachments: %w", err)
	}
	return nil
}

// inspect asks whether the database is Odoo's.
func inspect(ctx context.Context, s *server.Session) (info odoo.Info, err error) {
	err = s.Do(func(c *pgx.Conn) error {
		info, err = odoo.Inspect(ctx, c)
		return err
	})
	return info, err
}

// checkFilestore refuses a filestore folder that is not there, unless the
// database names no file.
func (r *run) checkFilestore(ctx context.Context, s *server.Session, info odoo.Info) error {
	if r.Filestore == "" {
		return nil
	}
	stat, err := os.Stat(r.Filestore)
	switch {
	case err == nil && stat.IsDir():
		return nil
	case err == nil:
		return fmt.Errorf("filestore %s: not a folder", r.Filestore)
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	var named bool
	err = s.Do(func(c *pgx.Conn) error {
		return c.QueryRow(ctx, "SELECT EXISTS ("+odoo.AttachmentsQuery(info)+")").Scan(&named)
	})
	if err != nil {
		return fmt.Errorf("ask for attachments: %w", err)
	}
	if named {
		return fmt.Errorf("%w: %s", ErrNoFilestore, r.Filestore)
	}
	r.warn("no filestore folder at %s, and the database names no file", r.Filestore)
	r.Filestore = ""
	return nil
}
