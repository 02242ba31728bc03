package dump

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"odx/dumpfmt/pgarchive"
	"odx/parallel/pgtool"
)

// outputDelay is how long after pg_dump's end the rest of its output is waited
// for: another process may hold the pipe.
const outputDelay = 5 * time.Second

// readTOC has pg_dump make the table of contents of the whole dump, and ends
// it when it begins with the data. In the custom format the table of contents
// comes first. All that is in it is pg_dump's: which tables have rows, in which
// order, and how they are copied.
func (r *run) readTOC(ctx context.Context) (*pgarchive.TOC, error) {
	out := &pgDumpOutput{run: r}
	cmd, err := r.pgDumpCommand("--format=custom")
	if err != nil {
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	cmd.Stdout, cmd.Stderr = write, out.line
	working, stop := context.WithCancel(ctx)
	defer stop()
	child, err := pgtool.Start(working, cmd)
	if err = errors.Join(err, write.Close()); err != nil {
		return nil, err
	}
	var waiting errgroup.Group
	waiting.Go(func() error {
		<-child.Done()
		return read.SetReadDeadline(time.Now().Add(outputDelay))
	})
	toc, err := pgarchive.ReadTOC(read, "pg_dump's output", -1)
	if err == nil {
		stop()
	} else {
		// A child that still writes ends by it; one that has failed tells why.
		read.Close()
	}
	ended := child.Wait()
	_ = waiting.Wait() // the pipe may be closed
	r.noteUsage(child.Usage())
	switch exit := (*pgtool.ExitError)(nil); {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err == nil:
		return toc, nil
	case out.lockedOut():
		return nil, fmt.Errorf("%w: %w", ErrLockedOut, ended)
	case errors.As(ended, &exit):
		return nil, ended
	}
	return nil, fmt.Errorf("read what pg_dump says: %w", err)
}
