package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// Session is one connection that lives through a long job. Its methods may be
// called from several goroutines; they take turns.
type Session struct {
	Version    int    // server_version_num, such as 150018
	VersionTxt string // server_version, such as "15.18 (Debian 15.18-0+deb12u1)"
	Standby    bool
	mu         sync.Mutex
	conn       *pgx.Conn
}

// Open connects to a database of the server. The server's time-outs are
// switched off for the session, and keepalives notice a peer that is gone.
func (s Settings) Open(ctx context.Context, database, application string) (*Session, error) {
	return s.OpenReading(ctx, database, application, nil)
}

// OpenReading is Open for a session with long answers, whose messages are read
// through what the function makes of the connection. Its reads wait in a thread
// each. With nil it is Open.
func (s Settings) OpenReading(ctx context.Context, database, application string, through func(io.Reader) io.Reader) (*Session, error) {
	cfg, err := s.Config(database, application)
	if err != nil {
		return nil, err
	}
	if through != nil {
		cfg.AfterNetConnect = func(_ context.Context, _ *pgconn.Config, c net.Conn) (net.Conn, error) { return inThread(c) }
		cfg.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend { return pgproto3.NewFrontend(through(r), w) }
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to database %q: %w", database, err)
	}
	session := &Session{conn: conn}
	if err := session.prepare(ctx); err != nil {
		conn.Close(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("prepare session: %w", err)
	}
	return session, nil
}

func (s *Session) prepare(ctx context.Context) error {
	err := s.conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int,
		current_setting('server_version'), pg_is_in_recovery()`).Scan(&s.Version, &s.VersionTxt, &s.Standby)
	if err != nil {
		return err
	}
	sql := `SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0;
		SET tcp_keepalives_idle = 60; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 6;
		SET client_min_messages = warning;`
	if s.Version >= 140000 {
		sql += ` SET idle_session_timeout = 0;`
	}
	if s.Version >= 170000 {
		sql += ` SET transaction_timeout = 0;`
	}
	_, err = s.conn.Exec(ctx, sql)
	return err
}

// Major returns the server's major version, such as 15.
func (s *Session) Major() int { return s.Version / 10000 }

// Do runs f with the connection, alone.
func (s *Session) Do(f func(*pgx.Conn) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f(s.conn)
}

// Exec runs one statement with its parameters, or several without any.
func (s *Session) Exec(ctx context.Context, sql string, args ...any) error {
	return s.Do(func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, sql, args...)
		return err
	})
}

// Close ends the session. It does not wait long for a server that is gone.
func (s *Session) Close() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	s.conn.Close(ctx)
}

// Patience is how long a server may take to answer a small question before the
// session counts as lost: what a virtual machine may stand still, and what the
// keepalives of the other sessions bear.
const Patience = 2 * time.Minute

// Watch asks the server for a sign of life at every interval, until the
// context ends (then it returns nil) or the session is lost.
func (s *Session) Watch(ctx context.Context, interval time.Duration) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := s.Do(func(c *pgx.Conn) error {
			// pgx closes a connection whose context ends in the middle of a
			// statement; the end of the watch must not.
			ping, cancel := context.WithTimeout(context.WithoutCancel(ctx), Patience)
			defer cancel()
			return c.Ping(ping)
		})
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("session with the server lost: %w", err)
		}
	}
}

// SQLState returns the error's SQLSTATE, or "" if the server did not send it.
func SQLState(err error) string {
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// Scan runs a statement that gives one row and reads its columns.
func (s *Session) Scan(ctx context.Context, sql string, dest ...any) error {
	return s.Do(func(c *pgx.Conn) error { return c.QueryRow(ctx, sql).Scan(dest...) })
}
