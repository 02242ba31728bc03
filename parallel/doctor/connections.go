package doctor

import (
	"context"
	"fmt"

	"odx/parallel/server"
)

// Connections compares the connections that are needed at once with those that
// the server, the session's database and role have left. Count says whether the
// session's database is the one that they go to.
func Connections(ctx context.Context, s *server.Session, need int, count bool) ([]Finding, error) {
	type limit struct {
		Name string
		Max  int
		Used int
	}
	limits, err := gather[limit](ctx, s, "read the limits of connections", `
		SELECT 'max_connections', current_setting('max_connections')::int
		       - CASE WHEN rolsuper THEN 0 ELSE current_setting('superuser_reserved_connections')::int END,
		       (SELECT COALESCE(sum(numbackends), 0)::int FROM pg_catalog.pg_stat_database) - 1
		FROM pg_catalog.pg_roles WHERE rolname = session_user
		UNION ALL
		SELECT 'the connection limit of role ' || rolname, rolconnlimit, (SELECT count(*)::int FROM pg_catalog.pg_stat_activity WHERE usename = session_user) - 1
		FROM pg_catalog.pg_roles WHERE rolname = session_user AND rolconnlimit >= 0 AND NOT rolsuper
		UNION ALL
		SELECT 'the connection limit of database ' || d.datname, datconnlimit, COALESCE(numbackends, 0) - 1
		FROM pg_catalog.pg_database d LEFT JOIN pg_catalog.pg_stat_database t ON t.datid = d.oid
		WHERE d.datname = current_database() AND datconnlimit >= 0 AND $1
		      AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = session_user)`, count)
	if err != nil {
		return nil, err
	}
	var list []Finding
	for _, l := range limits {
		if l.Max-l.Used >= need {
			continue
		}
		list = append(list, Finding{Check: "connections", Severity: Blocking,
			Text: fmt.Sprintf("%d connections are needed, and %s leaves %d (%d of %d are in use)", need, l.Name, max(l.Max-l.Used, 0), l.Used, l.Max),
			Do:   "use fewer --jobs, end idle sessions, or raise the limit"})
	}
	return list, nil
}
