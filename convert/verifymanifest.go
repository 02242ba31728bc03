package convert

import (
	"fmt"
	"sync"

	"odx/dumpfmt"
	"odx/dumpfmt/pgarchive"
)

// modules holds the manifest against the rows of ir_module_module.
type modules struct {
	manifest *dumpfmt.Manifest // nil if there is none that can be read

	mu        sync.Mutex
	read      bool // all rows of the table were
	installed map[string]pgarchive.NullString
	base      string // its latest_version
}

// readManifest reads manifest.json; data are nil if there is none.
func (m *modules) readManifest(v *verifier, data []byte) {
	if data == nil {
		return
	}
	manifest, err := dumpfmt.ParseManifest(data)
	if err != nil {
		v.found.add(badManifest, dumpfmt.ManifestFile, offsetOf(err), reason(err))
		return
	}
	m.manifest = &manifest
}

// row sees a row of ir_module_module.
func (m *modules) row(values []pgarchive.NullString) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.installed == nil {
		m.installed = map[string]pgarchive.NullString{}
	}
	name, state, version := values[0].String, values[1].String, values[2]
	if name == "base" {
		m.base = version.String
	}
	if state == "installed" {
		m.installed[name] = version
	}
}

func (m *modules) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.read = true
}

// compare says where manifest and rows differ.
func (m *modules) compare(v *verifier) {
	v.report.Modules = len(m.installed)
	if !m.read || m.manifest == nil || len(m.installed) == 0 && len(m.manifest.Modules) == 0 {
		return
	}
	odd := func(format string, args ...any) {
		v.found.add(oddManifest, dumpfmt.ManifestFile, place{}, fmt.Sprintf(format, args...))
	}
	left := make(map[string]bool, len(m.installed))
	for name := range m.installed {
		left[name] = true
	}
	for _, module := range m.manifest.Modules {
		version, ok := m.installed[module.Name]
		delete(left, module.Name)
		switch {
		case !ok:
			odd("module %s is not installed in the dump", module.Name)
		case dumpfmt.NullString(version) != module.Version:
			odd("module %s has version %q, and %q in the dump", module.Name, module.Version.String, version.String)
		}
	}
	for name := range left {
		odd("module %s is installed in the dump, and not in the manifest", name)
	}
	series, err := dumpfmt.ParseSeries(m.base)
	if err == nil && m.manifest.MajorVersion != "" && m.manifest.MajorVersion != series.String() {
		odd("Odoo %s, and the dump is of Odoo %s", m.manifest.MajorVersion, series)
	}
}
