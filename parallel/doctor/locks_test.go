package doctor

import (
	"slices"
	"strings"
	"testing"
)

func TestLocks(t *testing.T) {
	onEach(t, nil, func(t *testing.T, open opener) {
		s, other := open("postgres"), open("postgres")
		exec(t, s, "CREATE TABLE held (); CREATE TABLE prepared (); CREATE TABLE shared ()")
		got, err := Locks(t.Context(), s)
		want(t, got, err)
		exec(t, other, "BEGIN; LOCK TABLE prepared; PREPARE TRANSACTION 'it''s'")
		exec(t, other, "BEGIN; LOCK TABLE held; LOCK TABLE shared IN SHARE MODE")
		got, err = Locks(t.Context(), s)
		slices.SortFunc(got, func(a, b Finding) int { return strings.Compare(b.Text, a.Text) })
		want(t, got, err, "(odx test) holds an exclusive lock on table held", "a prepared transaction of postgres holds an exclusive lock on table prepared")
		if len(got) == 2 && (!strings.Contains(got[0].Text, "that does nothing") || !strings.Contains(got[1].Do, "ROLLBACK PREPARED 'it''s'")) {
			t.Errorf("found %+v", got)
		}
		exec(t, other, "ROLLBACK")
		exec(t, other, "ROLLBACK PREPARED 'it''s'")
		got, err = Locks(t.Context(), s)
		want(t, got, err)
		got, err = LockTable(t.Context(), s)
		want(t, got, err)
	})
}

// TestTransactions finds sessions and prepared transactions that have lasted,
// whatever they lock, and none that has just begun or does nothing.
func TestTransactions(t *testing.T) {
	onEach(t, nil, func(t *testing.T, open opener) {
		s, idle, other := open("postgres"), open("postgres"), open("postgres")
		exec(t, idle, "SELECT 1")
		exec(t, s, "CREATE TABLE seen ()")
		exec(t, other, "BEGIN; LOCK TABLE seen IN ROW SHARE MODE; PREPARE TRANSACTION 'forgotten'")
		exec(t, other, "BEGIN; SELECT FROM seen")
		got, err := Transactions(t.Context(), s, LongTransaction)
		want(t, got, err)
		got, err = Transactions(t.Context(), s, 0)
		want(t, got, err, "warning: transactions: a prepared transaction of postgres waits to be ended", "note: transactions: pid ")
		if len(got) == 2 && (!strings.Contains(got[0].Do, "'forgotten'") || !strings.Contains(got[1].Text, "sits idle in a transaction")) {
			t.Errorf("found %+v", got)
		}
		exec(t, other, "ROLLBACK")
		exec(t, other, "ROLLBACK PREPARED 'forgotten'")
		got, err = Transactions(t.Context(), s, 0)
		want(t, got, err)
	})
}
