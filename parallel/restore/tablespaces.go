package restore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"odx/dumpfmt/pgarchive"
	"odx/parallel/server"
)

// checkTablespaces has everything go to the default tablespace if the server
// lacks one of the archive's, or the owner may not make anything in it.
func (r *run) checkTablespaces(ctx context.Context, admin *server.Session) error {
	missing, err := queryNames(ctx, admin, `SELECT name FROM unnest($1::text[]) name WHERE NOT EXISTS (
		SELECT FROM pg_catalog.pg_tablespace t WHERE t.spcname = name
		AND pg_catalog.has_tablespace_privilege($2::text, t.oid, 'CREATE')) ORDER BY 1`,
		tablespacesOf(r.source.toc), r.target.owner)
	if err != nil {
		return fmt.Errorf("look for the dump's tablespaces: %w", err)
	}
	r.oneSpace = r.NoTablespaces || len(missing) > 0
	if r.oneSpace && !r.NoTablespaces {
		r.warn("everything goes to the default tablespace: the server lacks, or the owner may not use, %s", strings.Join(missing, ", "))
	}
	return nil
}

func tablespacesOf(toc *pgarchive.TOC) []string {
	list := []string{}
	for i := range toc.Entries {
		if space := toc.Entries[i].Tablespace.String; space != "" {
			list = append(list, space)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
