package pgtool

import (
	"maps"
	"runtime"
	"slices"
	"strings"
)

// ChildEnv returns the environment of a child: base without the variables
// named in unset, with those of set, and in the C locale, because what the
// programs say is read. LANGUAGE would translate messages all the same and
// PG_COLOR would put colours into them, so both are left out. Base is not
// changed. A variable that is in both set and unset is set.
func ChildEnv(base []string, set map[string]string, unset ...string) []string {
	drop := append([]string{"LC_ALL", "LANGUAGE", "PG_COLOR", "PG_COLORS"}, unset...)
	drop = slices.AppendSeq(drop, maps.Keys(set))
	env := make([]string, 0, len(base)+len(set)+1)
	for _, kv := range base {
		name, _, _ := strings.Cut(kv, "=")
		if !slices.ContainsFunc(drop, func(d string) bool { return sameVariable(d, name) }) {
			env = append(env, kv)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if !sameVariable(name, "LC_ALL") {
			env = append(env, name+"="+set[name])
		}
	}
	return append(env, "LC_ALL=C")
}

// sameVariable compares names of variables as the system does.
func sameVariable(a, b string) bool {
	if runtime.GOOS == "windows" {
		return strings.EqualFold(a, b)
	}
	return a == b
}

// WithoutServer leaves out of an environment what tells libpq of the user's own
// server, passwords among it.
func WithoutServer(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(kv string) bool { return strings.HasPrefix(kv, "PG") })
}
