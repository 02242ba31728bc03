package pgload

import (
	"context"
	"encoding/binary"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// runLong runs statements without copying them: pgx would make a message of them
// in memory first, as long as they are. After an error that is not the server's
// the connection is of no use any more.
func runLong(ctx context.Context, c *pgconn.PgConn, text []byte) error {
	if err := sendQuery(ctx, c.Conn(), text); err != nil {
		return err
	}
	var refused error
	for {
		m, err := c.ReceiveMessage(ctx)
		if err != nil {
			interrupt(ctx, c)
			return err
		}
		switch m := m.(type) {
		case *pgproto3.ErrorResponse:
			refused = pgconn.ErrorResponseToPgError(m)
		case *pgproto3.ReadyForQuery:
			return refused
		}
	}
}

// sendQuery sends a Query message. The end of the context interrupts it: what
// is sent of it then, the server has to throw away.
func sendQuery(ctx context.Context, c net.Conn, text []byte) error {
	stop := context.AfterFunc(ctx, func() { _ = c.SetWriteDeadline(time.Unix(1, 0)) }) // long ago
	defer stop()
	head := binary.BigEndian.AppendUint32([]byte{'Q'}, uint32(4+len(text)+1))
	message := net.Buffers{head, text, {0}}
	_, err := message.WriteTo(c)
	return err
}

// interruptTime is how long asking the server to stop may take.
const interruptTime = 3 * time.Second

// interrupt has the server stop what it does for a connection that is given up,
// if the context has ended.
func interrupt(ctx context.Context, c *pgconn.PgConn) {
	if ctx.Err() == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), interruptTime)
	defer cancel()
	_ = c.CancelRequest(ctx) // the end of the connection does it too, later
}
