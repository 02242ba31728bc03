#!/bin/sh
# Makes the custom-format files of cellar in pg15/ again, with PostgreSQL 15's
# programs on PATH and PGHOST, PGPORT and PGUSER naming a server that has the
# database.
set -e
cd "$(dirname "$0")/pg15"
pg_dump -Fc -f cellar.dump cellar
pg_dump -Fc -Z0 -f cellar-none.dump cellar
pg_dump -Fc cellar | cat >cellar-pipe.dump
pg_dump -Fc --inserts -Z0 cellar | cat >cellar-inserts-pipe.dump
