package doctor

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"golang.org/x/sync/errgroup"

	"odx/parallel/server"
)

// transactionPooler stands before the server as a pooler in transaction mode
// does: a client has one of a few sessions for the time of a transaction.
type transactionPooler struct {
	idle chan *pgconn.HijackedConn // used last in, first out by one client at a time
}

// serve answers one client until it goes away.
func (p *transactionPooler) serve(ctx context.Context, client net.Conn) error {
	defer client.Close()
	b := pgproto3.NewBackend(client, client)
	if _, err := b.ReceiveStartupMessage(); err != nil {
		return err
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"})
	b.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"})
	b.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if err := b.Flush(); err != nil {
		return err
	}
	for {
		s := (*pgconn.HijackedConn)(nil)
		for status := byte('x'); status != 'I'; {
			m, err := b.Receive()
			if err != nil {
				return err
			}
			if _, isEnd := m.(*pgproto3.Terminate); isEnd {
				return nil
			}
			if s == nil {
				select {
				case s = <-p.idle:
				case <-ctx.Done():
					return ctx.Err()
				}
				defer func(s *pgconn.HijackedConn) { s.Conn.Close() }(s)
			}
			if status, err = p.forward(m, s, b); err != nil {
				return err
			}
		}
		p.idle <- s
	}
}

// forward hands a message on, and the answers back if the server is to answer.
func (p *transactionPooler) forward(m pgproto3.FrontendMessage, s *pgconn.HijackedConn, client *pgproto3.Backend) (status byte, err error) {
	s.Frontend.Send(m)
	if err := s.Frontend.Flush(); err != nil {
		return 0, err
	}
	_, isQuery := m.(*pgproto3.Query)
	_, isSync := m.(*pgproto3.Sync)
	for isQuery || isSync {
		answer, err := s.Frontend.Receive()
		if err != nil {
			return 0, err
		}
		client.Send(answer)
		if ready, isReady := answer.(*pgproto3.ReadyForQuery); isReady {
			return ready.TxStatus, client.Flush()
		}
	}
	return 'x', nil
}

// TestPooler finds a pooler, and takes none for one.
func TestPooler(t *testing.T) {
	got, err := Pooler(t.Context(), settings(cluster.User()), "postgres", "odx test")
	want(t, got, err)

	dir := t.TempDir()
	listener, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.6432"))
	if err != nil {
		t.Fatal(err)
	}
	pooler := &transactionPooler{idle: make(chan *pgconn.HijackedConn, 3)}
	for range cap(pooler.idle) {
		c, err := pgconn.Connect(t.Context(), cluster.DSN("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.Hijack()
		if err != nil {
			t.Fatal(err)
		}
		pooler.idle <- s
	}
	ctx, cancel := context.WithCancel(t.Context())
	var g errgroup.Group
	g.Go(func() error {
		for {
			client, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			if err != nil {
				return err
			}
			g.Go(func() error { return pooler.serve(ctx, client) })
		}
	})
	got, err = Pooler(t.Context(), server.Settings{Params: server.Params{"host": dir, "port": "6432", "user": cluster.User()}}, "postgres", "odx test")
	want(t, got, err, "is a transaction pooler")
	cancel()
	listener.Close()
	if err := g.Wait(); err != nil {
		t.Log(err) // a client that went away
	}
	for len(pooler.idle) > 0 {
		(<-pooler.idle).Conn.Close()
	}
}
