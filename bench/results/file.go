package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"time"

	"odx/bench/contest"
	"odx/bench/measure"
)

// File is all that a bench has measured. It is written after every run, so that
// a bench that was ended can go on.
type File struct {
	Setting Setting          `json:"setting"`
	Data    []contest.Data   `json:"data"`
	Peers   []Peer           `json:"peers"`
	Runs    []Run            `json:"runs"`
	Limits  []contest.Limits `json:"limits"`
}

// Setting is what must stay the same for figures to be compared.
type Setting struct {
	Machine  Machine           `json:"machine"`
	Versions map[string]string `json:"versions"`
}

// Peer says how a peer works.
type Peer struct {
	Job      string   `json:"job"`
	Name     string   `json:"name"`
	Odx      bool     `json:"odx"`
	Parallel bool     `json:"parallel"`
	Commands []string `json:"commands"`
}

// Run is one measured run of a peer.
type Run struct {
	Data  string        `json:"data"`
	Job   string        `json:"job"`
	Peer  string        `json:"peer"`
	Jobs  int           `json:"jobs"` // 0 if the peer does not take any
	Round int           `json:"round"`
	Time  time.Time     `json:"time"`
	Usage measure.Usage `json:"usage"`
}

// Open reads a file, or makes a new one where there is none. One that was
// measured in another setting is refused.
func Open(path string, s Setting) (*File, error) {
	f, err := Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &File{Setting: s}, nil
	}
	if err != nil {
		return nil, err
	}
	if !reflect.DeepEqual(f.Setting, s) {
		return nil, fmt.Errorf("%s was measured on another machine or with other programs; remove it, or name another folder", path)
	}
	return f, nil
}

// Read reads a file.
func Read(path string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := new(File)
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(f); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Write writes the file in one step.
func (f *File) Write(path string) error {
	text, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return err
	}
	return writeFile(path, append(text, '\n'))
}

// writeFile replaces a file at once.
func writeFile(path string, text []byte) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, text, 0o644); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return os.Rename(tmp, path)
}

// AddData keeps what was made, once.
func (f *File) AddData(d contest.Data) {
	for i := range f.Data {
		if f.Data[i].Name == d.Name {
			return
		}
	}
	f.Data = append(f.Data, d)
}

// AddPeer keeps how a peer works, once.
func (f *File) AddPeer(p contest.Peer) {
	for _, known := range f.Peers {
		if known.Job == p.Job && known.Name == p.Name {
			return
		}
	}
	f.Peers = append(f.Peers, Peer{Job: p.Job, Name: p.Name, Odx: p.Odx, Parallel: p.Parallel, Commands: contest.Commands(p)})
}

// Has tells whether a run has been measured.
func (f *File) Has(data, job, peer string, jobs, round int) bool {
	for _, r := range f.Runs {
		if r.Data == data && r.Job == job && r.Peer == peer && r.Jobs == jobs && r.Round == round {
			return true
		}
	}
	return false
}

// HasLimits tells whether the limits of a dataset have been measured in a round.
func (f *File) HasLimits(data string, round int) bool {
	for _, l := range f.Limits {
		if l.Data == data && l.Round == round {
			return true
		}
	}
	return false
}

// data returns the dataset of that name.
func (f *File) data(name string) contest.Data {
	for _, d := range f.Data {
		if d.Name == name {
			return d
		}
	}
	return contest.Data{Name: name}
}
