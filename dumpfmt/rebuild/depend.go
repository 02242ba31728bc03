package rebuild

import (
	"fmt"

	"odx/dumpfmt/pgarchive"
)

// depending gives items their dependencies. It sees them in the order of the
// table of contents, and all dependencies are on earlier ones, so that no
// circle arises.
type depending struct {
	b         *builder
	relations map[key]*item
	indexes   map[key]*item   // and constraints with one, by name
	unique    map[key][]*item // unique indexes and such constraints, by table
	attached  map[key][]*item // INDEX ATTACH, by the index attached to
	keys      map[key]*item   // the first foreign key to a table
	named     map[object]*item
	postponed map[key][]*item // what stands in post-data although it need not
	parents   map[key][]key   // tables that a table is a partition of or inherits from
	parts     map[part]*item  // triggers and rules
	position  map[*item]int   // of the items seen so far

	parent  *item // the last item that is no comment or ACL
	refresh *item // the last MATERIALIZED VIEW DATA

	left int // how many more dependencies may be looked at
}

// maxDepending and maxOwn bound the memory and work on the dependencies of a
// script, in all and beyond that for each item. Of these, maxForKeys are for
// foreign keys: each to a table of many partitions depends on the indexes of all.
const (
	maxDepending = 1 << 22
	maxOwn       = 8
	maxForKeys   = maxDepending / 2
)

// part names a trigger or rule of a table.
type part struct {
	on  key
	own string
}

// depend gives all items their dependencies.
func (b *builder) depend(items []*item) error {
	d := &depending{
		b:         b,
		relations: make(map[key]*item),
		indexes:   make(map[key]*item),
		unique:    make(map[key][]*item),
		attached:  make(map[key][]*item),
		keys:      make(map[key]*item),
		named:     make(map[object]*item),
		postponed: make(map[key][]*item),
		parents:   make(map[key][]key),
		parts:     make(map[part]*item),
		position:  make(map[*item]int, len(items)),
		left:      maxDepending + maxOwn*len(items),
	}
	for i, it := range items {
		d.position[it] = i
		d.find(it)
		d.remember(it)
		if d.left < 0 {
			return b.failAt(it, fmt.Errorf("%d items depend on one another in more than %d ways", len(items), maxDepending))
		}
	}
	return nil
}

// add makes an item depend on others, each once.
func (d *depending) add(it *item, others ...*item) {
	if d.left -= len(others); d.left < 0 {
		return
	}
	for _, o := range others {
		if o == nil || o == it || it.dependsOn[o.entry.ID] {
			continue
		}
		if it.dependsOn == nil {
			it.dependsOn = make(map[pgarchive.DumpID]bool)
		}
		it.dependsOn[o.entry.ID] = true
		it.entry.Dependencies = append(it.entry.Dependencies, o.entry.ID)
	}
}

// find finds what an item must wait for.
func (d *depending) find(it *item) {
	s := &it.subject
	switch it.entry.Desc {
	case "COMMENT", "SECURITY LABEL":
		d.add(it, d.commented(it))
	case "ACL":
		d.add(it, it.object)
	case pgarchive.DescTable, descForeignTable:
		for _, p := range s.parents {
			d.add(it, d.relations[p])
		}
	case pgarchive.DescTableAttach:
		d.add(it, d.relations[s.key()], d.relations[s.to])
	case pgarchive.DescTableData, "SEQUENCE SET", "SEQUENCE OWNED BY", descMatViewData:
		d.add(it, d.relations[s.key()])
	case "TRIGGER", "RULE":
		d.add(it, d.relations[s.on])
		if s.isSwitch {
			d.addInherited(it, s.on)
		}
	case "DEFAULT", descSequence, "STATISTICS", "POLICY", "ROW SECURITY":
		d.add(it, d.relations[s.on])
	case "CHECK CONSTRAINT", descConstraint:
		d.add(it, d.relations[s.on])
		if s.isDomain {
			d.add(it, d.named[object{"TYPE", s.on}])
		}
	case descIndex:
		d.add(it, d.relations[s.on])
	case pgarchive.DescIndexAttach:
		d.findIndexAttach(it)
	case "FK CONSTRAINT":
		d.findForeignKey(it)
	case "PUBLICATION TABLE":
		d.add(it, d.named[object{"PUBLICATION", key{name: s.own}}], d.relations[s.on])
	case "PUBLICATION TABLES IN SCHEMA":
		d.add(it, d.named[object{"PUBLICATION", key{name: s.own}}], d.named[object{"SCHEMA", s.to}])
	case pgarchive.DescBlobs:
		d.add(it, d.named[object{"LARGE OBJECT", key{name: it.entry.Tag}}])
	case descStatistics:
		d.findStatistics(it)
	}
	if it.entry.Section == pgarchive.SectionPostData {
		d.findNamed(it)
	}
	if it.entry.Desc == descMatViewData {
		d.add(it, d.refresh)
		d.refresh = it
	}
}

// commented gives what a comment or label is about: what stands before it, or
// the constraint of whose index it speaks.
func (d *depending) commented(it *item) *item {
	c := newCursor(it.entry.Defn.String, d.b.isConforming())
	if c.words("COMMENT", "ON", "INDEX") {
		if index := d.indexes[c.key()]; index != nil {
			return index
		}
	}
	return d.parent
}

// addInherited makes what switches a trigger on or off wait for the trigger of
// the partitioned table, which makes that of the partition.
func (d *depending) addInherited(it *item, table key) {
	walk(table, d.parents, func(parent key) key {
		d.add(it, d.parts[part{parent, it.subject.own}])
		return parent
	})
}

// walk goes from a key to all that a map leads to, in the order of a search in
// depth, and goes on from the key that visit gives for each. A script may have
// circles, and many ways to one key: each is gone on from once.
func walk[T any](from key, next map[key][]T, visit func(T) key) {
	seen := map[key]bool{from: true}
	for open := [][]T{next[from]}; len(open) > 0; {
		last := &open[len(open)-1]
		if len(*last) == 0 {
			open = open[:len(open)-1]
			continue
		}
		one := (*last)[0]
		*last = (*last)[1:]
		if k := visit(one); !seen[k] {
			seen[k] = true
			open = append(open, next[k])
		}
	}
}

// findIndexAttach makes the index of a partition, too, wait for that of the
// partitioned table, as pg_dump does.
func (d *depending) findIndexAttach(it *item) {
	child, parent := d.indexes[it.subject.key()], d.indexes[it.subject.to]
	d.add(it, parent, child)
	if child != nil && parent != nil && d.position[parent] < d.position[child] {
		d.add(child, parent)
	}
	for _, index := range []*item{child, parent} {
		if index != nil {
			d.add(it, d.relations[index.subject.on])
		}
	}
}

// findForeignKey makes a foreign key wait for both tables and for the unique
// indexes of the referenced one, with those of its partitions. Beyond maxForKeys it
// waits for the first one to that table instead, which has waited for them.
func (d *depending) findForeignKey(it *item) {
	s := &it.subject
	d.add(it, d.relations[s.on], d.relations[s.to])
	switch first := d.keys[s.to]; {
	case first == nil:
		d.keys[s.to] = it
	case d.left < maxDepending-maxForKeys:
		d.add(it, first)
		return
	}
	for _, index := range d.unique[s.to] {
		if d.add(it, index); d.left < 0 {
			return
		}
		d.addAttached(it, index.indexName())
	}
}

// indexName gives the name of an index, or of a constraint's.
func (it *item) indexName() key { return key{it.subject.schema, it.subject.own} }

// addAttached makes an item wait for what is attached to an index, on all levels.
func (d *depending) addAttached(it *item, index key) {
	walk(index, d.attached, func(a *item) key {
		d.add(it, a)
		return a.subject.key()
	})
}

func (d *depending) findStatistics(it *item) {
	k := key{it.entry.Namespace.String, it.entry.Tag}
	if r := d.relations[k]; r != nil {
		d.add(it, r)
		if r.entry.Desc == descMatView {
			d.add(it, d.refresh)
		}
		return
	}
	d.add(it, d.indexes[k])
}

// findNamed makes an item wait for what it names: for all that pg_dump put off;
// if it is a rule or the like, for relations, because it locks them and
// pg_restore must not run two together that lock each other's; and if it was
// itself put off, for the primary keys of its tables, because that is why.
func (d *depending) findNamed(it *item) {
	isPostponed := it.isPostponed()
	locks := isPostponed || locksNamed[it.entry.Desc]
	if len(d.postponed) == 0 && !locks {
		return
	}
	for _, k := range mentions(it.entry.Defn.String, d.b.isConforming()) {
		d.add(it, d.postponed[k]...)
		if locks {
			d.add(it, d.relations[k])
		}
		if isPostponed {
			d.add(it, d.unique[k]...)
		}
	}
}

// locksNamed are the kinds of items whose definition can name more relations
// than the one that they belong to.
var locksNamed = map[string]bool{"POLICY": true, "RULE": true, "TRIGGER": true}

// isPostponed tells whether pg_dump moved the item behind the data.
func (it *item) isPostponed() bool {
	e := &it.entry
	k, isKnown := kinds[e.Desc]
	switch {
	case e.Section != pgarchive.SectionPostData, e.Desc == descStatistics:
		return false
	case it.subject.isReturn:
		return true
	}
	return isKnown && !k.isPost
}

// remember keeps what later items may depend on.
func (d *depending) remember(it *item) {
	s := &it.subject
	if o := it.objectOf(); o.class != "" {
		d.named[o] = it
	}
	switch it.entry.Desc {
	case pgarchive.DescTable, descForeignTable, descView, descMatView, descSequence:
		d.relations[s.key()] = it
		d.parents[s.key()] = s.parents
	case descIndex, descConstraint:
		if it.entry.Desc == descIndex || s.hasIndex {
			d.indexes[it.indexName()] = it
		}
		if s.isUnique {
			d.unique[s.on] = append(d.unique[s.on], it)
		}
	case pgarchive.DescIndexAttach:
		d.attached[s.to] = append(d.attached[s.to], it)
	case pgarchive.DescTableAttach:
		d.parents[s.key()] = append(d.parents[s.key()], s.to)
	case "TRIGGER", "RULE":
		d.parts[part{s.on, s.own}] = it
	case "PUBLICATION":
		d.named[object{"PUBLICATION", s.key()}] = it
	}
	if it.isPostponed() {
		k := s.key()
		if s.isReturn {
			k = s.on
		}
		d.postponed[k] = append(d.postponed[k], it)
	}
	if it.entry.Desc != "ACL" && !isRemark(it.entry.Desc) {
		d.parent = it
	}
}
