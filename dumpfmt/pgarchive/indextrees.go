package pgarchive

import "strings"

// indexTrees knows which index is attached to which, as INDEX ATTACH entries
// name them in SQL, and the last of these entries so far in each tree.
//
// An index of a partitioned table is valid when all that it needs are attached
// to it and valid. The server finds out when one is attached, and hands it on to
// the index above if that one is attached already. There it locks the index
// above for the moment only, not until its transaction ends. Another index
// attached to that one in the meantime does not see the first as valid yet,
// and neither of the two makes the one above valid: it never is, and foreign
// keys that need it fail. So the entries of a tree run one after another.
type indexTrees struct {
	above map[string]string
	last  map[string]DumpID // by the topmost index
}

func findIndexTrees(t *TOC) *indexTrees {
	trees := &indexTrees{above: make(map[string]string), last: make(map[string]DumpID)}
	for i := range t.Entries {
		if e := &t.Entries[i]; e.Desc == "INDEX ATTACH" {
			if parent, child, ok := attachedIndex(e.Defn.String); ok {
				trees.above[child] = parent
			}
		}
	}
	return trees
}

// wait makes an INDEX ATTACH entry wait for the one before it in the tree.
func (x *indexTrees) wait(e *Entry) {
	top, _, ok := attachedIndex(e.Defn.String)
	if !ok {
		return
	}
	// No tree is deeper than it has indexes: a file that says otherwise ends.
	for range x.above {
		above, ok := x.above[top]
		if !ok {
			break
		}
		top = above
	}
	e.waitFor(x.last[top])
	x.last[top] = e.ID
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

// cutName cuts the name of an object from the front of SQL text, as it is
// written there, with the schema if it is qualified.
func cutName(s string) (name, rest string, err error) {
	_, rest, err = cutIdentifier(s)
	if qualified, ok := strings.CutPrefix(rest, "."); err == nil && ok {
		_, rest, err = cutIdentifier(qualified)
	}
	if err != nil {
		return "", "", err
	}
	return s[:len(s)-len(rest)], rest, nil
}
