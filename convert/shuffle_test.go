package convert

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"odx/dumpfmt/pgarchive"
)

// rewriteTOC changes an archive's table of contents.
func rewriteTOC(t *testing.T, dir string, change func(*pgarchive.TOC)) {
	t.Helper()
	toc := openPath(t, dir).TOC
	change(toc)
	var b bytes.Buffer
	if err := pgarchive.WriteTOC(&b, toc); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "toc.dat"), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// shuffle gives the entries other dump IDs, by which pg_restore -j chooses what
// to start first, and lets half of what it makes in parallel take a while, so
// that a dependency that is missing shows.
func shuffle(toc *pgarchive.TOC, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	order := rng.Perm(len(toc.Entries))
	ids := make(map[pgarchive.DumpID]pgarchive.DumpID)
	for i := range toc.Entries {
		ids[toc.Entries[i].ID] = pgarchive.DumpID(order[i] + 1)
	}
	for i := range toc.Entries {
		e := &toc.Entries[i]
		e.ID = ids[e.ID]
		kept := e.Dependencies[:0]
		for _, id := range e.Dependencies {
			if ids[id] > 0 { // pg_dump names some that are not in the archive
				kept = append(kept, ids[id])
			}
		}
		e.Dependencies = kept
		if maySleep(e) && rng.IntN(2) == 0 {
			e.Defn.String = fmt.Sprintf("SELECT pg_catalog.pg_sleep(%.3f);\n", rng.Float64()*0.06) + e.Defn.String
		}
	}
}

// maySleep tells whether an entry is SQL that workers run, in a transaction and
// as it stands.
func maySleep(e *pgarchive.Entry) bool {
	if e.Section == pgarchive.SectionPreData || !e.Defn.Valid || e.HadDumper {
		return false
	}
	return e.Desc != pgarchive.DescBlobMetadata && e.Desc != "SUBSCRIPTION" &&
		!strings.HasPrefix(e.Tag, "DATABASE ") && !strings.HasPrefix(e.Tag, "LARGE OBJECTS")
}
