package odoozip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"odx/dumpfmt"
)

// checkFormat holds an error against what a format error has to say.
func checkFormat(t *testing.T, err error, want string) {
	t.Helper()
	if format := (*dumpfmt.FormatError)(nil); !errors.As(err, &format) || !errors.Is(err, dumpfmt.ErrFormat) {
		t.Fatalf("got %v, want a format error", err)
	}
	if !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "x.zip: ") {
		t.Errorf("got %q, want %q in it", err, want)
	}
}

// A crafted is a member to be written without any checks.
type crafted struct {
	name      string
	text      []byte
	localName string // if other
	method    uint16
	mode      uint32
	flags     uint16
	dos       dosTime
	change    func(e *entry) // for the directory
}

// craft writes a zip with what Writer would refuse.
func craft(t testing.TB, members ...crafted) []byte {
	t.Helper()
	var b bytes.Buffer
	o := newOutput(&b)
	for _, c := range members {
		e := &entry{name: c.name, mode: c.mode << 16, method: c.method, known: true, dos: c.dos,
			crc: checksum(c.text), length: uint64(len(c.text)), size: uint64(len(c.text))}
		if c.method == Deflate {
			c.text = deflated(t, c.text)
			e.size = uint64(len(c.text))
		}
		local := *e
		if c.localName != "" {
			local.name = c.localName
		}
		if err := o.begin(&local); err != nil {
			t.Fatal(err)
		}
		e.offset = local.offset
		if _, err := o.Write(c.text); err != nil {
			t.Fatal(err)
		}
		if c.change != nil {
			c.change(e)
		}
		o.register(e)
		last := o.directory[len(o.directory)-1]
		at := len(last) - directoryLen - len(e.name)
		if at >= 0 && c.flags != 0 {
			binary.LittleEndian.PutUint16(last[at+8:], c.flags)
		}
	}
	if err := o.finish(""); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReader_UnsafeMembers(t *testing.T) {
	text := []byte("text")
	tests := map[string]struct {
		c    crafted
		want string
	}{
		"absolute":           {crafted{name: "/etc/passwd"}, "absolute"},
		"up":                 {crafted{name: "../x"}, `part ".."`},
		"up inside":          {crafted{name: "filestore/../../x"}, `part ".."`},
		"up at the end":      {crafted{name: "filestore/.."}, `part ".."`},
		"up after dot":       {crafted{name: "./../x"}, `part ".."`},
		"absolute after dot": {crafted{name: ".//x"}, "absolute"},
		"backslash":          {crafted{name: `..\x`}, "backslash"},
		"drive":              {crafted{name: "c:x"}, "drive letter"},
		"share":              {crafted{name: `\\host\share\x`}, "backslash"},
		"zero byte":          {crafted{name: "dump.sql\x00.txt"}, "zero byte"},
		"empty":              {crafted{name: ""}, "empty name"},
		"slash":              {crafted{name: "/"}, "absolute"},
		"doubled slash":      {crafted{name: "a//b"}, "doubled slash"},
		"dot inside":         {crafted{name: "a/./b"}, `part "."`},
		"long":               {crafted{name: strings.Repeat("a", 5000)}, "5000 bytes"},
		"not UTF-8":          {crafted{name: "a\xff", flags: flagUTF8}, "UTF-8"},
		"link":               {crafted{name: "a", mode: 0o120777}, "symbolic link"},
		"device":             {crafted{name: "a", mode: 0o020666}, "neither a file"},
		"pipe":               {crafted{name: "a", mode: 0o010666}, "neither a file"},
		"full directory":     {crafted{name: "a/", text: text}, "directory with 4 bytes"},
		"encrypted":          {crafted{name: "a", flags: flagEncrypted}, "encrypted"},
		"strongly encrypted": {crafted{name: "a", flags: flagStrong}, "encrypted"},
		"hidden directory":   {crafted{name: "a", flags: flagHiddenDirectory}, "encrypted"},
		"patch":              {crafted{name: "a", flags: flagPatch}, "patch"},
		"method":             {crafted{name: "a", method: 97}, "method 97 (unknown)"},
		"stored sizes":       {crafted{name: "a", text: text, change: func(e *entry) { e.length = 5 }}, "5 bytes of text in 4"},
		"ratio":              {crafted{name: "a", text: text, method: Deflate, change: func(e *entry) { e.length = 1 << 40 }}, "cannot be in"},
		"beyond":             {crafted{name: "a", text: text, change: func(e *entry) { e.size, e.length = 400, 400 }}, "overlaps"},
		"far away":           {crafted{name: "a", change: func(e *entry) { e.offset = 1 << 62 }}, "overlaps"},
		"too many bytes":     {crafted{name: "a", change: func(e *entry) { e.size, e.length = 1<<63, 1<<63 }}, "2^63"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			zip := craft(t, crafted{name: "dump.sql", text: text}, test.c)
			_, err := NewReader(bytes.NewReader(zip), int64(len(zip)), "x.zip")
			checkFormat(t, err, test.want)
		})
	}
}

func TestReader_Overlap(t *testing.T) {
	text := rows(100_000, 1)
	first := crafted{name: "a", text: text, method: Deflate}
	again := crafted{name: "b", text: text, method: Deflate, change: func(e *entry) { e.offset = 0 }}
	zip := craft(t, first, again)
	_, err := NewReader(bytes.NewReader(zip), int64(len(zip)), "x.zip")
	checkFormat(t, err, "overlaps")

	// One that begins inside another's data, as in bombs that quote headers.
	inner := craft(t, crafted{name: "b", text: []byte("text")})
	outer := crafted{name: "a", text: inner}
	quoted := crafted{name: "b", text: []byte("text"), change: func(e *entry) { e.offset = localLen + 1 }}
	zip = craft(t, outer, quoted)
	_, err = NewReader(bytes.NewReader(zip), int64(len(zip)), "x.zip")
	checkFormat(t, err, "overlaps")

	// An extra field in the local header that pushes the data over the next.
	zip = craft(t, crafted{name: "a", text: text}, crafted{name: "b"})
	binary.LittleEndian.PutUint16(zip[28:], 100)
	r := newReader(t, zip)
	_, err = r.Open(&r.Members[0])
	checkFormat(t, err, "overlaps")
}

func TestReader_LocalHeader(t *testing.T) {
	text := []byte("some text")
	tests := map[string]struct {
		c    crafted
		want string
	}{
		"name":   {crafted{name: "a", localName: "b"}, "another name"},
		"length": {crafted{name: "a", localName: "aa"}, "another name"},
		"CRC-32": {crafted{name: "a", text: text, change: func(e *entry) { e.crc++ }}, "another CRC-32"},
		"size":   {crafted{name: "a", text: text, method: Deflate, change: func(e *entry) { e.size-- }}, "another size"},
		"method": {crafted{name: "a", text: text, change: func(e *entry) { e.method = Deflate }}, "another method"},
		"flags":  {crafted{name: "a", text: text, change: func(e *entry) { e.known = false }}, "another set of flags"},
		"none":   {crafted{name: "a", text: text, change: func(e *entry) { e.offset++ }}, "no header"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			// Room for names that are longer than they should be.
			zip := craft(t, test.c, crafted{name: "rest"})
			r, err := NewReader(bytes.NewReader(zip), int64(len(zip)), "x.zip")
			if err != nil {
				checkFormat(t, err, "overlaps") // by the byte that it is moved
				return
			}
			_, err = r.Open(&r.Members[0])
			checkFormat(t, err, test.want)
			if !strings.Contains(err.Error(), `member "a"`) {
				t.Errorf("got %v, want the member named", err)
			}
		})
	}
}

// TestReader_Content has members whose data is not what the headers say, where
// both headers agree.
func TestReader_Content(t *testing.T) {
	text := rows(5000, 1)
	lie := func(method uint16, change func(e *entry)) []byte {
		var b bytes.Buffer
		o := newOutput(&b)
		data := text
		if method == Deflate {
			data = deflated(t, text)
		}
		e := &entry{name: "a", method: method, known: true, crc: checksum(text), length: uint64(len(text)), size: uint64(len(data))}
		change(e)
		data = append(bytes.Clone(data), 0)[:e.size]
		_ = o.begin(e)
		_, _ = o.Write(data)
		o.register(e)
		if err := o.finish(""); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	tests := map[string]struct {
		zip  []byte
		want string
	}{
		"CRC-32 of stored":   {lie(Store, func(e *entry) { e.crc++ }), "CRC-32"},
		"CRC-32 of deflated": {lie(Deflate, func(e *entry) { e.crc++ }), "CRC-32"},
		"zero CRC-32":        {lie(Deflate, func(e *entry) { e.crc = 0 }), "CRC-32"},
		"less text":          {lie(Deflate, func(e *entry) { e.length++ }), "unexpected EOF"},
		"more text":          {lie(Deflate, func(e *entry) { e.length-- }), "more text"},
		"less data":          {lie(Deflate, func(e *entry) { e.size-- }), "unexpected EOF"},
		"more data":          {lie(Deflate, func(e *entry) { e.size++ }), "1 bytes of data are left over"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newReader(t, test.zip)
			got, err := readMember(r, &r.Members[0])
			checkFormat(t, err, test.want)
			if !bytes.HasPrefix(text, got) {
				t.Errorf("%d other bytes read", len(got))
			}
		})
	}
}

func TestReader_Duplicates(t *testing.T) {
	a, b := []byte("first"), []byte("second")
	r := newReader(t, craft(t, crafted{name: "dump.sql", text: a}, crafted{name: "filestore/x", text: a}, crafted{name: "./dump.sql", text: b},
		crafted{name: "log/"}, crafted{name: "filestore/x", text: b}, crafted{name: "log/"}))
	want := []struct {
		kind   Kind
		hidden bool
	}{{KindOther, true}, {KindOther, true}, {KindDump, false}, {KindDirectory, true}, {KindFilestore, false}, {KindDirectory, false}}
	for i, w := range want {
		if m := &r.Members[i]; m.Kind != w.kind || m.Hidden != w.hidden {
			t.Errorf("member %d: %v, hidden %t", i, m.Kind, m.Hidden)
		}
	}
	if text, err := readMember(r, r.Find(DumpName)); err != nil || !bytes.Equal(text, b) {
		t.Errorf("dump is %q, %v, want the last one", text, err)
	}
	zip := craft(t, crafted{name: "filestore/a"}, crafted{name: "filestore/a!b"}, crafted{name: "filestore/a/b"})
	_, err := NewReader(bytes.NewReader(zip), int64(len(zip)), "x.zip")
	checkFormat(t, err, "also a folder")
}

func TestReader_Top(t *testing.T) {
	tests := []struct {
		names []string
		top   string
		kinds []Kind
	}{
		{[]string{"dump.sql", "x/dump.sql"}, "", []Kind{KindDump, KindOther}},
		{[]string{"x/", "x/dump.sql", "x/filestore/a", "manifest.json"}, "x/", []Kind{KindDirectory, KindDump, KindFilestore, KindOther}},
		{[]string{"./", "./dump.sql", "./filestore/", "./odx/a"}, "./", []Kind{KindDirectory, KindDump, KindDirectory, KindOdx}},
		{[]string{"./x/dump.sql", "x/manifest.json"}, "./x/", []Kind{KindDump, KindManifest}},
		{[]string{"x/y/dump.sql", "x/y/log", "__MACOSX/dump.sql", "z/"}, "x/y/", []Kind{KindDump, KindOther, KindOther, KindDirectory}},
		{[]string{"filestore/dump.sql", "filestore/a"}, "", []Kind{KindFilestore, KindFilestore}},
		{[]string{"x/mydump.sql", "xdump.sql"}, "", []Kind{KindOther, KindOther}},
		{nil, "", nil},
	}
	for _, test := range tests {
		var members []crafted
		for _, name := range test.names {
			members = append(members, crafted{name: name})
		}
		r := newReader(t, craft(t, members...))
		if r.Top != test.top {
			t.Errorf("%q: in %q, want %q", test.names, r.Top, test.top)
		}
		for i, k := range test.kinds {
			if r.Members[i].Kind != k {
				t.Errorf("%q: %v, want %v", test.names[i], r.Members[i].Kind, k)
			}
		}
	}
}

func TestReader_Times(t *testing.T) {
	r := newReader(t, craft(t, crafted{name: "a", dos: 0}, crafted{name: "b", dos: 0xffffffff}, crafted{name: "c", dos: toDOS(someTime)}))
	if y := r.Members[0].Modified().Year(); y != firstYear {
		t.Errorf("year %d", y)
	}
	if y := r.Members[1].Modified().Year(); y > lastYear+1 {
		t.Errorf("year %d", y)
	}
	if got := r.Members[2].Modified(); !got.Equal(someTime) {
		t.Errorf("%v, want %v", got, someTime)
	}
	m := Member{dos: toDOS(someTime), unix: int32(someTime.Add(-2 * time.Hour).Unix())}
	if got := m.Modified(); !got.Equal(someTime.Add(-2*time.Hour)) || got.Hour() != someTime.Hour() {
		t.Errorf("%v, two hours ahead of UTC", got)
	}
	m.unix = 5
	if got := m.Modified(); !got.Equal(someTime) {
		t.Errorf("%v, want what the directory says", got)
	}
}

func TestReader_Raw(t *testing.T) {
	zip := write(t, standard(), Options{}, true)
	r := newReader(t, zip)
	m := r.Find(DumpName)
	raw, err := r.Raw(m)
	if err != nil {
		t.Fatal(err)
	}
	_, offset, size := raw.Outer()
	got, err := io.ReadAll(raw)
	if err != nil || size != m.Size || !bytes.Equal(got, zip[offset:offset+size]) {
		t.Errorf("%d bytes at %d (%v)", size, offset, err)
	}
	if r.Find("dump") != nil {
		t.Error("found what is not there")
	}
}

func TestReader_Behaviour(t *testing.T) {
	text := rows(200_000, 1)
	for _, method := range []uint16{Store, Deflate} {
		r := newReader(t, craft(t, crafted{name: "a", text: text, method: method}))
		src, err := r.Open(&r.Members[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(src, text); err != nil {
			t.Error(err)
		}
		if err := src.Close(); err != nil {
			t.Error(err)
		}
		if _, err := src.Read(make([]byte, 1)); err != errClosed {
			t.Errorf("read after close: %v", err)
		}
		_ = src.Close()
	}
}

// A brokenFile fails to read anything from an offset on.
type brokenFile struct {
	data []byte
	from int64
	err  error
}

func (f *brokenFile) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.from {
		return 0, f.err
	}
	return bytes.NewReader(f.data).ReadAt(p, off)
}

// TestReader_SourceFails tells errors of the disk from damage.
func TestReader_SourceFails(t *testing.T) {
	zip := write(t, standard(), Options{}, true)
	_, err := NewReader(&brokenFile{zip, int64(len(zip)) - 1, fs.ErrPermission}, int64(len(zip)), "x.zip")
	if !errors.Is(err, fs.ErrPermission) || errors.Is(err, dumpfmt.ErrFormat) {
		t.Errorf("got %v", err)
	}
	r := newReader(t, zip)
	for _, from := range []int64{10, 100, 10_000} {
		r.src.ReaderAt = &brokenFile{zip, from, fs.ErrPermission}
		_, err = readMember(r, r.Find(DumpName))
		if !errors.Is(err, fs.ErrPermission) || errors.Is(err, dumpfmt.ErrFormat) {
			t.Errorf("broken from %d: got %v", from, err)
		}
	}
	// A file that has become shorter.
	r.src.ReaderAt = bytes.NewReader(zip[:10_000])
	_, err = readMember(r, r.Find(DumpName))
	checkFormat(t, err, "unexpected EOF")
}

// small are zips small enough to be broken in every way.
func small(t testing.TB) map[string][]byte {
	t.Helper()
	files := []file{{"dump.sql", rows(300, 1)}, {"manifest.json", []byte("{}")}, {"filestore/", nil}, {"filestore/aa/ü", noise(40, 2)}}
	var b bytes.Buffer
	w := newWriter(t, &b, Options{PieceSize: 100})
	sqlMember(t, w, files[0].text)
	for _, f := range files[1:] {
		add(t, w, f, false)
	}
	add(t, w, file{"pieces", rows(250, 3)}, false)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	wide := newOutput(&bytes.Buffer{})
	e := &entry{name: "a", known: true, wide: true}
	_ = wide.begin(e)
	wide.register(e)
	wide.members = none16 // to have the zip64 records
	if err := wide.finish("comment"); err != nil {
		t.Fatal(err)
	}
	zip64 := wide.sink.(*bytes.Buffer).Bytes()
	at := bytes.Index(zip64, []byte("PK\x06\x06"))
	binary.LittleEndian.PutUint64(zip64[at+24:], 1)
	binary.LittleEndian.PutUint64(zip64[at+32:], 1)
	return map[string][]byte{
		"known":  write(t, files, Options{}, true),
		"raw":    b.Bytes(),
		"zip64":  zip64,
		"empty":  write(t, nil, Options{}, true),
		"folder": craft(t, crafted{name: "x/"}, crafted{name: "x/dump.sql", text: rows(100, 1), method: Deflate}),
	}
}

// readBroken reads all of what may be damaged: anything but a format error is
// wrong.
func readBroken(t testing.TB, zip []byte) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(zip), int64(len(zip)), "")
	if err != nil {
		if !errors.Is(err, dumpfmt.ErrFormat) {
			t.Fatalf("not a format error: %v", err)
		}
		return
	}
	for i := range r.Members {
		m := &r.Members[i]
		if err := CheckName(m.Rel()); err != nil && m.Name() != dotDir && m.Kind != KindDirectory {
			t.Fatalf("%q: %v", m.Name(), err)
		}
		_ = m.Modified()
		src, err := r.Open(m)
		if err == nil {
			var n int64
			if n, err = io.Copy(io.Discard, src); n > m.Length || n > maxRatio*int64(len(zip)) {
				t.Fatalf("%d bytes of text, not %d", n, m.Length)
			}
			_ = src.Close()
		}
		if err != nil && !errors.Is(err, dumpfmt.ErrFormat) {
			t.Fatalf("not a format error: %v", err)
		}
	}
}

func TestReader_BrokenInput(t *testing.T) {
	for name, zip := range small(t) {
		t.Run(name, func(t *testing.T) {
			newReader(t, zip)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			tries := 0
			for n := range zip {
				_, err := NewReader(bytes.NewReader(zip[:n]), int64(n), "x.zip")
				checkFormat(t, err, "")
				tries++
			}
			for bit := range 8 * len(zip) {
				broken := bytes.Clone(zip)
				broken[bit/8] ^= 1 << (bit % 8)
				readBroken(t, broken)
				tries++
			}
			runtime.ReadMemStats(&after)
			if each := (after.TotalAlloc - before.TotalAlloc) / uint64(tries); each > 256<<10 {
				t.Errorf("%d bytes allocated for each try", each)
			}
		})
	}
}

// TestReader_BrokenData changes each byte of members' data: all must be found.
func TestReader_BrokenData(t *testing.T) {
	zip := small(t)["known"]
	r := newReader(t, zip)
	for i := range r.Members {
		m := &r.Members[i]
		raw, err := r.Raw(m)
		if err != nil {
			t.Fatal(err)
		}
		_, offset, size := raw.Outer()
		for at := offset; at < offset+size; at++ {
			broken := bytes.Clone(zip)
			broken[at] ^= 0x10
			b := newReader(t, broken)
			_, err := readMember(b, &b.Members[i])
			checkFormat(t, err, m.Name())
		}
	}
}

func TestReader_NotZip(t *testing.T) {
	tests := map[string]string{
		"":                            "not a zip",
		"x":                           "not a zip",
		"PGDMP and more of that kind": "not a zip",
		"PK\x03\x04 and nothing else": "cut short",
		"PK\x07\x08 and nothing else": "several disks",
		"PK\x05\x06" + strings.Repeat("\x00", 16) + "\x05\x00": "unexpected EOF",
	}
	for content, want := range tests {
		_, err := NewReader(strings.NewReader(content), int64(len(content)), "x.zip")
		checkFormat(t, err, want)
	}
	if _, err := NewReader(strings.NewReader("PK\x05\x06"+strings.Repeat("\x00", 18)), 22, ""); err != nil {
		t.Errorf("empty zip: %v", err)
	}
}
