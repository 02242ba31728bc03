package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"
)

// manyRows is where a table is large enough to be filled in a transaction of its
// own, to build its indexes one by one, and to check its foreign keys in parallel
// with others.
const manyRows = 20_000

// build adds everything that comes after the rows.
func (g *generation) build(ctx context.Context) error {
	if err := g.serial(ctx, g.sequences()); err != nil {
		return fmt.Errorf("set sequences: %w", err)
	}
	if err := parallel(ctx, g, g.indexes(), execNamed); err != nil {
		return fmt.Errorf("build indexes: %w", err)
	}
	if err := g.serial(ctx, g.finishing()); err != nil {
		return fmt.Errorf("create views: %w", err)
	}
	adding, checking := g.foreignKeys()
	if err := g.addAndAnalyze(ctx, adding); err != nil {
		return err
	}
	if err := parallel(ctx, g, checking, execNamed); err != nil {
		return fmt.Errorf("check foreign keys: %w", err)
	}
	return nil
}

// addAndAnalyze adds foreign keys on one connection, and gathers statistics on
// others: neither holds up the other for longer than a small transaction.
func (g *generation) addAndAnalyze(ctx context.Context, adding []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := g.serial(ctx, adding); err != nil {
			return fmt.Errorf("add foreign keys: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		if err := parallel(ctx, g, g.analyze(), execNamed); err != nil {
			return fmt.Errorf("analyze: %w", err)
		}
		return nil
	})
	return group.Wait()
}

// batch is how many statements, or small tables, go into one transaction: more
// would hold more locks than a server with usual settings has room for.
const batch = 25

// serial runs statements one after the other, many in a transaction.
func (g *generation) serial(ctx context.Context, statements []string) (err error) {
	conn, err := g.connectOwner(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	for len(statements) > 0 {
		n := min(batch, len(statements))
		if err := exec(ctx, conn, strings.Join(statements[:n], ";\n")); err != nil {
			return err
		}
		statements = statements[n:]
	}
	return nil
}

// parallel does pieces of work on as many connections as there are jobs,
// starting them in order.
func parallel[T any](ctx context.Context, g *generation, work []T, do func(context.Context, *pgconn.PgConn, T) error) error {
	next := make(chan T)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(next)
		for _, piece := range work {
			select {
			case next <- piece:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range g.opts.Jobs {
		group.Go(func() (err error) {
			conn, err := g.connectOwner(ctx)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
			for piece := range next {
				if err := do(ctx, conn, piece); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// execNamed runs a statement, and names it if it fails.
func execNamed(ctx context.Context, conn *pgconn.PgConn, sql string) error {
	if err := exec(ctx, conn, sql); err != nil {
		return fmt.Errorf("%.80s: %w", sql, err)
	}
	return nil
}

// grouped divides tables into those that one transaction works on: each large
// one for itself, small ones together, because the costs of a transaction would
// be most of theirs.
func grouped(tables []*table) [][]*table {
	var groups [][]*table
	var small []*table
	for _, t := range tables {
		if t.rows >= manyRows || t.size.list == "attachments" {
			groups = append(groups, []*table{t})
		} else {
			small = append(small, t)
		}
	}
	return slices.AppendSeq(groups, slices.Chunk(small, batch))
}

// sequences sets the owned sequences to the last id, and makes some of those
// that Odoo numbers its documents with.
func (g *generation) sequences() []string {
	last := make(map[string]int64)
	var order []string
	for _, t := range g.schema.tables {
		if t.hasID() && t.rows > 0 {
			if last[t.sequence()] == 0 {
				order = append(order, t.sequence())
			}
			last[t.sequence()] = max(last[t.sequence()], t.firstID+t.rows-1)
		}
	}
	var statements []string
	for _, name := range order {
		statements = append(statements, fmt.Sprintf("SELECT setval(%s, %d)", literal(ident(name)), last[name]))
	}
	for i := range 8 {
		name := fmt.Sprintf("ir_sequence_%03d", i+1)
		statements = append(statements, fmt.Sprintf("CREATE SEQUENCE %s; SELECT setval('%s', %d)", name, name, 100*i+7))
	}
	return statements
}

// indexes returns the statements for keys and indexes: those of small tables
// together, those of a large one each for itself. Primary and unique keys of large
// tables come first, because nothing else can work on the table meanwhile.
func (g *generation) indexes() []string {
	var keys, small, single []string
	for _, t := range g.schema.tables {
		if t.rows < manyRows {
			small = append(small, strings.Join(append([]string{addKeys(t)}, g.createIndexes(t)...), ";\n"))
		}
	}
	for _, t := range g.bySize() {
		if t.rows >= manyRows {
			keys = append(keys, addKeys(t))
			single = append(single, g.createIndexes(t)...)
		}
	}
	for some := range slices.Chunk(small, batch) {
		keys = append(keys, strings.Join(some, ";\n"))
	}
	return append(keys, single...)
}

// analyze returns the statements that gather statistics.
func (g *generation) analyze() []string {
	var statements []string
	for _, tables := range grouped(g.bySize()) {
		var names []string
		for _, t := range tables {
			names = append(names, ident(t.name))
		}
		statements = append(statements, "ANALYZE "+strings.Join(names, ", "))
	}
	return statements
}

// foreignKeys returns the statements that add all foreign keys, and those that
// check them for large tables. Adding locks the table referred to, res_users
// for nearly every key, so it cannot go on in parallel; checking can.
func (g *generation) foreignKeys() (adding, checking []string) {
	for _, t := range g.schema.tables {
		if sql := addForeignKeys(t, t.rows >= manyRows); sql != "" {
			adding = append(adding, sql)
		}
		for _, c := range allColumns(t) {
			if c.ref != "" {
				g.result.ForeignKeys++
			}
		}
	}
	for _, t := range g.bySize() {
		if t.rows >= manyRows {
			checking = append(checking, checkForeignKeys(t)...)
		}
	}
	return adding, checking
}
