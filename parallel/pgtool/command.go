package pgtool

import (
	"context"
	"io"
	"syscall"
	"time"
)

// DefaultGrace is the time a child has between the stop signal and SIGKILL.
const DefaultGrace = 10 * time.Second

// Command says what to run and how.
type Command struct {
	Tool string   // path of the program
	Args []string // without the program's name; never a password
	Env  []string // the whole environment; see ChildEnv
	Dir  string   // working folder; "" is that of this process

	Stdout io.Writer // nil throws it away; an *os.File is handed to the child

	// Stderr is called with each line as it comes, without its end and cut at
	// MaxLine bytes; nil throws the lines away. Calls do not overlap and end
	// before Wait returns. The child waits meanwhile, so it must not block.
	Stderr func(line string)

	// Stop is the signal that asks the child to end; 0 is SIGTERM. Windows
	// ends the child at once.
	Stop syscall.Signal
	// Grace is the time from Stop to SIGKILL; 0 is DefaultGrace.
	Grace time.Duration
	// User is whom the child runs as; nil is the user of this process. Only
	// root may set it. Windows refuses it.
	User *Credential
}

// Credential is a user and its groups by number.
type Credential struct {
	UID, GID uint32
	Groups   []uint32 // supplementary groups
}

// Run runs a program and waits for it. It returns nil after exit status 0,
// [*ExitError] if the child ended otherwise by itself, and the cause of ctx if
// the child was made to end because ctx was done. It returns once the child is
// gone, and nothing of its process group is left that Run could end within
// Grace.
func Run(ctx context.Context, c Command) (Usage, error) {
	p, err := Start(ctx, c)
	if err != nil {
		return Usage{}, err
	}
	err = p.Wait()
	return p.Usage(), err
}
