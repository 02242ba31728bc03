package results

import (
	"time"

	"odx/bench/contest"
	"odx/bench/measure"
)

// Book is a file that is written whenever something is added.
type Book struct {
	*File
	Path string
}

var _ contest.Book = Book{}

// AddData implements contest.Book.
func (b Book) AddData(d contest.Data) error {
	b.File.AddData(d)
	return b.Write(b.Path)
}

// AddRun implements contest.Book.
func (b Book) AddRun(d contest.Data, p contest.Peer, jobs, round int, u measure.Usage) error {
	b.AddPeer(p)
	b.Runs = append(b.Runs, Run{
		Data: d.Name, Job: p.Job, Peer: p.Name, Jobs: jobs, Round: round, Time: time.Now().UTC().Truncate(time.Second), Usage: u,
	})
	return b.Write(b.Path)
}

// AddLimits implements contest.Book.
func (b Book) AddLimits(l contest.Limits) error {
	b.Limits = append(b.Limits, l)
	return b.Write(b.Path)
}
