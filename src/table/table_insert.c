/*-------------------------------------------------------------------------
 *
 * table_insert.c
 *	  Rows of other members, checked and inserted into a shared table.
 *
 * The only way by which a row with another member's ref gets into a live ledger
 * table: past the access method, straight to heap (tl_table_am_insert_foreign),
 * many rows at a time, with no trigger.  What a signature trigger would demand
 * the caller asks for; every other rule is asked by table_decode.c.
 *
 * CHECK constraints and indexes on expressions run with the rights of the
 * table's owner, as in any maintenance, and cannot change settings of ours: also
 * while they are prepared, which computes what is constant in them.
 *
 * Everything that is opened belongs to the current resource owner: an ERROR is
 * cleaned up by the end of the (sub)transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "table_am.h"
#include "table_decode.h"
#include "table_insert.h"
#include "table_ref_insert.h"
#include "table_scan.h"
#include "tl_compat.h"

#define GATHER_ROWS_MAX		1000
#define GATHER_SIZE_MAX		262144

struct TlTableTarget
{
	Relation	relation;
	EState	   *estate;
	ResultRelInfo *result;
	Relation	ref_index;		/* behind the others of result; NULL: among them */
	IndexInfo  *ref_info;
	TlTableDecoder *decoder;
	bool		only_check;
	MemoryContext values;		/* of the rows that are gathered */
	BulkInsertState bulk;
	TupleTableSlot **slots;
	int			slot_count;		/* made so far */
	int			row_count;
	size_t		size;
	Oid			user;			/* before */
	int			security_context;
	int			setting_level;
};

static void enter_owner(TlTableTarget *target);
static void leave_owner(TlTableTarget *target);
static void set_ref_index_aside(TlTableTarget *target);
static void flush(TlTableTarget *target);

/* Rows of one section; only_check: they are in the table, since they are own ones. */
TlTableTarget *
tl_table_target_open(Oid relation, const TlTableVersion *version,
					 const uint8_t row_key[TL_ROW_KEY_SIZE], bool only_check)
{
	TlTableTarget *target = palloc0(sizeof(TlTableTarget));

	target->relation = table_open(relation, RowExclusiveLock);
	target->estate = CreateExecutorState();
	target->only_check = only_check;
	enter_owner(target);
	target->decoder = tl_table_decoder_open(target->relation, version, target->estate);
	tl_table_decoder_set_key(target->decoder, row_key);
	target->values = AllocSetContextCreate(target->estate->es_query_cxt,
										   "rows of another member",
										   ALLOCSET_DEFAULT_SIZES);
	target->slots = palloc0(sizeof(TupleTableSlot *) * GATHER_ROWS_MAX);
	if (!only_check)
	{
		target->result = makeNode(ResultRelInfo);
		InitResultRelInfo(target->result, target->relation, 0, NULL, 0);
		ExecOpenIndices(target->result, false);
		set_ref_index_aside(target);
		target->bulk = GetBulkInsertState();
	}
	leave_owner(target);
	return target;
}

/* Its entries go in by many at a time, those of other indexes row by row. */
static void
set_ref_index_aside(TlTableTarget *target)
{
	ResultRelInfo *result = target->result;
	Oid			wanted = tl_table_scan_ref_index(target->relation, true);
	int			last = result->ri_NumIndices - 1;

	for (int i = 0; i <= last; i++)
	{
		Relation	index = result->ri_IndexRelationDescs[i];
		IndexInfo  *info = result->ri_IndexRelationInfo[i];

		if (RelationGetRelid(index) != wanted || !tl_table_ref_insert_fits(index))
			continue;
		result->ri_IndexRelationDescs[i] = result->ri_IndexRelationDescs[last];
		result->ri_IndexRelationInfo[i] = result->ri_IndexRelationInfo[last];
		result->ri_IndexRelationDescs[last] = target->ref_index = index;
		result->ri_IndexRelationInfo[last] = target->ref_info = info;
		result->ri_NumIndices--;
		return;
	}
}

Relation
tl_table_target_relation(const TlTableTarget *target)
{
	return target->relation;
}

/* Insert what was gathered, if it is much. */
void
tl_table_target_make_room(TlTableTarget *target)
{
	if (target->row_count < GATHER_ROWS_MAX && target->size <= GATHER_SIZE_MAX)
		return;
	enter_owner(target);
	flush(target);
	leave_owner(target);
}

/* The row, checked; it is inserted soon.  The slot is valid until the next call. */
TupleTableSlot *
tl_table_target_row(TlTableTarget *target, TlSpan bytes)
{
	TupleTableSlot *slot;
	MemoryContext caller;

	tl_table_target_make_room(target);
	enter_owner(target);
	if (target->row_count == target->slot_count)
		target->slots[target->slot_count++] = table_slot_create(target->relation, NULL);
	slot = target->slots[target->row_count];
	caller = MemoryContextSwitchTo(target->values);
	tl_table_decoder_row(target->decoder, slot, bytes);
	MemoryContextSwitchTo(caller);
	ResetPerTupleExprContext(target->estate);
	target->row_count++;
	target->size += bytes.size;
	leave_owner(target);
	return slot;
}

static void
enter_owner(TlTableTarget *target)
{
	GetUserIdAndSecContext(&target->user, &target->security_context);
	SetUserIdAndSecContext(target->relation->rd_rel->relowner,
						   target->security_context | SECURITY_RESTRICTED_OPERATION);
	target->setting_level = NewGUCNestLevel();
}

static void
leave_owner(TlTableTarget *target)
{
	AtEOXact_GUC(false, target->setting_level);
	SetUserIdAndSecContext(target->user, target->security_context);
}

static void
flush(TlTableTarget *target)
{
	MemoryContext caller = MemoryContextSwitchTo(target->values);

	if (!target->only_check && target->row_count > 0)
	{
		tl_table_am_insert_foreign(target->relation, target->slots, target->row_count,
								   GetCurrentCommandId(true), target->bulk);
		if (target->ref_index != NULL)
			tl_table_ref_insert(target->relation, target->ref_index, target->ref_info,
								target->slots, target->row_count);
		for (int i = 0; i < target->row_count; i++)
		{
			CHECK_FOR_INTERRUPTS();
			if (target->result->ri_NumIndices > 0)
				list_free(tl_insert_index_tuples(target->result, target->slots[i],
												 target->estate));
			ResetPerTupleExprContext(target->estate);
		}
	}
	for (int i = 0; i < target->row_count; i++)
		ExecClearTuple(target->slots[i]);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(target->values);
	target->row_count = 0;
	target->size = 0;
}

/* All rows are in the table. */
void
tl_table_target_close(TlTableTarget *target)
{
	enter_owner(target);
	flush(target);
	leave_owner(target);
	for (int i = 0; i < target->slot_count; i++)
		ExecDropSingleTupleTableSlot(target->slots[i]);
	if (!target->only_check)
	{
		FreeBulkInsertState(target->bulk);
		if (target->ref_index != NULL)
			target->result->ri_NumIndices++;
		ExecCloseIndices(target->result);
	}
	FreeExecutorState(target->estate);
	table_close(target->relation, NoLock);
	pfree(target->slots);
	pfree(target);
}
