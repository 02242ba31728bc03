package doctor

import (
	"context"
	"fmt"
	"math"

	"odx/parallel/server"
)

// limit is a bound of connections.
type limit struct {
	Name string
	Max  int
	Used int // by others than this session
}

// clients are sessions that count for the limits: background workers and replicas
// have places of their own. Of others' sessions a role without rights sees no type, but
// user and database.
const clients = `pg_catalog.pg_stat_activity WHERE usesysid IS NOT NULL AND datid IS NOT NULL AND COALESCE(backend_type, 'client backend') = 'client backend'`

// limits lists the bounds of the server, and of the session's role and, with count,
// database.
func limits(ctx context.Context, s *server.Session, count bool) ([]limit, error) {
	return gather[limit](ctx, s, "read the limits of connections", `
		SELECT 'max_connections', current_setting('max_connections')::int
		       - CASE WHEN rolsuper THEN 0 ELSE current_setting('superuser_reserved_connections')::int
		         + CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = 'pg_use_reserved_connections' AND pg_catalog.pg_has_role(session_user, r.oid, 'USAGE'))
		           THEN 0 ELSE COALESCE(current_setting('reserved_connections', true)::int, 0) END END,
		       (SELECT count(*)::int FROM `+clients+`) - 1
		FROM pg_catalog.pg_roles WHERE rolname = session_user
		UNION ALL
		SELECT 'the connection limit of role ' || rolname, rolconnlimit, (SELECT count(*)::int FROM `+clients+` AND usename = session_user) - 1
		FROM pg_catalog.pg_roles WHERE rolname = session_user AND rolconnlimit >= 0 AND NOT rolsuper
		UNION ALL
		SELECT 'the connection limit of database ' || datname, datconnlimit, (SELECT count(*)::int FROM `+clients+` AND datname = current_database()) - 1
		FROM pg_catalog.pg_database WHERE datname = current_database() AND datconnlimit >= 0 AND $1
		      AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = session_user)`, count)
}

// FreeConnections gives how many more sessions there may be in this one's database.
func FreeConnections(ctx context.Context, s *server.Session) (int, error) {
	list, err := limits(ctx, s, true)
	free := math.MaxInt
	for _, l := range list {
		free = min(free, l.Max-l.Used)
	}
	return free, err
}

// Connections compares the connections that are needed at once with those that
// the server, the session's database and role have left. Count says whether the
// session's database is the one that they go to.
func Connections(ctx context.Context, s *server.Session, need int, count bool) ([]Finding, error) {
	bounds, err := limits(ctx, s, count)
	if err != nil {
		return nil, err
	}
	var list []Finding
	for _, l := range bounds {
		if l.Max-l.Used >= need {
			continue
		}
		list = append(list, Finding{Check: "connections", Severity: Blocking,
			Text: fmt.Sprintf("%d connections are needed, and %s leaves %d (%d of %d are in use)", need, l.Name, max(l.Max-l.Used, 0), l.Used, l.Max),
			Do:   "use fewer --jobs, end idle sessions, or raise the limit"})
	}
	return list, nil
}
