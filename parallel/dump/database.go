package dump

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"odx/dumpfmt"
)

// readDatabase reads what a directory-format archive alone does not restore.
func readDatabase(ctx context.Context, c *pgx.Conn, version int) (dumpfmt.DatabaseRecord, error) {
	// The provider's columns came with 15, its rules with 16; in 17 one was renamed.
	provider, locale, rules := "'c'", "NULL", "NULL"
	if version >= 160000 {
		rules = "d.daticurules"
	}
	switch {
	case version >= 170000:
		provider, locale = "d.datlocprovider::text", "d.datlocale"
	case version >= 150000:
		provider, locale = "d.datlocprovider::text", "d.daticulocale"
	}
	var rec dumpfmt.DatabaseRecord
	var code string
	err := c.QueryRow(ctx, fmt.Sprintf(`
		SELECT d.datname, pg_catalog.pg_get_userbyid(d.datdba), pg_catalog.pg_encoding_to_char(d.encoding),
		       d.datcollate, d.datctype, %s, COALESCE(%s, ''), COALESCE(%s, ''),
		       COALESCE((SELECT setconfig FROM pg_catalog.pg_db_role_setting
		                 WHERE setdatabase = d.oid AND setrole = 0), '{}'),
		       COALESCE(pg_catalog.shobj_description(d.oid, 'pg_database'), ''),
		       pg_catalog.pg_database_size(d.oid)
		FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()`, provider, locale, rules)).Scan(
		&rec.Name, &rec.Owner, &rec.Encoding, &rec.Collate, &rec.Ctype, &code, &rec.Locale, &rec.ICURules,
		&rec.Settings, &rec.Comment, &rec.Bytes)
	if err != nil {
		return rec, fmt.Errorf("read the database's properties: %w", err)
	}
	rec.LocaleProvider = map[string]string{"c": "libc", "i": "icu", "b": "builtin"}[code]
	return rec, nil
}
