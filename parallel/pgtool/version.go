package pgtool

import (
	"fmt"
	"regexp"
	"strconv"
)

// Version is the version of a program as it names it.
type Version struct {
	Major int    // 15 of 15.18; 9 of 9.6.24
	Minor int    // 18 of 15.18; 6 of 9.6.24; 0 of 18beta1 and 19devel
	Text  string // as printed: "15.18 (Debian 15.18-0+deb12u1)"
}

// String returns the version as the program prints it.
func (v Version) String() string { return v.Text }

// versionLine matches "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)".
var versionLine = regexp.MustCompile(`^\S+ \([^)]*\) ((\d+)(?:\.(\d+))?.*)`)

// parseVersion reads the first line of what `TOOL --version` prints.
func parseVersion(line string) (Version, error) {
	m := versionLine.FindStringSubmatch(line)
	if m == nil {
		return Version{}, fmt.Errorf("no version of PostgreSQL in %.100q", line)
	}
	v := Version{Text: m[1]}
	var err error
	if v.Major, err = strconv.Atoi(m[2]); err != nil {
		return Version{}, fmt.Errorf("read version %.100q: %w", line, err)
	}
	if m[3] == "" {
		return v, nil
	}
	if v.Minor, err = strconv.Atoi(m[3]); err != nil {
		return Version{}, fmt.Errorf("read version %.100q: %w", line, err)
	}
	return v, nil
}
