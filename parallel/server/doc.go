// Package server connects to PostgreSQL the way libpq does, and hands the same
// connection on to child processes.
//
// Settings come, strongest first, from the caller (flags), a connection URI,
// and then from where libpq and pgx both look by themselves: PG* environment
// variables, service file and password file. Children get everything but the
// password as one keyword/value string; the password goes into their
// environment only.
package server
