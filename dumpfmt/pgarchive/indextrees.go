package pgarchive

import "strings"

// indexTrees says which indexes of partitioned tables are attached to which, as
// INDEX ATTACH entries name them in SQL.
//
// An index of a partitioned table is valid when all that it needs are attached
// to it and valid. The server finds out when one is attached, and hands it on to
// the index above if that one is attached already. There it locks the index
// above for the moment only, not until its transaction ends. Another index
// attached to that one in the meantime does not see the first as valid yet,
// and neither of the two makes the one above valid: it never is, and foreign
// keys that need it fail. So what is attached to an index comes first, and it is
// attached when it is valid.
type indexTrees struct {
	above map[string]string   // what an index is attached to
	below map[string][]DumpID // INDEX ATTACH entries of what is attached to an index
}

func findIndexTrees(t *TOC) *indexTrees {
	x := &indexTrees{above: make(map[string]string), below: make(map[string][]DumpID)}
	for i := range t.Entries {
		if e := &t.Entries[i]; e.Desc == DescIndexAttach {
			if parent, child, ok := attachedIndex(e.Defn.String); ok {
				x.above[child] = parent
				x.below[parent] = append(x.below[parent], e.ID)
			}
		}
	}
	return x
}

// before gives the INDEX ATTACH entries that another has to wait for.
func (x *indexTrees) before(e *Entry) []DumpID {
	index, child, ok := attachedIndex(e.Defn.String)
	// No tree is deeper than it has indexes. A file may say that it is a circle.
	for range x.above {
		if !ok || index == child {
			return nil
		}
		if index, ok = x.above[index]; !ok {
			return x.below[child]
		}
	}
	return nil
}

// attachedIndex takes both names from ALTER INDEX parent ATTACH PARTITION child.
func attachedIndex(defn string) (parent, child string, ok bool) {
	text, isAlter := strings.CutPrefix(defn, "ALTER INDEX ")
	parent, rest, err := cutName(text)
	if !isAlter || err != nil {
		return "", "", false
	}
	text, isAttach := strings.CutPrefix(rest, " ATTACH PARTITION ")
	child, rest, err = cutName(text)
	return parent, child, isAttach && err == nil && strings.HasPrefix(rest, ";")
}
