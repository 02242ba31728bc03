package rebuild

import "odx/dumpfmt/pgarchive"

// depending gives items their dependencies. It sees them in the order of the
// table of contents, and all dependencies are on earlier ones, so that no
// circle arises.
type depending struct {
	b         *builder
	relations map[key]*item
	indexes   map[key]*item   // and constraints with one, by name
	unique    map[key][]*item // unique indexes and such constraints, by table
	attached  map[key][]*item // INDEX ATTACH, by the index attached to
	named     map[object]*item
	postponed map[key][]*item // what stands in post-data although it need not
	parents   map[key][]key   // tables that a table is a partition of or inherits from
	parts     map[part]*item  // triggers and rules
	position  map[*item]int   // of the items seen so far

	parent  *item // the last item that is no comment or ACL
	refresh *item // the last MATERIALIZED VIEW DATA
}

// part names a trigger or rule of a table.
type part struct {
	on  key
	own string
}

// depend gives all items their dependencies.
func (b *builder) depend(items []*item) {
	d := &depending{
		b:         b,
		relations: make(map[key]*item),
		indexes:   make(map[key]*item),
		unique:    make(map[key][]*item),
		attached:  make(map[key][]*item),
		named:     make(map[object]*item),
		postponed: make(map[key][]*item),
		parents:   make(map[key][]key),
		parts:     make(map[part]*item),
		position:  make(map[*item]int, len(items)),
	}
	for i, it := range items {
		d.position[it] = i
		d.find(it)
		d.remember(it)
	}
}

// add makes it depend on others, each once.
func (it *item) add(others ...*item) {
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
		it.add(d.commented(it))
	case "ACL":
		it.add(it.object)
	case pgarchive.DescTable, descForeignTable:
		for _, p := range s.parents {
			it.add(d.relations[p])
		}
	case pgarchive.DescTableAttach:
		it.add(d.relations[s.key()], d.relations[s.to])
	case pgarchive.DescTableData, "SEQUENCE SET", "SEQUENCE OWNED BY", descMatViewData:
		it.add(d.relations[s.key()])
	case "TRIGGER", "RULE":
		it.add(d.relations[s.on])
		if s.isSwitch {
			d.addInherited(it, s.on, 0)
		}
	case "DEFAULT", descSequence, "STATISTICS", "POLICY", "ROW SECURITY":
		it.add(d.relations[s.on])
	case "CHECK CONSTRAINT", descConstraint:
		it.add(d.relations[s.on])
		if s.isDomain {
			it.add(d.named[object{"TYPE", s.on}])
		}
	case descIndex:
		it.add(d.relations[s.on])
	case pgarchive.DescIndexAttach:
		d.findIndexAttach(it)
	case "FK CONSTRAINT":
		d.findForeignKey(it)
	case "PUBLICATION TABLE":
		it.add(d.named[object{"PUBLICATION", key{name: s.own}}], d.relations[s.on])
	case "PUBLICATION TABLES IN SCHEMA":
		it.add(d.named[object{"PUBLICATION", key{name: s.own}}], d.named[object{"SCHEMA", s.to}])
	case pgarchive.DescBlobs:
		it.add(d.named[object{"LARGE OBJECT", key{name: it.entry.Tag}}])
	case descStatistics:
		d.findStatistics(it)
	}
	if it.entry.Section == pgarchive.SectionPostData {
		d.findNamed(it)
	}
	if it.entry.Desc == descMatViewData {
		it.add(d.refresh)
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
func (d *depending) addInherited(it *item, table key, depth int) {
	if depth > maxDepth {
		return
	}
	for _, parent := range d.parents[table] {
		it.add(d.parts[part{parent, it.subject.own}])
		d.addInherited(it, parent, depth+1)
	}
}

// findIndexAttach makes the index of a partition, too, wait for that of the
// partitioned table, as pg_dump does.
func (d *depending) findIndexAttach(it *item) {
	child, parent := d.indexes[it.subject.key()], d.indexes[it.subject.to]
	it.add(parent, child)
	if child != nil && parent != nil && d.position[parent] < d.position[child] {
		child.add(parent)
	}
	for _, index := range []*item{child, parent} {
		if index != nil {
			it.add(d.relations[index.subject.on])
		}
	}
}

// findForeignKey makes a foreign key wait for both tables and for the unique
// indexes of the referenced one, with those of its partitions.
func (d *depending) findForeignKey(it *item) {
	s := &it.subject
	it.add(d.relations[s.on], d.relations[s.to])
	for _, index := range d.unique[s.to] {
		it.add(index)
		d.addAttached(it, index.indexName(), 0)
	}
}

// indexName gives the name of an index, or of a constraint's.
func (it *item) indexName() key { return key{it.subject.schema, it.subject.own} }

// maxDepth bounds the levels of partitions; a circle cannot be valid.
const maxDepth = 100

func (d *depending) addAttached(it *item, index key, depth int) {
	if depth > maxDepth {
		return
	}
	for _, a := range d.attached[index] {
		it.add(a)
		d.addAttached(it, a.subject.key(), depth+1)
	}
}

func (d *depending) findStatistics(it *item) {
	k := key{it.entry.Namespace.String, it.entry.Tag}
	if r := d.relations[k]; r != nil {
		it.add(r)
		if r.entry.Desc == descMatView {
			it.add(d.refresh)
		}
		return
	}
	it.add(d.indexes[k])
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
		it.add(d.postponed[k]...)
		if locks {
			it.add(d.relations[k])
		}
		if isPostponed {
			it.add(d.unique[k]...)
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
