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
 * The first tables stand in an array: a transaction that writes a row or two
 * should not pay for a hash table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "table_written.h"

/* Tables that are listed without a hash table. */
#define FEW_MAX		8

TlWrittenHook tl_table_written_hook = NULL;

static Oid	few[FEW_MAX];
static int	few_count = 0;
static HTAB *more = NULL;		/* those behind them, in TopTransactionContext */
static Oid	last_written = InvalidOid;

static void written_at_end(XactEvent event, void *arg);
static void add(Oid relation);

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
		few_count = 0;
		more = NULL;
		last_written = InvalidOid;
	}
}

void
tl_table_written_note(Oid relation)
{
	if (relation == last_written)
		return;
	if (!tl_table_written_relation(relation))
	{
		if (tl_table_written_hook != NULL)
			tl_table_written_hook(relation);
		add(relation);
	}
	last_written = relation;
}

static void
add(Oid relation)
{
	if (few_count < FEW_MAX)
	{
		few[few_count++] = relation;
		return;
	}
	if (more == NULL)
	{
		HASHCTL		control;

		memset(&control, 0, sizeof(control));
		control.keysize = sizeof(Oid);
		control.entrysize = sizeof(Oid);
		control.hcxt = TopTransactionContext;
		more = hash_create("ledger tables written", 64, &control,
						   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	(void) hash_search(more, &relation, HASH_ENTER, NULL);
}

bool
tl_table_written_any(void)
{
	return few_count > 0;
}

bool
tl_table_written_relation(Oid relation)
{
	for (int i = 0; i < few_count; i++)
		if (few[i] == relation)
			return true;
	return more != NULL && hash_search(more, &relation, HASH_FIND, NULL) != NULL;
}
