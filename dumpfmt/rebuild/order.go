package rebuild

import (
	"strings"

	"odx/dumpfmt/pgarchive"
)

// object names what an ACL is about.
type object struct {
	class string
	key   key
}

// order gives the items in the order of a table of contents. A script has the
// ACLs near its end, an archive has each behind what it belongs to. The order
// among the ACLs, default ones included, stays.
func (b *builder) order() []*item {
	after := make(map[int][]*item) // by the index of the item before, -1 for none
	objects, last := b.objects(), -1
	for i, it := range b.items {
		switch it.entry.Desc {
		case "DEFAULT ACL":
			last = i
		case "ACL":
			if at := it.findObject(b, objects, last); at >= 0 {
				it.object = b.items[at]
				last = max(last, b.lastComment(at))
			}
			after[last] = append(after[last], it)
		}
	}
	items := make([]*item, 0, len(b.items))
	items = append(items, after[-1]...)
	for i, it := range b.items {
		if it.entry.Desc != "ACL" {
			items = append(append(items, it), after[i]...)
		}
	}
	return items
}

// lastComment gives the index of the last comment or label of the item at i.
func (b *builder) lastComment(i int) int {
	for i+1 < len(b.items) && isRemark(b.items[i+1].entry.Desc) {
		i++
	}
	return i
}

// isRemark tells whether entries of this kind stand behind what they are
// about.
func isRemark(desc string) bool { return desc == "COMMENT" || desc == "SECURITY LABEL" }

// objects gives the indices of the items that an ACL can be about.
func (b *builder) objects() map[object][]int {
	all := make(map[object][]int)
	for i, it := range b.items {
		if o := it.objectOf(); o.class != "" {
			all[o] = append(all[o], i)
		}
	}
	return all
}

// objectOf gives what ACLs call the item.
func (it *item) objectOf() object {
	k := it.subject.key()
	switch it.entry.Desc {
	case pgarchive.DescTable, descView, descMatView, descForeignTable:
		return object{"TABLE", k}
	case descSequence:
		return object{"SEQUENCE", k}
	case "FUNCTION", "PROCEDURE", "AGGREGATE":
		return object{"FUNCTION", k}
	case "TYPE", "DOMAIN":
		return object{"TYPE", k}
	case "SCHEMA":
		return object{"SCHEMA", key{name: it.entry.Tag}}
	case "PROCEDURAL LANGUAGE":
		return object{"LANGUAGE", k}
	case "FOREIGN DATA WRAPPER", "SERVER", "DATABASE":
		return object{it.entry.Desc, k}
	case pgarchive.DescBlob, pgarchive.DescBlobMetadata:
		return object{"LARGE OBJECT", key{name: it.entry.Tag}}
	}
	return object{}
}

// findObject gives the index of the item that an ACL is about, -1 if there is
// none: functions of the system have ACLs too. Of functions with one name it
// takes that with the arguments which the ACL's own name has, else, where names are
// in quotes, the first one behind the last ACL.
func (it *item) findObject(b *builder, objects map[object][]int, last int) int {
	candidates := objects[it.target(b)]
	for _, i := range candidates {
		if strings.HasSuffix(it.entry.Tag, " "+b.items[i].entry.Tag) {
			return i
		}
	}
	found := -1
	for _, i := range candidates {
		if found = i; i >= last {
			break
		}
	}
	return found
}

// target reads what an ACL is about.
func (it *item) target(b *builder) object {
	if tag, ok := strings.CutPrefix(it.entry.Tag, largeObjectsTag); ok {
		return object{"LARGE OBJECT", key{name: tag}}
	}
	c := newCursor(it.entry.Defn.String, b.isConforming())
	for c.ok && !c.isWord("GRANT") && !c.isWord("REVOKE") {
		c.next()
	}
	if !c.find("ON") {
		return object{}
	}
	switch {
	case c.option("TABLE"):
		return object{"TABLE", c.key()}
	case c.option("SEQUENCE"):
		return object{"SEQUENCE", c.key()}
	case c.option("FUNCTION", "PROCEDURE"):
		return object{"FUNCTION", c.key()}
	case c.option("TYPE"):
		return object{"TYPE", c.key()}
	case c.words("FOREIGN", "DATA"):
		c.next()
		return object{"FOREIGN DATA WRAPPER", c.global()}
	case c.words("SERVER"):
		return object{"SERVER", c.global()}
	case c.words("LARGE", "OBJECT"):
		return object{"LARGE OBJECT", key{name: string(c.token.Text)}}
	}
	class := string(c.token.Text) // SCHEMA, LANGUAGE, DATABASE
	c.next()
	return object{class, c.global()}
}

// key takes a name with its schema, the empty one if there is none.
func (c *cursor) key() key {
	k, ok := c.qualified()
	if !ok {
		return key{}
	}
	return k
}

// global takes a name without schema.
func (c *cursor) global() key {
	name, _ := c.name()
	return key{name: name}
}
