package odoozip

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"odx/dumpfmt"
)

// A Reader reads a zip. It may be used from several goroutines at once.
type Reader struct {
	// Members are in the order in which they lie in the file, directories
	// included. They take 72 bytes of memory each, and their names.
	Members []Member

	// Top is the folder that everything is in, with its slash, "" for none, as
	// in Odoo's own zips. It is the one where the only dump.sql is that is not
	// deeper than any other; members outside of it are KindOther.
	Top string

	Comment string // of the whole archive

	src source
}

// NewReader reads the directory of a zip of the given size in bytes. path is
// for errors. Damage is a *dumpfmt.FormatError, which also matches
// dumpfmt.ErrUnsupported where the zip may be valid: see the package comment.
// Errors of src are passed on. The data of members is not looked at, nor their
// local headers; reading each of them does that.
func NewReader(src io.ReaderAt, size int64, path string) (*Reader, error) {
	r := &Reader{src: source{ReaderAt: src, size: size, path: path}}
	e, err := r.src.findEnd()
	if err != nil {
		return nil, err
	}
	r.Comment = e.comment
	offset, before, err := r.src.findDirectory(e)
	if err != nil {
		return nil, err
	}
	if r.Members, err = r.src.readDirectory(e, offset, before); err != nil {
		return nil, err
	}
	if err := r.findTop(); err != nil {
		return nil, err
	}
	if err := r.checkNames(); err != nil {
		return nil, err
	}
	if err := r.checkPlaces(offset); err != nil {
		return nil, err
	}
	return r, nil
}

// Find gives the member with a name below the folder on top, such as dump.sql,
// nil if there is none.
func (r *Reader) Find(name string) *Member {
	for i := range r.Members {
		m := &r.Members[i]
		if !m.Hidden && m.inside(r.Top) && m.Rel() == name {
			return m
		}
	}
	return nil
}

// Dump gives the member with the script. A zip without one is none of Odoo's.
func (r *Reader) Dump() (*Member, error) {
	if m := r.Find(DumpName); m != nil {
		return m, nil
	}
	return nil, &dumpfmt.FormatError{Path: r.src.path, Offset: -1, Err: errors.New("no dump.sql in it: not a zip of Odoo's")}
}

// inside tells whether a member is in the folder on top.
func (m *Member) inside(top string) bool {
	return strings.HasPrefix(cleanName(m.Name), cleanName(top)) && len(cleanName(m.Name)) > len(cleanName(top))
}

// findTop finds the folder on top and the kinds of members.
func (r *Reader) findTop() error {
	tops, least := []string(nil), -1
	for i := range r.Members {
		name := r.Members[i].Name
		top, isDump := strings.CutSuffix(name, DumpName)
		depth := strings.Count(cleanName(top), "/")
		if !isDump || top != "" && !strings.HasSuffix(top, "/") || elsewhere(cleanName(top)) || least >= 0 && depth > least {
			continue
		}
		if depth < least {
			tops = tops[:0]
		}
		least = depth
		if len(tops) < 2 && !slices.Contains(tops, top) {
			tops = append(tops, top)
		}
	}
	if least > 0 && len(tops) > 1 {
		return r.src.damaged(-1, "", fmt.Errorf("more than one dump in one zip: %q and %q", tops[0]+DumpName, tops[1]+DumpName))
	}
	if len(tops) == 1 {
		r.Top = tops[0]
	}
	for i := range r.Members {
		r.Members[i].place(r.Top)
	}
	return nil
}

// elsewhere tells whether a folder is one whose files are no dump: that of
// attachments, ours, or that which macOS adds to zips.
func elsewhere(folder string) bool {
	for _, dir := range []string{FilestoreDir, OdxDir, "__MACOSX/"} {
		if strings.HasPrefix(folder, dir) {
			return true
		}
	}
	return false
}

// place sets what depends on the folder on top.
func (m *Member) place(top string) {
	dot := len(m.Name) - len(cleanName(m.Name))
	if m.inside(top) {
		m.top = uint16(dot + len(cleanName(top)))
		m.Kind = KindOf(m.Rel())
		return
	}
	if strings.HasSuffix(m.Name, "/") {
		m.Kind = KindDirectory
	}
}

// checkNames marks members that others hide, and refuses a file that is also a
// folder.
func (r *Reader) checkNames() error {
	order := make([]int32, len(r.Members))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(comparePaths(cleanName(r.Members[a].Name), cleanName(r.Members[b].Name)), cmp.Compare(a, b))
	})
	for i := 1; i < len(order); i++ {
		a, b := &r.Members[order[i-1]], &r.Members[order[i]]
		file, name := cleanName(a.Name), cleanName(b.Name)
		if file == name {
			a.Hidden = true
			if a.Kind != KindDirectory {
				a.Kind = KindOther
			}
			continue
		}
		if rest, found := strings.CutPrefix(name, file); found && a.Kind != KindDirectory && rest[0] == '/' {
			return r.src.damaged(-1, memberField(a.Name), fmt.Errorf("also a folder, of %q", b.Name))
		}
	}
	return nil
}

// comparePaths orders names so that what is in a folder comes right after a
// file of the folder's name.
func comparePaths(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			continue
		}
		switch {
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		}
		return cmp.Compare(a[i], b[i])
	}
	return cmp.Compare(len(a), len(b))
}

// checkPlaces puts the members into the order of the file and refuses those
// that overlap: a small file could stand for any amount of text. The last one
// ends where the directory is.
func (r *Reader) checkPlaces(limit int64) error {
	slices.SortStableFunc(r.Members, func(a, b Member) int { return cmp.Compare(a.Offset, b.Offset) })
	for i := len(r.Members) - 1; i >= 0; i-- {
		m := &r.Members[i]
		m.limit = limit
		room := limit - m.Offset - localLen - int64(len(m.Name))
		if m.Offset < 0 || m.Offset > limit || m.Size > room {
			return r.src.damaged(m.Offset, memberField(m.Name), errOverlap)
		}
		limit = m.Offset
	}
	return nil
}
