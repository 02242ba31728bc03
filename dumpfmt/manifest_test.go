package dumpfmt

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"odx/dumpfmt/fuzzing"
)

// realManifest is the manifest.json of a backup made by Odoo 19 itself.
func realManifest(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/odoo19-manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestManifest_RealFileIsReproduced(t *testing.T) {
	want := realManifest(t)
	parsed, err := ParseManifest(want)
	if err != nil {
		t.Fatal(err)
	}
	if got := parsed.Encode(); !bytes.Equal(got, want) {
		t.Errorf("parsed and encoded:\n%s\nwant:\n%s", got, want)
	}

	// The same from what a database gives: only the modules are taken over.
	var base string
	for _, m := range parsed.Modules {
		if m.Name == "base" {
			base = m.Version.String
		}
	}
	series, err := ParseSeries(base)
	if err != nil {
		t.Fatal(err)
	}
	if got := NewManifest("o19", series, 170012, parsed.Modules).Encode(); !bytes.Equal(got, want) {
		t.Errorf("built and encoded:\n%s\nwant:\n%s", got, want)
	}
}

// pythonEncode has python3 build and write the dictionary as Odoo does.
func pythonEncode(t *testing.T, m Manifest) []byte {
	t.Helper()
	input := map[string]any{
		"head": []any{m.DBName, m.Version, m.MajorVersion, m.PGVersion},
	}
	info := []any{}
	for _, p := range m.VersionInfo {
		if p.IsText {
			info = append(info, p.Text)
		} else {
			info = append(info, p.Number)
		}
	}
	modules := [][2]any{}
	for _, mod := range m.Modules {
		var version any
		if mod.Version.Valid {
			version = mod.Version.String
		}
		modules = append(modules, [2]any{mod.Name, version})
	}
	input["info"], input["modules"] = info, modules
	data, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "python3", "-c", `
import json, sys
d = json.load(sys.stdin)
h = d['head']
json.dump({'odoo_dump': '1', 'db_name': h[0], 'version': h[1],
           'version_info': tuple(d['info']), 'major_version': h[2],
           'pg_version': h[3], 'modules': dict(d['modules'])},
          sys.stdout, indent=4)
`)
	cmd.Stdin = bytes.NewReader(data)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestManifest_EncodesAsPython(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not installed")
	}
	var all strings.Builder // every character up to the end of Latin-1, then odd ones
	for r := rune(0); r < 0x180; r++ {
		all.WriteRune(r)
	}
	all.WriteString("\u2028\u2029\ud7ff\ue000\ufffd\ufeff\uffff\U00010000\U0001f600\U0010ffff")
	manifests := []Manifest{
		{},
		{DBName: all.String(), Version: `a"\/b`, VersionInfo: []VersionPart{{Number: -7}}, MajorVersion: "é", PGVersion: "\x7f"},
		{VersionInfo: []VersionPart{{Text: "saas~18", IsText: true}, {Number: 2}}},
		{Modules: []Module{{Name: "base"}}},
		{Modules: []Module{{Name: "", Version: NullString{Valid: true}}, {Name: "\"", Version: NullString{"\n", true}}}},
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		manifests = append(manifests, randomManifest(rng))
	}
	for _, m := range manifests {
		if got, want := m.Encode(), pythonEncode(t, m); !bytes.Equal(got, want) {
			t.Errorf("%+v: encoded as\n%s\nwant\n%s", m, got, want)
		}
	}
}

func randomManifest(rng *rand.Rand) Manifest {
	text := func() string {
		var b strings.Builder
		for range rng.IntN(30) {
			limit := []int32{0x20, 0x80, 0x800, 0x10000, 0x110000}[rng.IntN(5)]
			r := rng.Int32N(limit)
			if r >= 0xd800 && r < 0xe000 {
				r = 'x' // a surrogate is no character of its own
			}
			b.WriteRune(r)
		}
		return b.String()
	}
	m := Manifest{DBName: text(), Version: text(), MajorVersion: text(), PGVersion: text()}
	for range rng.IntN(4) {
		m.VersionInfo = append(m.VersionInfo, VersionPart{Number: rng.IntN(1 << 20)}, VersionPart{Text: text(), IsText: true})
	}
	seen := map[string]bool{}
	for range rng.IntN(20) {
		mod := Module{Name: text()}
		if rng.IntN(3) > 0 {
			mod.Version = NullString{text(), true}
		}
		if !seen[mod.Name] {
			m.Modules = append(m.Modules, mod)
		}
		seen[mod.Name] = true
	}
	return m
}

func TestManifest_UndecodableBytes(t *testing.T) {
	got := string(Manifest{DBName: "a\xffb\xc3"}.Encode())
	if want := `"db_name": "a\udcffb\udcc3"`; !strings.Contains(got, want) {
		t.Errorf("encoded as %s, want %s in it", got, want)
	}
}

func TestParseManifest_Foreign(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       Manifest
	}{
		{"empty object", `{}`, Manifest{}},
		{"unknown keys, any order", "\n{\"x\": [1, {}], \"pg_version\":\"9.6\", \"db_name\":\"d\", \"DB_NAME\": 3}\n",
			Manifest{DBName: "d", PGVersion: "9.6"}},
		{"null members", `{"db_name": null, "modules": null, "version_info": null}`, Manifest{}},
		{"modules in order, a name twice", `{"modules": {"b": "1", "a": null, "b": "2"}}`,
			Manifest{Modules: []Module{{Name: "b", Version: NullString{"2", true}}, {Name: "a"}}}},
		{"escapes", `{"db_name": "\u00e9\ud83d\ude00"}`, Manifest{DBName: "é😀"}},
		{"saas", `{"version_info": ["saas~18", 2]}`,
			Manifest{VersionInfo: []VersionPart{{Text: "saas~18", IsText: true}, {Number: 2}}}},
	} {
		got, err := ParseManifest([]byte(tt.text))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestParseManifest_Wrong(t *testing.T) {
	for text, want := range map[string]string{
		``:                             "manifest.json: JSON (offset 0): unexpected end of JSON input",
		`{"db_name": "x"`:              "manifest.json: JSON (offset 15): unexpected end of JSON input",
		`null`:                         "manifest.json: null instead of an object",
		`["db_name"]`:                  "manifest.json: unexpected JSON array",
		`{"db_name": 3}`:               "manifest.json: db_name: unexpected JSON number",
		`{"version_info": "19"}`:       "manifest.json: version_info: unexpected JSON string",
		`{"version_info": [1.5]}`:      "manifest.json: version_info: unexpected JSON number 1.5",
		`{"modules": ["a"]}`:           "manifest.json: modules: not an object",
		`{"modules": {"a": {"b": 1}}}`: `manifest.json: modules: version of "a" is not a text`,
	} {
		_, err := ParseManifest([]byte(text))
		var format *FormatError
		if !errors.As(err, &format) || !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, want a FormatError", text, err)
		} else if err.Error() != want {
			t.Errorf("%s: %q, want %q", text, err, want)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	data, err := os.ReadFile("testdata/odoo19-manifest.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"modules": {"b": "1", "a": null, "b": "2"}, "version_info": [1, "x"]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		defer fuzzing.Bounded(t, len(data))()
		m, err := ParseManifest(data)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("%v does not match ErrFormat", err)
			}
			return
		}
		again, err := ParseManifest(m.Encode())
		if err != nil {
			t.Fatalf("what was encoded is not read: %v", err)
		}
		if !bytes.Equal(again.Encode(), m.Encode()) {
			t.Errorf("%+v became %+v", m, again)
		}
	})
}

func TestPGVersion(t *testing.T) {
	for num, want := range map[int]string{
		90624: "9.6", 100000: "10.0", 100023: "10.0", 150020: "15.0", 170012: "17.0", 180006: "18.0",
	} {
		if got := PGVersion(num); got != want {
			t.Errorf("PGVersion(%d) = %q, want %q", num, got, want)
		}
	}
}

func TestParseSeries(t *testing.T) {
	for _, tt := range []struct {
		version, series, info string
		major                 int
	}{
		{"19.0.1.3", "19.0", `19,0,0,"final",0,""`, 19},
		{"16.0", "16.0", `16,0,0,"final",0,""`, 16},
		{"8.0.1.3", "8.0", `8,0,0,"final",0,""`, 8},
		{"saas~18.2.1.0", "saas~18.2", `"saas~18",2,0,"final",0,""`, 18},
		{"9.saas~14.1.3", "9.saas~14", `9,"saas~14",0,"final",0,""`, 9},
	} {
		s, err := ParseSeries(tt.version)
		if err != nil {
			t.Errorf("%s: %v", tt.version, err)
			continue
		}
		if s.String() != tt.series || s.Major() != tt.major || !s.Known() {
			t.Errorf("%s: series %s, major %d, want %s, %d", tt.version, s, s.Major(), tt.series, tt.major)
		}
		var info []string
		for _, p := range s.VersionInfo() {
			info = append(info, string(p.appendJSON(nil)))
		}
		if saas := strings.Contains(tt.version, "saas"); s.SaaS() != saas {
			t.Errorf("%s: between two releases: %t, want %t", tt.version, s.SaaS(), saas)
		}
		if got := strings.Join(info, ","); got != tt.info {
			t.Errorf("%s: version_info %s, want %s", tt.version, got, tt.info)
		}
	}
	for _, version := range []string{"", "19", "1", "x.y", "19.x", ".", "19.", "-1.0", "saas~.1"} {
		if s, err := ParseSeries(version); err == nil || s.Known() || s.String() != "" || s.Major() != 0 || s.VersionInfo() != nil {
			t.Errorf("%q: series %q, error %v, want none", version, s, err)
		}
	}
}

// FuzzParseSeries: a series is read again from what it writes of itself.
func FuzzParseSeries(f *testing.F) {
	for _, version := range []string{"19.0.1.3", "saas~18.2.1.0", "9.saas~14", "1.", "0.0"} {
		f.Add(version)
	}
	f.Fuzz(func(t *testing.T, version string) {
		defer fuzzing.Bounded(t, len(version))()
		s, err := ParseSeries(version)
		if err != nil {
			return
		}
		again, err := ParseSeries(s.String())
		if err != nil || again != s || !s.Known() || len(s.VersionInfo()) != 6 {
			t.Errorf("%q: %+v became %+v, %v", version, s, again, err)
		}
	})
}
