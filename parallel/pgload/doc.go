// Package pgload feeds the data of a dump to a server over several connections
// at once, as they stream by.
//
// Whoever reads the dump writes the text of one table after another into a
// Feeder, which cuts it at the ends of rows into pieces of 4 MiB. Workers, each
// with a connection, take the pieces and load them with COPY, several at once
// into the same table:
//
//	dump ──► Feeder ──pieces──┬──► Worker: COPY t FROM stdin
//	                          └──► Worker: COPY t FROM stdin
//
// So the order of rows is not kept. With Options.Ordered a table is loaded by one
// COPY, in the transaction that empties it: only a table's new file is filled
// from its start to its end, any other as its free space map says.
//
// A row that is longer than a piece goes to its connection as it is read. INSERT
// statements are cut between two of them; one that is longer than a piece is
// loaded before anything else is read. Large objects are written at the offsets
// of their pieces.
//
// Memory is that of the pieces: each Feeder has as many buffers as it is given,
// of 4 MiB. An INSERT statement that is longer than that is sent from the memory
// of whoever read it.
//
// Nothing is committed as a whole: who meets an error must throw the database
// away.
package pgload
