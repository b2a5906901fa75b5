/*-------------------------------------------------------------------------
 *
 * contract_argument.c
 *	  The rows that call, read one after the other.
 *
 * A block may have thousands of calls of one entry point.  Its table, the index on
 * refs and one snapshot are opened for all of them: to open them takes longer than to
 * read a row.  The rows of a block are in their tables before its first call, and no
 * call inserts any (table_filter.c), so the snapshot that the first one finds serves all.
 *
 * What is opened belongs to the resource owner of the transaction, outside of the
 * subtransactions of calls.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "contract_argument.h"
#include "table_requirement.h"
#include "table_scan.h"

typedef struct Opened
{
	Oid			table;
	Relation	relation;
	TlRefScan  *scan;
	AttrNumber	signer;			/* the column with the key by which its rows are signed; 0: they are not */
} Opened;

/* Of the block that is being applied. */
static MemoryContext context = NULL;
static HTAB *tables = NULL;
static Snapshot snapshot = NULL;

static const Opened *open_table(Oid table);
static AttrNumber signer_of(Oid table);

/* Of a block before that failed nothing is left. */
void
tl_contract_argument_begin(void)
{
	HASHCTL		control = {.keysize = sizeof(Oid),.entrysize = sizeof(Opened)};

	context = AllocSetContextCreate(CurrentMemoryContext, "telco_ledger rows that call",
									ALLOCSET_DEFAULT_SIZES);
	control.hcxt = context;
	tables = hash_create("telco_ledger tables of calls that are read", 16, &control,
						 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	snapshot = RegisterSnapshot(GetTransactionSnapshot());
}

void
tl_contract_argument_end(void)
{
	HASH_SEQ_STATUS all;
	Opened	   *opened;

	hash_seq_init(&all, tables);
	while ((opened = hash_seq_search(&all)) != NULL)
	{
		tl_table_scan_close(opened->scan);
		table_close(opened->relation, NoLock);
	}
	UnregisterSnapshot(snapshot);
	MemoryContextDelete(context);
	context = NULL;
	tables = NULL;
	snapshot = NULL;
}

/* In the caller's memory. */
int
tl_contract_argument_row(NullableDatum *columns, NullableDatum *signer, Oid table,
						 const TlRefBytes *ref)
{
	const Opened *opened = open_table(table);
	TupleDesc	descriptor = RelationGetDescr(opened->relation);
	TupleTableSlot *slot = tl_table_scan_slot(opened->scan);
	int			count = descriptor->natts - 1;
	TlRefBytes	found;

	if (count >= FUNC_MAX_ARGS)
		elog(ERROR, "a call has %d arguments", count);
	tl_table_scan_start(opened->scan, ref, ref);
	if (!tl_table_scan_next(opened->scan, &found))
		elog(ERROR, "a call's row is not in table \"%s\"", RelationGetRelationName(opened->relation));
	slot_getallattrs(slot);
	for (int i = 0; i < count; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

		columns[i].isnull = slot->tts_isnull[i];
		if (!slot->tts_isnull[i])
			columns[i].value = datumCopy(slot->tts_values[i], attribute->attbyval, attribute->attlen);
	}
	ExecClearTuple(slot);
	signer->isnull = opened->signer == 0;
	if (opened->signer > 0)
		*signer = columns[opened->signer - 1];
	return count;
}

static const Opened *
open_table(Oid table)
{
	Opened	   *opened = hash_search(tables, &table, HASH_FIND, NULL);
	MemoryContext caller;
	Opened		made = {.table = table};

	if (opened != NULL)
		return opened;
	caller = MemoryContextSwitchTo(context);
	made.relation = table_open(table, AccessShareLock);
	made.scan = tl_table_scan_open(made.relation, snapshot);
	made.signer = signer_of(table);
	MemoryContextSwitchTo(caller);
	opened = hash_search(tables, &table, HASH_ENTER, NULL);
	*opened = made;
	return opened;
}

/*
 * Of several signatures the first that the script demands.  A row without it is in no
 * block that its call could be in (chain_reject.c, node_apply_batch.c).
 */
static AttrNumber
signer_of(Oid table)
{
	List	   *requirements = tl_table_requirement_load(table);

	return requirements == NIL ? 0 : ((const TlRequirement *) linitial(requirements))->key_attribute;
}
