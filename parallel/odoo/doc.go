// Package odoo knows what an Odoo database looks like from inside PostgreSQL,
// and does there what Odoo itself does when it restores a backup.
//
// It reads what a backup's manifest and the copy of the filestore need
// (Inspect, AttachmentsQuery), holds the SQL that keeps Odoo's garbage
// collection of files away while a backup runs (GuardLock, GuardWaiters), and
// changes a restored database: the parameters that make a copy another
// database than its original (ResetCopy, ResetSubscription), the neutralizing
// of everything that acts on the world outside (Neutralize), and what Odoo
// adds to a database on restore (Additions).
//
// Facts about Odoo are those of its community editions 8 to 19. All tables are
// taken from the schema public, whatever the search_path says. No function
// commits, opens a connection or prints.
package odoo
