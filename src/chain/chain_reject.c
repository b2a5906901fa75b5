/*-------------------------------------------------------------------------
 *
 * chain_reject.c
 *	  Rows that must not enter a batch: found, listed, asked for.
 *
 * A row of a table that demands signatures (table_requirement.c) is checked
 * when it is batched, from what is stored, whether its trigger ran or not.  One
 * that fails stays in its table, is in no batch, and is listed in
 * ledger_internal.rejected, in the transaction that passes it over.
 *
 * Where a statement is signed, its rows are told by themselves: neighbours in
 * order of ref, of one table and transaction, that carry the same key and
 * signature.  The trigger sees to it that no two statements touch.  Such a
 * group is read once, row by row, when its first row comes, and the verdict is
 * kept until its last one, also from round to round; after a restart a group
 * that is half batched is read again, from the beginning of its transaction.
 *
 * Verification asks the same questions (proof_verify_rows.c): a row that is
 * listed here and is rightly signed was held back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/rel.h"
#include "utils/uuid.h"

#include "chain_reject.h"
#include "chain_statement.h"
#include "table_catalog.h"
#include "table_message.h"
#include "table_scan.h"

static TlStatement insert_rejected = {
	"INSERT INTO ledger_internal.rejected (ref, table_id, sqlstate, reason)"
	" VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
	4, {TL_STATEMENT_REF, UUIDOID, TEXTOID, TEXTOID}
};

/* The statement that was met last, of one requirement of one table. */
typedef struct SignedGroup
{
	Oid			relation;		/* key of the hash table, with number */
	int32_t		number;
	TlRefBytes	first;
	TlRefBytes	last;
	TlStatus	status;
	const char *reason;			/* NULL: well signed; a constant */
} SignedGroup;

/* One requirement, in the round's context. */
typedef struct Demand
{
	const TlRequirement *requirement;
	TlMessageBuilder *builder;
} Demand;

/* A table that was met in this round. */
typedef struct CheckedTable
{
	Oid			relation;		/* key of the hash table */
	int			count;
	Demand	   *demands;
} CheckedTable;

struct TlRowCheck
{
	HTAB	   *groups;
	Snapshot	snapshot;
	MemoryContext context;		/* of what follows: one round */
	bool		any;			/* is there any requirement at all? */
	HTAB	   *tables;
	CheckedTable *last;			/* most rows follow one of their own table */
};

static CheckedTable *table_of(TlRowCheck *check, Relation relation);
static void load_demands(CheckedTable *out, Relation relation,
						 MemoryContext context);
static const char *check_demand(TlRowCheck *check, const Demand *demand,
								const TlCollectedRow *row, TlStatus *status);
static const char *check_group(TlRowCheck *check, const Demand *demand,
							   const TlCollectedRow *row, TlStatus *status);
static void read_group(TlRowCheck *check, const Demand *demand,
					   const TlCollectedRow *row, SignedGroup *group, bool is_first);
static void start_scan(TlRefScan *scan, const TlRefBytes *row, bool is_first);
static bool same_transaction(const TlRefBytes *left, const TlRefBytes *right);

/* The check lives in the context, as long as the worker does. */
TlRowCheck *
tl_chain_check_create(MemoryContext context)
{
	TlRowCheck *check = MemoryContextAllocZero(context, sizeof(TlRowCheck));
	HASHCTL		control;

	memset(&control, 0, sizeof(control));
	control.keysize = offsetof(SignedGroup, first);
	control.entrysize = sizeof(SignedGroup);
	control.hcxt = context;
	check->groups = hash_create("signed statements", 16, &control,
								HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return check;
}

/*
 * A new round: rows are read with this snapshot, and what is found out about
 * tables lives in the context.
 */
void
tl_chain_check_begin(TlRowCheck *check, Snapshot snapshot, MemoryContext context)
{
	HASHCTL		control;

	memset(&control, 0, sizeof(control));
	control.keysize = sizeof(Oid);
	control.entrysize = sizeof(CheckedTable);
	control.hcxt = context;
	check->snapshot = snapshot;
	check->context = context;
	check->last = NULL;
	check->any = tl_table_requirement_any();
	if (check->any)
		check->tables = hash_create("tables with signatures", 16, &control,
									HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* Does the row's table demand signatures? */
bool
tl_chain_check_applies(TlRowCheck *check, const TlCollectedRow *row)
{
	return check->any && table_of(check, row->relation)->count > 0;
}

/* NULL if the row may be batched, otherwise a sentence about why not. */
const char *
tl_chain_check_row(TlRowCheck *check, const TlCollectedRow *row, TlStatus *status)
{
	CheckedTable *table;

	if (!check->any)
		return NULL;
	table = table_of(check, row->relation);
	for (int i = 0; i < table->count; i++)
	{
		const char *reason;

		if (!tl_table_requirement_binds(table->demands[i].requirement, &row->ref))
			continue;
		reason = check_demand(check, &table->demands[i], row, status);
		if (reason != NULL)
			return reason;
	}
	return NULL;
}

static CheckedTable *
table_of(TlRowCheck *check, Relation relation)
{
	Oid			key = RelationGetRelid(relation);
	MemoryContext caller;
	CheckedTable *table;

	if (check->last != NULL && check->last->relation == key)
		return check->last;
	table = hash_search(check->tables, &key, HASH_FIND, NULL);
	if (table == NULL)
	{
		CheckedTable loaded;
		bool		found;

		caller = MemoryContextSwitchTo(check->context);
		load_demands(&loaded, relation, check->context);
		table = hash_search(check->tables, &key, HASH_ENTER, &found);
		*table = loaded;
		MemoryContextSwitchTo(caller);
	}
	check->last = table;
	return table;
}

/* May fail, so it comes before the table is remembered. */
static void
load_demands(CheckedTable *out, Relation relation, MemoryContext context)
{
	List	   *requirements = tl_table_requirement_load(RelationGetRelid(relation));

	out->relation = RelationGetRelid(relation);
	out->count = list_length(requirements);
	out->demands = palloc(sizeof(Demand) * Max(out->count, 1));
	for (int i = 0; i < out->count; i++)
	{
		out->demands[i].requirement = list_nth(requirements, i);
		out->demands[i].builder =
			tl_table_message_open(out->demands[i].requirement,
								  RelationGetDescr(relation), context);
	}
}

static const char *
check_demand(TlRowCheck *check, const Demand *demand, const TlCollectedRow *row,
			 TlStatus *status)
{
	TlSignedRow signed_row;

	if (demand->requirement->per_statement)
		return check_group(check, demand, row, status);
	tl_table_message_read(demand->builder, &signed_row, row->slot);
	return tl_table_message_judge(demand->builder, &signed_row, status);
}

/* A row of a statement: what the statement came to. */
static const char *
check_group(TlRowCheck *check, const Demand *demand, const TlCollectedRow *row,
			TlStatus *status)
{
	struct
	{
		Oid			relation;
		int32_t		number;
	}			key;
	SignedGroup	   *group;
	bool		found;

	key.relation = RelationGetRelid(row->relation);
	key.number = demand->requirement->number;
	group = hash_search(check->groups, &key, HASH_ENTER, &found);
	if (!found)
		memset(&group->first, 0, sizeof(SignedGroup) - offsetof(SignedGroup, first));
	if (!same_transaction(&group->last, &row->ref))
		read_group(check, demand, row, group, false);
	else if (tl_table_ref_compare(&group->last, &row->ref) < 0)
		read_group(check, demand, row, group, true);
	else if (tl_table_ref_compare(&row->ref, &group->first) < 0)
		read_group(check, demand, row, group, false);
	*status = group->status;
	return group->reason;
}

static bool
same_transaction(const TlRefBytes *left, const TlRefBytes *right)
{
	return memcmp(left->bytes, right->bytes, TL_REF_SIZE - sizeof(uint32_t)) == 0;
}

/*
 * Read the group that the row belongs to.  If it is the group's first row, read
 * from there, otherwise from the beginning of the transaction.  A group whose
 * reading fails is as if it had not been met.
 */
static void
read_group(TlRowCheck *check, const Demand *demand, const TlCollectedRow *row,
		   SignedGroup *out, bool is_first)
{
	SignedGroup whole = *out;
	SignedGroup *group = &whole;
	TlRefScan  *scan = tl_table_scan_open(row->relation, check->snapshot);
	TlSignedStatement statement;
	TlSignedRow signed_row;
	TlRefBytes	ref;
	bool		open = false;

	start_scan(scan, &row->ref, is_first);
	memset(&group->first, 0, TL_REF_SIZE);
	group->last = group->first;
	while (tl_table_scan_next(scan, &ref))
	{
		CHECK_FOR_INTERRUPTS();
		if (!tl_table_requirement_binds(demand->requirement, &ref))
			continue;
		tl_table_message_read(demand->builder, &signed_row,
							  tl_table_scan_slot(scan));
		if (open && tl_table_message_append(&statement, &signed_row))
		{
			group->last = ref;
			continue;
		}
		if (tl_table_ref_compare(&ref, &row->ref) > 0)
			break;
		group->first = group->last = ref;
		group->reason = tl_table_message_start(demand->builder, &statement,
											   &signed_row, &group->status);
		open = group->reason == NULL &&
			tl_table_message_append(&statement, &signed_row);
	}
	tl_table_scan_close(scan);
	if (open)
		group->reason = tl_table_message_judge_statement(demand->builder, &statement,
														 &group->status);
	if (tl_table_ref_compare(&group->last, &row->ref) < 0)
	{
		group->first = group->last = row->ref;
		group->status = TL_CHAIN_DAMAGED;
		group->reason = "The index on ledger_ref does not lead to the row.";
	}
	*out = whole;
}

/* From the row, or from its transaction's first, to the transaction's last. */
static void
start_scan(TlRefScan *scan, const TlRefBytes *row, bool is_first)
{
	TlRefBytes	low = *row,
				high;
	TlRef		bound;

	tl_table_ref_unpack(&bound, row);
	bound.row = PG_UINT32_MAX;
	tl_table_ref_pack(&high, &bound);
	bound.row = 0;
	if (!is_first)
		tl_table_ref_pack(&low, &bound);
	tl_table_scan_start(scan, &low, &high);
}

/* List a row that is passed over.  Caller has connected SPI. */
void
tl_chain_reject(const TlCollectedRow *row, TlStatus status, const char *reason)
{
	pg_uuid_t	table_id;
	TlRefBytes	ref = row->ref;
	Datum		values[4];

	if (!tl_table_catalog_id(table_id.data, RelationGetRelid(row->relation)))
		elog(ERROR, "ledger table \"%s\" has no table id",
			 RelationGetRelationName(row->relation));
	values[0] = TlRefBytesGetDatum(&ref);
	values[1] = UUIDPGetDatum(&table_id);
	values[2] = CStringGetTextDatum(tl_status_sqlstate(status));
	values[3] = CStringGetTextDatum(reason);
	tl_chain_execute(&insert_rejected, values, NULL, false);
	pfree(DatumGetPointer(values[2]));
	pfree(DatumGetPointer(values[3]));
}
