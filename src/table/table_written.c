/*-------------------------------------------------------------------------
 *
 * table_written.c
 *	  Which ledger tables the current transaction has written.
 *
 * The node floor is told once per table and transaction, before the first row
 * is stored, so that the worker knows where to look without asking every
 * table.  A rolled back subtransaction leaves its tables in the list: looking
 * in vain is harmless, not looking would not be.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "table_written.h"

TlWrittenHook tl_table_written_hook = NULL;

static HTAB *written = NULL;	/* in TopTransactionContext */
static Oid	last_written = InvalidOid;

static void written_at_end(XactEvent event, void *arg);

void
tl_table_written_init(void)
{
	RegisterXactCallback(written_at_end, NULL);
}

/*
 * Forget after the transaction.  At commit the list must still be there for
 * the wait of commit_wait, which runs when the memory is still valid.
 */
static void
written_at_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE ||
		event == XACT_EVENT_COMMIT)
	{
		written = NULL;
		last_written = InvalidOid;
	}
}

void
tl_table_written_note(Oid relation)
{
	bool		found;

	if (relation == last_written)
		return;
	if (written == NULL)
	{
		HASHCTL		control;

		memset(&control, 0, sizeof(control));
		control.keysize = sizeof(Oid);
		control.entrysize = sizeof(Oid);
		control.hcxt = TopTransactionContext;
		written = hash_create("ledger tables written", 16, &control,
							  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	hash_search(written, &relation, HASH_ENTER, &found);
	if (!found && tl_table_written_hook != NULL)
		tl_table_written_hook(relation);
	last_written = relation;
}

bool
tl_table_written_any(void)
{
	return written != NULL;
}

bool
tl_table_written_relation(Oid relation)
{
	return written != NULL &&
		hash_search(written, &relation, HASH_FIND, NULL) != NULL;
}
