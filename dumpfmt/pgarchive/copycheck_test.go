package pgarchive

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestCopyCheck_Long gives rows that are longer than what is held of one, in
// writes of any length: escapes, characters and NULLs come apart there.
func TestCopyCheck_Long(t *testing.T) {
	const stmt = "COPY public.t (a, b, c) FROM stdin;\n"
	r := rand.New(rand.NewPCG(5, 6))
	parts := []string{`\\`, `\n`, `\t`, "é", "🍳", "x", "表", `\\N`, "0123456789"}
	long := func(n int) string {
		var b strings.Builder
		for b.Len() < n {
			b.WriteString(parts[r.IntN(len(parts))])
		}
		return b.String()
	}
	for round := range 60 {
		size := longPart + r.IntN(2000) - 1000
		rows := []string{long(size) + "\t\\N\tlast", "\\N\t" + long(3*size) + "\t\\N", "1\t2\t" + long(size), long(10) + "\t\t"}
		text := strings.Join(rows, "\n") + "\n\\.\n\n\n"
		var faults []CopyFault
		var last []string
		c, err := NewCopyCheck(stmt, CopyCheckOptions{UTF8: true, Wrong: func(f CopyFault) { faults = append(faults, f) },
			Pick: []string{"c", "none"}, Row: func(v []NullString) { last = append(last, v[0].String[:min(4, len(v[0].String))]) }})
		if err != nil {
			t.Fatal(err)
		}
		for left := text; left != ""; {
			n := min(1+r.IntN(1<<(11+round%8)), len(left))
			if _, err := c.Write([]byte(left[:n])); err != nil {
				t.Fatal(err)
			}
			left = left[n:]
		}
		if len(faults) > 0 || c.Rows() != 4 || !slices.Equal(last[:2], []string{"last", ""}) {
			t.Fatalf("round %d: faults %v, %d rows, values %q", round, faults, c.Rows(), last)
		}
	}
}
