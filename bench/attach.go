package bench

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// Rows of ir_attachment come in chunks of this many; a row that shares its file
// with another one finds it in its own chunk.
const attachmentChunk = 64

// attachment is the content of one row of ir_attachment.
type attachment struct {
	kind     attachmentKind
	text     bool // the content compresses
	size     int64
	checksum string
	resID    int64
	format   *fileFormat
	data     []byte // of a row that keeps its content in the database
}

type attachmentKind int

const (
	storedFile attachmentKind = iota
	sharedFile                // the file of an earlier row once more
	databaseFile
	urlLink
)

// fileFormat is what files of one kind look like from outside.
type fileFormat struct{ mime, name, model, field, magic string }

var (
	binaryFormats = []fileFormat{
		{"image/png", "image_1920", "res.partner", "image_1920", "\x89PNG\r\n\x1a\n"},
		{"image/jpeg", "image_512", "product.template", "image_512", "\xff\xd8\xff\xe0"},
		{"application/pdf", "INV_2025.pdf", "account.move", "", "%PDF-1.4\n"},
		{"application/zip", "données du client.zip", "mail.message", "", "PK\x03\x04"},
	}
	textFormats = []fileFormat{
		{"text/plain", `quotation "final".txt`, "sale.order", "", ""},
		{"text/csv", "export.csv", "mail.message", "", "id;name;amount\n"},
		{"application/xml", "factur-x.xml", "account.move", "", "<?xml version='1.0'?>\n"},
		{"text/css", "web.assets_web.min.css", "ir.ui.view", "", "/* web.assets_web */\n"},
	}
)

// filePlan says which rows have files, and how large they are.
type filePlan struct {
	seed  uint64
	total int64 // bytes; 0 if there is no filestore
}

// Sizes of files: log-normal round a median of 15 kB, and one in some thousand
// of about 20 MB. In a small filestore none takes more than a sixteenth.
const (
	medianFile = 15_000
	spreadFile = 1.1
	largeFile  = 20_000_000
	largeEvery = 2500
)

// kind returns what a row is, from a generator that the size comes from next.
func (p filePlan) kind(row int64) (attachmentKind, rng) {
	r := seeded(p.seed, "attachment", row)
	draw := r.n(100)
	switch {
	case p.total == 0:
		return pickKind(draw < 40, databaseFile, urlLink), r
	case draw < 72 || row%attachmentChunk == 0 || row%largeEvery == 3:
		return storedFile, r
	case draw < 90:
		return sharedFile, r
	}
	return pickKind(draw < 93, databaseFile, urlLink), r
}

func pickKind(cond bool, yes, no attachmentKind) attachmentKind {
	if cond {
		return yes
	}
	return no
}

// size draws the size of a stored file.
func (p filePlan) size(row int64, r *rng) int64 {
	size := int64(medianFile * math.Exp(spreadFile*r.normal()))
	if row%largeEvery == 3 {
		size = largeFile*3/4 + r.n(largeFile/2)
	}
	return max(64, min(size, p.total/16))
}

// rows counts the rows whose files fill the filestore, or least if that is more.
func (p filePlan) rows(least int64) int64 {
	rows, left := int64(0), p.total
	for ; left > 0; rows++ {
		if kind, r := p.kind(rows); kind == storedFile {
			left -= p.size(rows, &r)
		}
	}
	return max(rows, least)
}

// fileWriter writes the files that the rows of ir_attachment name.
type fileWriter struct {
	plan  filePlan
	dir   string
	files atomic.Int64
	bytes atomic.Int64
}

// prepare makes the attachment of the cell's row, and writes its file.
func (w *fileWriter) prepare(ctx context.Context, c *cell) error {
	kind, r := w.plan.kind(c.row)
	if kind == sharedFile {
		c.file = c.stored
		return nil
	}
	a := &attachment{kind: kind, resID: 1 + c.skewed(4000)}
	c.file = a
	switch kind {
	case databaseFile:
		a.format, a.data = &textFormats[0], make([]byte, 40+r.n(1500))
		r.fill(a.data)
		a.size = int64(len(a.data))
		sum := sha1.Sum(a.data)
		a.checksum = hex.EncodeToString(sum[:])
		return nil
	case urlLink:
		a.format = &textFormats[3]
		return nil
	}
	a.size = w.plan.size(c.row, &r)
	a.text = r.n(2) == 0
	formats := binaryFormats
	if a.text {
		formats = textFormats
	}
	a.format = &formats[r.n(int64(len(formats)))]
	c.stored = a
	if c.sample {
		a.checksum = "0123456789012345678901234567890123456789"
		return nil
	}
	return w.store(ctx, c, a, r)
}

// store writes the file of an attachment. One in some twenty is also in the
// checklist of files that Odoo's garbage collection will look at, and beside
// some lies a file that no row names any more.
func (w *fileWriter) store(ctx context.Context, c *cell, a *attachment, r rng) (err error) {
	mod := time.UnixMicro(c.when)
	if a.checksum, err = w.write(ctx, newContent(a, r), mod); err != nil {
		return err
	}
	if c.row%19 == 0 {
		if err := w.check(a.checksum, mod); err != nil {
			return err
		}
	}
	if c.row%97 != 5 {
		return nil
	}
	stale := *a
	stale.size = min(a.size, medianFile)
	name, err := w.write(ctx, newContent(&stale, seeded(w.plan.seed, "stale", c.row)), mod)
	if err != nil {
		return err
	}
	return w.check(name, mod)
}

// check puts a file into the checklist.
func (w *fileWriter) check(name string, mod time.Time) error {
	return w.place(filepath.Join(w.dir, "checklist", name[:2], name), mod, func(*os.File) error { return nil })
}

// write writes content under its SHA-1 and returns that. Content that does not
// fit into one block is made twice, once for the name.
func (w *fileWriter) write(ctx context.Context, content content, mod time.Time) (string, error) {
	sum, block, again := sha1.New(), make([]byte, contentBlock), content
	size := content.left
	for content.left > 0 {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		sum.Write(content.next(block))
	}
	name := hex.EncodeToString(sum.Sum(nil))
	err := w.place(filepath.Join(w.dir, name[:2], name), mod, func(f *os.File) error {
		if size <= contentBlock {
			_, err := f.Write(block[:size])
			return err
		}
		for again.left > 0 {
			if _, err := f.Write(again.next(block)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		w.files.Add(1)
		w.bytes.Add(size)
	}
	return name, err
}

// place creates a file, and its folder when it is the first in it.
func (w *fileWriter) place(path string, mod time.Time, fill func(*os.File) error) (err error) {
	const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	f, err := os.OpenFile(path, flags, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		f, err = os.OpenFile(path, flags, 0o600)
	}
	if err != nil {
		return err
	}
	err = fill(f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Chtimes(path, mod, mod)
}

const contentBlock = 64 << 10

// content makes the bytes of one file.
type content struct {
	cell  cell // only its random numbers are used
	text  bool
	magic string
	left  int64
}

func newContent(a *attachment, r rng) content {
	return content{cell: cell{rng: r}, text: a.text, magic: a.format.magic, left: a.size}
}

// next fills the block, or less at the end, and returns what it filled.
func (c *content) next(block []byte) []byte {
	block = block[:min(int64(len(block)), c.left)]
	c.left -= int64(len(block))
	if !c.text {
		c.cell.fill(block)
	}
	filled := copy(block, c.magic)
	c.magic = ""
	for c.text && filled < len(block) {
		var line [512]byte
		b := c.cell.words(line[:0], 4+c.cell.n(12))
		b = append(b, ';')
		b = append(appendCents(b, c.cell.n(100_000)), '\n')
		filled += copy(block[filled:], b)
	}
	return block
}

// attachmentField returns what writes one column of ir_attachment.
func attachmentField(name string) (value, error) {
	fields := map[string]func(a *attachment, c *cell, b []byte) []byte{
		"name":  func(a *attachment, c *cell, b []byte) []byte { return append(b, a.format.name...) },
		"model": func(a *attachment, c *cell, b []byte) []byte { return append(b, a.format.model...) },
		"field": func(a *attachment, c *cell, b []byte) []byte { return orNull(b, a.format.field) },
		"mime":  func(a *attachment, c *cell, b []byte) []byte { return append(b, a.format.mime...) },
		"res_id": func(a *attachment, c *cell, b []byte) []byte {
			return appendInt(b, a.resID)
		},
		"type": func(a *attachment, c *cell, b []byte) []byte {
			return append(b, choose(a.kind == urlLink, "url", "binary")...)
		},
		"url": func(a *attachment, c *cell, b []byte) []byte {
			if a.kind != urlLink {
				return append(b, null...)
			}
			return appendInt(append(b, "https://www.example.com/web/content/"...), c.row)
		},
		"size": func(a *attachment, c *cell, b []byte) []byte {
			if a.kind == urlLink {
				return append(b, null...)
			}
			return appendInt(b, a.size)
		},
		"checksum": func(a *attachment, c *cell, b []byte) []byte { return orNull(b, a.checksum) },
		"fname": func(a *attachment, c *cell, b []byte) []byte {
			if a.kind == urlLink || a.kind == databaseFile {
				return append(b, null...)
			}
			return append(append(append(b, a.checksum[:2]...), '/'), a.checksum...)
		},
		"data": func(a *attachment, c *cell, b []byte) []byte {
			if a.kind != databaseFile {
				return append(b, null...)
			}
			return hex.AppendEncode(append(b, `\\x`...), a.data)
		},
		"index": func(a *attachment, c *cell, b []byte) []byte {
			if !a.text || c.n(3) == 0 {
				return append(b, null...)
			}
			return c.sentences(b, 1+c.skewed(20))
		},
	}
	field := fields[name]
	if field == nil {
		return nil, fmt.Errorf("unknown column of an attachment %q", name)
	}
	return func(c *cell, b []byte) []byte { return field(c.file, c, b) }, nil
}

func orNull(b []byte, s string) []byte {
	if s == "" {
		return append(b, null...)
	}
	return append(b, s...)
}
