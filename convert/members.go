package convert

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"

	"odx/dumpfmt"
	"odx/dumpfmt/odoozip"
)

// keptMember is a member of a zip and the file of the backup that has its
// content; "" for dump.sql, which has none, and for folders.
type keptMember struct {
	name string
	file string // with slashes
}

// placing says which file of the backup each member becomes. Those of the
// filestore are not listed: there may be millions.
type placing struct {
	zip     *odoozip.Reader
	withOdx bool                       // odx's own members are made anew, or put in place by themselves
	extra   map[*odoozip.Member]string // files of those that belong to neither dump nor filestore
	members int                        // in the list
	regular bool                       // a zip of the same members in the same order would be made without a list of them
}

func placeMembers(z *odoozip.Reader) *placing {
	p := &placing{zip: z, withOdx: z.Find(odoozip.PlacesName) != nil, extra: map[*odoozip.Member]string{}, regular: z.Top == ""}
	taken := map[string]bool{}
	last := ""
	for i := range z.Members {
		m := &z.Members[i]
		if p.isOdx(m) {
			continue
		}
		p.members++
		switch {
		case m.Kind == odoozip.KindDump && !m.Hidden:
		case m.Kind == odoozip.KindDirectory:
			p.regular = false
		case m.Hidden, m.Kind == odoozip.KindOther, m.Kind == odoozip.KindOdx:
			p.regular = false
			p.extra[m] = extraFile(strings.TrimPrefix(m.Name(), "./"), i, taken)
		}
		if p.regular {
			name := m.Rel()
			p.regular = last == "" || odoozip.Compare(last, name) < 0
			last = name
		}
	}
	return p
}

func (p *placing) isOdx(m *odoozip.Member) bool { return m.Kind == odoozip.KindOdx && p.withOdx }

// path gives the file or folder that a member becomes; "" if it becomes none.
func (p *placing) path(m *odoozip.Member) string {
	if file := p.extra[m]; file != "" {
		return file
	}
	if p.isOdx(m) || m.Kind == odoozip.KindDump {
		return ""
	}
	name := m.Rel() // manifest.json, filestore/...
	if m.Kind == odoozip.KindDirectory && !strings.HasPrefix(name, odoozip.FilestoreDir) {
		return ""
	}
	return name
}

// list gives the members in their order.
func (p *placing) list() iter.Seq[keptMember] {
	return func(yield func(keptMember) bool) {
		for i := range p.zip.Members {
			m := &p.zip.Members[i]
			if p.isOdx(m) {
				continue
			}
			k := keptMember{name: m.Name()}
			if m.Kind != odoozip.KindDirectory {
				k.file = p.path(m)
			}
			if !yield(k) {
				return
			}
		}
	}
}

// extraFile gives a member that belongs to neither dump nor filestore a file
// of its own: of the same name, unless that is taken or begins as our own do.
func extraFile(name string, index int, taken map[string]bool) string {
	key := strings.ToLower(name)
	if taken[key] || strings.HasPrefix(key, dumpfmt.TempPrefix) || strings.HasPrefix(key, "member-") {
		name = fmt.Sprintf("member-%d", index)
	}
	taken[key] = true
	return dumpfmt.ExtraDir + "/" + name
}

// writeMembers keeps the list.
func writeMembers(path string, list iter.Seq[keptMember]) error {
	return writeGzip(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		for k := range list {
			if err := e.Encode(k.line()); err != nil {
				return err
			}
		}
		return nil
	})
}

// keptBytes is the line of a member whose names are not UTF-8, in base64 as JSON
// has bytes.
type keptBytes struct {
	Name []byte `json:"name"`
	File []byte `json:"file"`
}

// line is what the list has of a member.
func (k keptMember) line() any {
	if !utf8.ValidString(k.name) || !utf8.ValidString(k.file) {
		return keptBytes{[]byte(k.name), []byte(cmp.Or(k.file, k.name))}
	}
	if k.file != "" && k.file != k.name {
		return []string{k.name, k.file}
	}
	return k.name
}

// writeGzip writes a file that only odx reads.
func writeGzip(path string, write func(io.Writer) error) (err error) {
	f, err := dumpfmt.CreateNew(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z := gzip.NewWriter(f)
	if err := write(z); err != nil {
		return err
	}
	return z.Close()
}

// keptPath is where in a backup a file is that was kept of the zip.
func keptPath(name string) string { return filepath.Join(dumpfmt.KeptDir, name) }

// keptMembers reads the list of a backup.
func keptMembers(backup string) iter.Seq2[keptMember, error] {
	return func(yield func(keptMember, error) bool) {
		if err := readMembers(backup, yield); err != nil {
			yield(keptMember{}, err)
		}
	}
}

func readMembers(backup string, yield func(keptMember, error) bool) error {
	f, err := dumpfmt.OpenBeside(backup, keptPath(dumpfmt.KeptMembers))
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return &dumpfmt.FormatError{Path: f.Name(), Offset: -1, Err: err}
	}
	return parseMembers(z, f.Name(), yield)
}

// maxMemberLine is the longest line of the list, in bytes: two names of up to
// 64 KiB, of which JSON may write a byte with six.
const maxMemberLine = 1 << 20

// parseMembers reads the list, of which one line is held in memory. Path is for
// errors.
func parseMembers(r io.Reader, path string, yield func(keptMember, error) bool) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxMemberLine)
	offset := int64(0) // of the line
	for lines.Scan() {
		k, err := parseMember(lines.Bytes())
		if err != nil {
			return &dumpfmt.FormatError{Path: path, Offset: offset, Err: err}
		}
		if !yield(k, nil) {
			return nil
		}
		offset += int64(len(lines.Bytes())) + 1
	}
	if err := lines.Err(); err != nil {
		return &dumpfmt.FormatError{Path: path, Offset: offset, Err: err}
	}
	return nil
}

// parseMember reads a line of the list. Its names lead nowhere else.
func parseMember(line []byte) (k keptMember, err error) {
	var pair []string
	var raw keptBytes
	switch {
	case json.Unmarshal(line, &k.name) == nil:
		k.file = k.name
	case json.Unmarshal(line, &pair) == nil && len(pair) == 2:
		k.name, k.file = pair[0], pair[1]
	case json.Unmarshal(line, &raw) == nil:
		k.name, k.file = string(raw.Name), string(raw.File)
	default:
		return k, errors.New("neither a name nor a name and a file")
	}
	if err := odoozip.CheckMember(k.name); err != nil || k.file == k.name {
		return k, err
	}
	return k, odoozip.CheckName(k.file)
}
