package dumpfmt

import (
	"fmt"
	"strconv"
	"strings"
)

// Series is a release series of Odoo: "19.0", or one of those between the
// yearly releases, "saas~18.2" (up to Odoo 10 written "9.saas~14"). The zero
// value is an unknown series.
type Series struct {
	parts [2]string
}

// saasPrefix marks the series that only Odoo's own hosting runs.
const saasPrefix = "saas~"

// ParseSeries finds the series in a version of the module base as
// ir_module_module.latest_version holds it, or in a manifest's major_version:
// the first two parts, so "19.0.1.3" gives "19.0" and "saas~18.2.1.3" gives
// "saas~18.2". Odoo puts its series before the version of each module.
func ParseSeries(version string) (Series, error) {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 || !isSeriesPart(parts[0]) || !isSeriesPart(parts[1]) {
		return Series{}, fmt.Errorf("version %q of Odoo has no series", version)
	}
	return Series{[2]string{parts[0], parts[1]}}, nil
}

func isSeriesPart(s string) bool {
	_, err := strconv.ParseUint(strings.TrimPrefix(s, saasPrefix), 10, 16)
	return err == nil
}

// String is the series as Odoo writes it, "" if unknown.
func (s Series) String() string {
	if !s.Known() {
		return ""
	}
	return s.parts[0] + "." + s.parts[1]
}

// Known reports whether s is a series at all.
func (s Series) Known() bool { return s.parts[0] != "" }

// Major is the number of the yearly release that the series is or follows: 19
// for "19.0", 18 for "saas~18.2", 9 for "9.saas~14", 0 if unknown.
func (s Series) Major() int {
	n, err := strconv.Atoi(strings.TrimPrefix(s.parts[0], saasPrefix))
	if err != nil {
		return 0
	}
	return n
}

// SaaS reports whether the series lies between two yearly releases, and so has
// some of the next one's traits.
func (s Series) SaaS() bool {
	return strings.HasPrefix(s.parts[0], saasPrefix) || strings.HasPrefix(s.parts[1], saasPrefix)
}

// VersionInfo is odoo.release.version_info of a final release of the series:
// [19, 0, 0, "final", 0, ""], or ["saas~18", 2, 0, "final", 0, ""]. It is
// nil for an unknown series.
func (s Series) VersionInfo() []VersionPart {
	if !s.Known() {
		return nil
	}
	return []VersionPart{
		seriesPart(s.parts[0]), seriesPart(s.parts[1]), {},
		{Text: "final", IsText: true}, {}, {IsText: true},
	}
}

func seriesPart(s string) VersionPart {
	if n, err := strconv.Atoi(s); err == nil {
		return VersionPart{Number: n}
	}
	return VersionPart{Text: s, IsText: true}
}
