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
	above  map[string]attachment // what an index is attached to
	below  map[string][]DumpID   // INDEX ATTACH entries of what is attached to an index
	hasTop map[string]bool       // what is known of hasTopAbove
}

// attachment is how an index is attached to another.
type attachment struct {
	parent string
	entry  DumpID
}

func findIndexTrees(t *TOC) *indexTrees {
	x := &indexTrees{
		above:  make(map[string]attachment),
		below:  make(map[string][]DumpID),
		hasTop: make(map[string]bool),
	}
	for i := range t.Entries {
		if e := &t.Entries[i]; e.Desc == DescIndexAttach {
			parent, child, ok := attachedIndex(e.Defn.String)
			if _, again := x.above[child]; !ok || again {
				continue // an index is attached once
			}
			x.above[child] = attachment{parent, e.ID}
			x.below[parent] = append(x.below[parent], e.ID)
		}
	}
	return x
}

// before gives the INDEX ATTACH entries that another has to wait for.
func (x *indexTrees) before(e *Entry) []DumpID {
	_, child, ok := attachedIndex(e.Defn.String)
	if !ok || x.above[child].entry != e.ID || !x.hasTopAbove(child) {
		return nil
	}
	return x.below[child]
}

// hasTopAbove tells whether the way up from an index ends. A file may say that
// it is a circle.
func (x *indexTrees) hasTopAbove(index string) bool {
	var way []string
	for {
		has, known := x.hasTop[index]
		if !known {
			up, ok := x.above[index]
			if ok {
				x.hasTop[index] = false // until the top is found
				way = append(way, index)
				index = up.parent
				continue
			}
			has = true
		}
		for _, on := range way {
			x.hasTop[on] = has
		}
		return has
	}
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
