package rebuild

import (
	"strings"
	"time"

	"odx/dumpfmt/pgarchive"
)

// result puts everything together.
func (b *builder) result(o Options) (*Result, error) {
	t := &pgarchive.TOC{Header: b.header(o)}
	items := b.order()
	t.Entries = make([]pgarchive.Entry, 0, len(items)+reservedIDs)
	b.special(t)
	if err := b.depend(items); err != nil {
		return nil, err
	}
	for _, it := range items {
		t.Entries = append(t.Entries, it.entry)
	}
	pgarchive.SafeForParallel(t)
	b.frame.QuotesAll = b.isQuoted && !b.isBare
	return &Result{TOC: t, Lists: b.lists, Frame: b.frame}, nil
}

func (b *builder) header(o Options) pgarchive.Header {
	h := pgarchive.Header{
		Version: b.version, IntSize: 4, OffSize: 8, Format: pgarchive.FormatTar,
		Time: o.Time, ServerVersion: pgarchive.Str(b.remote), DumpVersion: pgarchive.Str(b.dumper),
	}
	if (h.Time == pgarchive.Tm{}) {
		h.Time = b.started()
	}
	switch {
	case b.version.AtLeast(pgarchive.Version15):
		h.Algorithm = o.Compression
	case o.Compression != pgarchive.None:
		h.Level = -1
	}
	return h
}

// startedFormat is how --verbose prints the time, before the time zone.
const startedFormat = "2006-01-02 15:04:05"

// started gives the time at which the dump started, as far as the script has
// it.
func (b *builder) started() pgarchive.Tm {
	text := b.frame.Started
	t, err := time.Parse(startedFormat, text[:min(len(startedFormat), len(text))])
	if err != nil || t.Year() < 1970 {
		return pgarchive.Tm{Day: 1, Year: 70}
	}
	return pgarchive.Tm{
		Sec: int32(t.Second()), Min: int32(t.Minute()), Hour: int32(t.Hour()),
		Day: int32(t.Day()), Month: int32(t.Month()) - 1, Year: int32(t.Year()) - 1900, IsDST: -1,
	}
}

// special adds the entries whose text is in the SET block.
func (b *builder) special(t *pgarchive.TOC) {
	state := "on"
	if strings.Contains(b.frame.Settings, "SET standard_conforming_strings = off;\n") {
		state = "off"
	}
	id := pgarchive.DumpID(1)
	for _, s := range []struct{ desc, defn string }{
		{"ENCODING", b.frame.setting(encodingText)},
		{"STDSTRINGS", "SET standard_conforming_strings = '" + state + "';\n"},
		{"SEARCHPATH", b.frame.setting(searchPathText)},
	} {
		if s.defn == "" {
			continue
		}
		for b.ids[id] {
			id++
		}
		b.ids[id] = true
		t.Entries = append(t.Entries, pgarchive.Entry{ID: id, Tag: s.desc, Desc: s.desc,
			Section: pgarchive.SectionPreData, Defn: pgarchive.Str(s.defn)})
	}
}
