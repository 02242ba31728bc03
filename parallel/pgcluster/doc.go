// Package pgcluster runs throw-away PostgreSQL servers, for tests, for the
// demo, and wherever a database is needed for a moment.
//
// [Start] makes a new cluster in a new folder named odx-tmp-pg-… and starts a
// server on it, which takes about a second. It listens on a Unix socket in that
// folder, which only its owner may enter, and on no network address; whoever
// gets in is the superuser postgres without a password. [Cluster.Stop] ends the
// server and removes the folder.
//
// The server is a child of this process. On Linux it ends with it, also after
// SIGKILL; then the folder stays behind, and odx clean finds it: as long as the
// cluster is there, its folder is locked. PostgreSQL refuses to run as root: for
// root the server runs as the system's user postgres, and root's own sessions
// enter the folder as root may.
//
// It is fast rather than safe. Nothing is synced to disk, so a cluster survives
// a crash of the server ([Cluster.Crash]) but not one of the machine. Settings
// are written to postgresql.conf; those in [Options] win.
//
// PostgreSQL 13 to 18 are known to work.
package pgcluster
