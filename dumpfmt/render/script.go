package render

import (
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"regexp"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
)

// Options say what the script is to have. The zero value is pg_restore without
// options.
type Options struct {
	NoOwner      bool // no ALTER ... OWNER TO, no owners in comments
	NoPrivileges bool // no GRANT, REVOKE and ALTER DEFAULT PRIVILEGES

	// QuoteAll puts all names in quotes that are not part of a definition: the
	// script that pg_dump --quote-all-identifiers writes, which pg_restore does
	// not print of that archive.
	QuoteAll bool

	// RestrictKey is the word in \restrict and \unrestrict: letters and digits
	// of ASCII. If it is empty, a random one is drawn. A release that does not
	// write these lines ignores it.
	RestrictKey string
}

// Script is the script of an archive. It may be printed any number of times,
// by several goroutines too, as long as nobody changes the TOC.
type Script struct {
	archive *pgarchive.Archive
	opts    Options
	release release
	special special
	byID    map[pgarchive.DumpID]*pgarchive.Entry // nil unless privileges of groups need it
}

// special is what the entries say that stand for the whole dump.
type special struct {
	encoding   string // "" without an entry that says it
	stdStrings bool   // standard_conforming_strings is on
	searchPath pgarchive.NullString
}

// New prepares the script of an archive. Nothing but its TOC is looked at. An
// error about it is a *dumpfmt.FormatError.
func New(a *pgarchive.Archive, opts Options) (*Script, error) {
	s := &Script{archive: a, opts: opts, release: releaseOf(&a.TOC.Header)}
	if err := s.chooseKey(); err != nil {
		return nil, err
	}
	for i := range a.TOC.Entries {
		e := &a.TOC.Entries[i]
		if err := s.readSpecial(e); err != nil {
			return nil, err
		}
		if s.byID == nil && s.isGroupACL(e) {
			s.byID = a.TOC.ByID()
		}
	}
	return s, nil
}

// RestrictKey gives the word in \restrict, "" if the script has no such line.
func (s *Script) RestrictKey() string { return s.opts.RestrictKey }

var restrictKey = regexp.MustCompile(`^[a-zA-Z0-9]+$`)

func (s *Script) chooseKey() error {
	switch key := s.opts.RestrictKey; {
	case key != "" && !restrictKey.MatchString(key):
		return fmt.Errorf("restrict key %q has other characters than letters and digits", key)
	case !s.release.hasRestrict():
		s.opts.RestrictKey = ""
	case key == "":
		s.opts.RestrictKey = randomKey()
	}
	return nil
}

// randomKey draws a key of the length that pg_dump's have. It must be hard to
// guess: whoever knows it can end psql's restricted mode from within the dump.
func randomKey() string {
	const letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	const length = 63
	key := make([]byte, 0, length)
	random := make([]byte, length)
	for {
		_, _ = rand.Read(random) // never fails: crypto/rand ends the process instead
		for _, b := range random {
			// Of the values, so many that each letter is as likely as any other.
			if i := int(b); i < 256/len(letters)*len(letters) {
				key = append(key, letters[i%len(letters)])
			}
			if len(key) == length {
				return string(key)
			}
		}
	}
}

// checksUTF8 tells whether names are taken for UTF-8 and checked, as they are
// too where nothing says what they are.
func (s *Script) checksUTF8() bool {
	return s.release.checksNames() && (s.special.encoding == "" || s.special.encoding == "UTF8")
}

// The kinds of entries that are not printed but say something of the script.
const (
	descStdStrings = "STDSTRINGS"
	descSearchPath = "SEARCHPATH"
)

var (
	encodingItem   = regexp.MustCompile(`^[^']*'([A-Za-z0-9_-]+)'`)
	stdStringsItem = regexp.MustCompile(`^[^']*'(on|off)'`)
)

// readSpecial reads an entry if it is a special one.
func (s *Script) readSpecial(e *pgarchive.Entry) error {
	switch e.Desc {
	case pgarchive.DescEncoding:
		m := encodingItem.FindStringSubmatch(e.Defn.String)
		if m == nil {
			return s.fail(e, fmt.Errorf("no encoding in %.100q", e.Defn.String))
		}
		s.special.encoding = m[1]
	case descStdStrings:
		m := stdStringsItem.FindStringSubmatch(e.Defn.String)
		if m == nil {
			return s.fail(e, fmt.Errorf("neither 'on' nor 'off' in %.100q", e.Defn.String))
		}
		s.special.stdStrings = m[1] == "on"
	case descSearchPath:
		if !e.Defn.Valid {
			return s.fail(e, errors.New("no definition"))
		}
		s.special.searchPath = e.Defn
	}
	return nil
}

// fail says what is wrong with an entry.
func (s *Script) fail(e *pgarchive.Entry, err error) error {
	path := "toc.dat"
	if s.archive.TOC.Header.Format == pgarchive.FormatCustom {
		path = filepath.Base(s.archive.Path())
	}
	return &dumpfmt.FormatError{Path: path, Offset: -1,
		Field: fmt.Sprintf("entry with ID %d (%s %s)", e.ID, e.Desc, e.Tag), Err: err}
}

// Piece is a part of the script: either SQL text, or the data of an entry,
// which Script.PrintData prints.
type Piece struct {
	SQL  []byte           // valid until the next piece; never empty if Data is nil
	Data *pgarchive.Entry // with COPY text, INSERT statements or large objects
}

// pieceSize is the size at which SQL text is handed on even if no data follow.
const pieceSize = 64 << 10

// Pieces gives the script in pieces, which printed one after the other are all
// of it. Two pieces of SQL may follow each other. No data are read. Memory is
// some 64 KiB and what the longest definition takes.
//
// An error, always a *dumpfmt.FormatError, ends it.
func (s *Script) Pieces() iter.Seq2[Piece, error] {
	return func(yield func(Piece, error) bool) {
		p := &printer{s: s, reserved: reservedWords(s.release), checked: s.checksUTF8(), yield: yield}
		if err := p.script(); err != nil {
			yield(Piece{}, err)
		}
	}
}
