package odoozip

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sort"
	"strings"

	"odx/dumpfmt"
)

// A Reader reads a zip. It may be used from several goroutines at once.
type Reader struct {
	// Members are in the order in which they lie in the file, directories
	// included. One takes 76 bytes of memory; with a name that is not a SHA-1 in a
	// folder named by its digits, some 100 and the name.
	Members []Member

	// Top is the folder that everything is in, with its slash, "" for none, as
	// in Odoo's own zips. It is the one where the only dump.sql is that is not
	// deeper than any other; members outside of it are KindOther.
	Top string

	Comment string // of the whole archive

	src   source
	order []int32 // of Members, by the paths of comparePaths; hidden ones before what hides them
	end   int64   // offset where the last member ends, at most
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

// ByPath gives the members in the order of their paths, folder by folder: all
// that is in a folder follows one another.
func (r *Reader) ByPath() iter.Seq[*Member] {
	return func(yield func(*Member) bool) {
		for _, i := range r.order {
			if !yield(&r.Members[i]) {
				return
			}
		}
	}
}

// Find gives the member with a name below the folder on top, such as dump.sql,
// nil if there is none.
func (r *Reader) Find(name string) *Member {
	path := []byte(cleanName(r.Top) + name)
	after := sort.Search(len(r.order), func(i int) bool {
		var buf [nameBuffer]byte
		return comparePaths(r.Members[r.order[i]].path(buf[:0]), path) > 0
	})
	if after == 0 {
		return nil
	}
	m := &r.Members[r.order[after-1]]
	if m.Hidden || !m.inTop || m.Rel() != name {
		return nil
	}
	return m
}

// Dump gives the member with the script. A zip without one is none of Odoo's.
func (r *Reader) Dump() (*Member, error) {
	if m := r.Find(DumpName); m != nil {
		return m, nil
	}
	return nil, &dumpfmt.FormatError{Path: r.src.path, Offset: -1, Err: errors.New("no dump.sql in it: not a zip of Odoo's")}
}

// findTop finds the folder on top and the kinds of members.
func (r *Reader) findTop() error {
	tops, least := []string(nil), -1
	for i := range r.Members {
		if r.Members[i].start.digits != 0 {
			continue
		}
		name := r.Members[i].Name()
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
	name := m.Name()
	rel, isIn := strings.CutPrefix(cleanName(name), cleanName(top))
	switch {
	case isIn && rel != "":
		m.inTop, m.start.top = true, uint16(len(name)-len(rel))
		m.Kind = KindOf(rel)
	case strings.HasSuffix(name, "/"):
		m.Kind = KindDirectory
	}
}

// checkNames marks members that others hide, and refuses a file that is also a
// folder.
func (r *Reader) checkNames() error {
	r.order = make([]int32, len(r.Members))
	r.sortPaths(func(a, b int32) int { return cmp.Compare(a, b) })
	for i := 1; i < len(r.order); i++ {
		a, b := &r.Members[r.order[i-1]], &r.Members[r.order[i]]
		switch {
		case a.comparePath(b) == 0:
			a.Hidden = true
			if a.Kind != KindDirectory {
				a.Kind = KindOther
			}
		case a.Kind != KindDirectory && b.isBelow(a):
			return r.src.damaged(-1, memberField(a.Name()), fmt.Errorf("also a folder, of %q", b.Name()))
		}
	}
	return nil
}

// sortPaths makes order, with the one given for members of the same path.
func (r *Reader) sortPaths(same func(a, b int32) int) {
	for i := range r.order {
		r.order[i] = int32(i)
	}
	slices.SortFunc(r.order, func(a, b int32) int {
		if c := r.Members[a].comparePath(&r.Members[b]); c != 0 {
			return c
		}
		return same(a, b)
	})
}

// comparePaths orders names so that what is in a folder comes right after a
// file of the folder's name.
func comparePaths(a, b []byte) int {
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
	r.end = limit
	byOffset := func(a, b Member) int { return cmp.Compare(a.Offset, b.Offset) }
	if !slices.IsSortedFunc(r.Members, byOffset) {
		slices.SortStableFunc(r.Members, byOffset)
		r.sortPaths(func(a, b int32) int { return hiddenFirst(&r.Members[a], &r.Members[b]) })
	}
	for i := len(r.Members) - 1; i >= 0; i-- {
		m := &r.Members[i]
		room := limit - m.Offset - localLen - int64(m.nameLen())
		if m.Offset < 0 || m.Offset > limit || m.Size > room {
			return r.src.damaged(m.Offset, memberField(m.Name()), errOverlap)
		}
		limit = m.Offset
	}
	return nil
}

// hiddenFirst orders members of one path.
func hiddenFirst(a, b *Member) int {
	switch {
	case a.Hidden == b.Hidden:
		return 0
	case a.Hidden:
		return -1
	}
	return 1
}

// limit is the offset where the next member starts, or what follows the last.
func (r *Reader) limit(m *Member) int64 {
	next := sort.Search(len(r.Members), func(i int) bool { return r.Members[i].Offset > m.Offset })
	if next == len(r.Members) {
		return r.end
	}
	return r.Members[next].Offset
}
