package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"
)

// checkBatch is how many attachments a worker looks up at once.
const checkBatch = 512

// CheckOptions say what to check.
type CheckOptions struct {
	Dir string // the copied filestore

	// Source is where a file that is missing in the copy, or has the wrong
	// size there, is looked for once more; "": nowhere.
	Source string

	// Absent are files, and folders with all below them, that count as not there.
	Absent []string

	// Suspects are paths of files that may not be whole, see CheckResult.Unnamed.
	Suspects []string

	Jobs         int           // lookups at once, at least 1
	Permissions  *Permissions  // of files copied now, as in Options
	Verification *Verification // of the copy, and of files copied now; nil: not verified
	MaxNames     int           // length of CheckResult.Lost; 0: DefaultMaxNames
}

// CheckResult is how the copy compares with the list.
type CheckResult struct {
	Rows      int64 // rows of the list
	Named     int64 // files that it names, each once
	Elsewhere int64 // names that are no files, such as URIs; empty ones do not count
	Recovered int64 // of Named: were lost in the copy, and came on the second attempt
	Missing   int64 // of Named: no such file
	Damaged   int64 // of Named: of another size than file_size, or of content that is not that of its name
	OtherSize int64 // of Named: of another size, with the content of its name: file_size is wrong, which is no loss

	Unnamed []string // of Suspects: those that the list does not name, in order

	Lost []Loss // Missing and Damaged: the first of the list, at most MaxNames
}

// Note tells of what is odd and no loss; "" for nothing.
func (r CheckResult) Note() string {
	if r.OtherSize == 0 {
		return ""
	}
	return fmt.Sprintf("%d files have another size than the database says (file_size); their content is the one that their names are the SHA-1 of, and Odoo takes them", r.OtherSize)
}

// Loss is a file that the database names and that is not, or not whole, in the
// copy.
type Loss struct {
	StoreFname string
	Want       int64 // bytes by file_size, -1 if that is NULL
	Got        int64 // bytes in the copy, -1 if the file is missing
	WrongSHA1  bool  // the size is right, and the content is not that of the name
	row        int64
}

func (l Loss) String() string {
	switch {
	case l.WrongSHA1:
		return fmt.Sprintf("%s: not the content that its name is the SHA-1 of", l.StoreFname)
	case l.Got < 0 && l.Want < 0:
		return fmt.Sprintf("%s: missing", l.StoreFname)
	case l.Got < 0:
		return fmt.Sprintf("%s: missing, %d bytes", l.StoreFname, l.Want)
	}
	return fmt.Sprintf("%s: %d bytes instead of %d", l.StoreFname, l.Got, l.Want)
}

// Names lists the store_fname of each in Lost.
func (r CheckResult) Names() []string {
	names := make([]string, len(r.Lost))
	for i, l := range r.Lost {
		names[i] = l.StoreFname
	}
	return names
}

// Check compares a copied filestore with the list of attachments: every file
// that the list names has to be there, with file_size bytes if that is known, or
// else with the content that its name is the SHA-1 of. Where rows differ about the
// size of one file, and its name does not prove it, it counts as damaged: one of them
// is wrong. Losses are data, not an error.
//
// The list is what
//
//	COPY (SELECT store_fname, file_size ... ORDER BY store_fname) TO STDOUT
//
// writes: a line for each row, of two columns with a tab between. \N is NULL.
// In store_fname a backslash begins an escape: \b \f \n \r \t \v, up to three
// octal digits, \x and up to two hexadecimal digits; before anything else it
// stands for that. file_size is a decimal number. A line \. ends the list, as
// does the end of the input, which must not cut a line. The order may be any
// that keeps rows of one name together; by name, each folder is opened once.
//
// The context is looked at between files.
func Check(ctx context.Context, list io.Reader, o CheckOptions) (CheckResult, error) {
	c, err := newChecker(o)
	if err != nil {
		return CheckResult{}, err
	}
	defer c.root.Close()
	rows := readAttachments(list)
	work := make(chan []attachment, max(o.Jobs, 1))
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(work)
		return feed(gctx, rows, work)
	})
	for range max(o.Jobs, 1) {
		g.Go(func() error { return c.serve(gctx, work) })
	}
	if err := g.Wait(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return CheckResult{}, err
	}
	return CheckResult{
		Rows: rows.rows, Named: c.named.Load(), Elsewhere: c.elsewhere.Load(), Recovered: c.recovered.Load(),
		Missing: c.missing.Load(), Damaged: c.damaged.Load(), OtherSize: c.otherSize.Load(), Unnamed: c.unnamed(), Lost: c.lost.list(),
	}, nil
}

// CheckQuery is Check for a list that is written while it is read: query gets
// a writer for it, as pgx's CopyTo takes, and is called once. It returns when
// query has returned. When the check ends early, query's writes fail.
func CheckQuery(ctx context.Context, query func(io.Writer) error, o CheckOptions) (CheckResult, error) {
	r, w := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.CloseWithError(query(w)) // nil makes the list end
	}()
	result, err := Check(ctx, r, o)
	if err == nil {
		_, err = io.Copy(io.Discard, r) // query may still fail behind \.
	}
	r.CloseWithError(errStopped)
	<-ended
	if err != nil {
		return CheckResult{}, err
	}
	return result, nil
}

// errStopped is what a query sees when its list is read no further.
var errStopped = errors.New("the list of attachments is not read to its end")

// Drop removes files of the copy, and gives the bytes that they had.
func Drop(dir string, paths []string) (bytes int64, err error) {
	for _, rel := range paths {
		path := filepath.Join(dir, filepath.FromSlash(rel))
		info, err := os.Lstat(path)
		if err == nil {
			err = os.Remove(path)
		}
		if err != nil {
			return bytes, err
		}
		bytes += info.Size()
	}
	return bytes, nil
}

// feed reads the list and hands it to the workers.
func feed(ctx context.Context, rows *attachments, work chan<- []attachment) error {
	for {
		batch := make([]attachment, 0, checkBatch)
		var err error
		for len(batch) < checkBatch && err == nil {
			var at attachment
			if at, err = rows.read(); err == nil {
				batch = append(batch, at)
			}
		}
		if err != nil && err != io.EOF {
			return err
		}
		select {
		case work <- batch:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err == io.EOF {
			return nil
		}
	}
}
