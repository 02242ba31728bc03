// Package pgcopy copies the rows of many tables out of one snapshot, on several
// connections at a time and several within a large table, and hands them over
// compressed and in order.
//
//	connection 1 ─ COPY ─ compress ─┐            ┌─ stream of table a
//	connection 2 ─ COPY ─ compress ─┼─ in order ─┼─ stream of table b
//	connection 3 ─ COPY ─ compress ─┘            └─ …
//
// # Cutting
//
// A large table is cut by pages into stretches of some 8 MiB on disk, TOAST
// included:
//
//	COPY (SELECT cols FROM ONLY t WHERE ctid >= '(n,0)' AND ctid < '(m,0)') TO STDOUT
//
// The rows of all stretches joined are what COPY t gives: both read the pages
// in their order. The server is kept from other plans. Where a stretch begins
// and ends depends on the table alone, so the number of connections does not
// change a byte. Servers before 14 would read the whole table for each stretch,
// and access methods other than heap may have no pages: such tables are not
// cut. A range scan has no ring buffer as a scan of the whole table has: large
// tables pass through the server's shared buffers.
//
// # Order
//
// Each stretch has its turn in its stream. Who has the turn writes; what others
// have is held in memory, up to a bound for all of them together, beyond which
// they wait, and with them the server. Stretches are begun in the order of
// their turns, so who has the turn is never one of those that wait. A stream
// gets its pieces from different goroutines, but one after the other.
//
// A connection goes on with the table that it has begun, so that little has to
// be held, until no other table is left to begin; then it helps with the one of
// which most is left. With Options.OneByOne there is one order for everything,
// all connections share a table, and a stream begins when the one before it has
// ended.
//
// # Sessions
//
// Each connection imports the snapshot into a READ ONLY, REPEATABLE READ
// transaction, with the settings that pg_dump makes (setup_connection in
// pg_dump.c of PostgreSQL 15 and 18). TimeZone and bytea_output are not among
// them. Each table is locked NOWAIT before it is read: the caller holds the
// same locks, so one that is not to be had is one that somebody else waits for
// before us, who waits for the caller.
//
// # Memory
//
// For each job: three buffers of text (1 MiB each, 4 MiB for zstd, 128 KiB
// without compression), the tables of an encoder, and 12 MiB that may be held.
// The length of a row does not count: the server sends each as one message, but
// its text goes past pgx, as it comes, into the buffers.
//
// # Waiting
//
// The server sends 8 kB at a time. Connections are read in threads that let it go
// on for a moment, not through the network poller, which would be woken by each of
// these; TLS, whose records come one by one, is read as ever. Each of the threads
// counts as a processor of Go's meanwhile: GOMAXPROCS should leave room for them.
package pgcopy
