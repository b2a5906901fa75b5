/*-------------------------------------------------------------------------
 *
 * table_am.c
 *	  The access method `ledger`: heap, with everything but appending refused.
 *
 * The routine table is a copy of heap's in which the callbacks below are
 * replaced.  What is not replaced reads, locks, vacuums and copies as heap
 * does.  TOAST tables of a ledger table are plain heap tables.
 *
 * Invariants
 *	  T1  a row is stored only with a ref that was issued to it (table_issue)
 *		  or, in restore mode, supplied by a superuser or the table's owner, or,
 *		  of a shared table, that of another member's row in a final block
 *	  T2  no stored row is updated, deleted, or frozen at insertion
 *	  T3  the relation's storage is never replaced by an empty one
 *	  T4  no row is stored whose bytes would be too many
 *	  T5  the node floor hears of a written table before the row is stored
 *
 * Exempt from T1, by C state and never by a setting: the transient table into
 * which ALTER TABLE rewrites (relrewrite names its original), and of that only
 * the rewrite's own insertions, which skip the free space map: a function in a
 * CHECK constraint could name the transient table in an INSERT.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "table_am.h"
#include "table_build.h"
#include "table_definition.h"
#include "table_filter.h"
#include "table_fit.h"
#include "table_guard.h"
#include "table_issue.h"
#include "table_ref.h"
#include "table_shared.h"
#include "table_written.h"
#include "tl_compat.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_table_am_handler);

/* What an open ledger table remembers between rows, in rd_amcache. */
typedef struct LedgerCache
{
	AttrNumber	ref_attribute;
	bool		definitions;	/* this is ledger.table_version */
	bool		shared;			/* with all members (table_shared.c) */
} LedgerCache;

static bool enabled = false;

static const LedgerCache *relation_cache(Relation relation);
static void accept_row(Relation relation, TupleTableSlot *slot, int options);
static void accept_restored_row(Relation relation, const TlRefBytes *bytes);
tl_noreturn static void refuse_change(Relation relation, const char *verb);

/* Does this relation use our routine?  Partitioned parents do not. */
bool
tl_table_am_is_ours(Relation relation)
{
	return relation->rd_tableam == tl_table_am_routine();
}

/* The attribute number of ledger_ref, or 0 while it has none yet. */
AttrNumber
tl_table_am_ref_attribute(Relation relation)
{
	return get_attnum(RelationGetRelid(relation), TL_REF_COLUMN);
}

/* The same of a shared table; 0 of others. */
AttrNumber
tl_table_am_shared_ref(Relation relation)
{
	const LedgerCache *cache = relation_cache(relation);

	return cache->shared ? cache->ref_attribute : InvalidAttrNumber;
}

static const LedgerCache *
relation_cache(Relation relation)
{
	LedgerCache *cache;

	if (relation->rd_amcache != NULL)
		return relation->rd_amcache;
	cache = MemoryContextAllocZero(CacheMemoryContext, sizeof(LedgerCache));
	cache->ref_attribute = tl_table_am_ref_attribute(relation);
	cache->definitions = (RelationGetRelid(relation) ==
						  tl_table_definition_relation());
	cache->shared = tl_table_is_shared(RelationGetRelid(relation));
	relation->rd_amcache = cache;
	return cache;
}

/* T1, T2 and T4 for one row; T5 is the caller's, once per statement or row. */
static void
accept_row(Relation relation, TupleTableSlot *slot, int options)
{
	TlIdentity	identity;
	LedgerCache cache;
	bool		is_live;
	Datum		ref;
	bool		is_null;

	if (options & TABLE_INSERT_FROZEN)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_APPEND_ONLY)),
				errmsg("cannot insert frozen rows into ledger table \"%s\"",
					   RelationGetRelationName(relation)),
				errdetail("A frozen row would be visible to transactions that began before it."),
				errhint("Use COPY without FREEZE."));
	if (tl_table_build_active())
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_APPEND_ONLY)),
				errmsg("cannot insert into ledger table \"%s\" while an index is being built",
					   RelationGetRelationName(relation)),
				errdetail("A function of the index's expression or predicate tried to write."),
				errhint("Index expressions must not have side effects."));
	if (tl_table_filter_active())	/* L2 */
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_APPEND_ONLY)),
				errmsg("cannot insert into ledger table \"%s\" while a call of a contract runs",
					   RelationGetRelationName(relation)),
				errdetail("A call changes state tables."));
	tl_table_identity(&identity);
	is_live = !tl_table_identity_is_restoring(&identity);
	cache = *relation_cache(relation);	/* an invalidation would free it */
	if (is_live && cache.definitions && !tl_table_definition_writing)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
				errmsg("cannot insert into \"%s\"", RelationGetRelationName(relation)),
				errdetail("Table definitions are written by the library."),
				errhint("Create or alter the ledger table itself."));
	if (cache.ref_attribute == InvalidAttrNumber)
		elog(ERROR, "ledger table \"%s\" has no column ledger_ref",
			 RelationGetRelationName(relation));
	ref = slot_getattr(slot, cache.ref_attribute, &is_null);
	if (is_null)
		ereport(ERROR,
				errcode(ERRCODE_NOT_NULL_VIOLATION),
				errmsg("ledger_ref of a row of \"%s\" is null",
					   RelationGetRelationName(relation)),
				errhint("Leave ledger_ref out of the INSERT, so that its default fills it."));
	tl_table_fit_check(relation, slot, cache.shared);
	if (is_live)
		tl_table_issue_accept(DatumGetTlRefBytes(ref),
							  RelationGetRelationName(relation));
	else
		accept_restored_row(relation, DatumGetTlRefBytes(ref));
}

/* Restore mode: a superuser or the owner brings rows with their old refs. */
static void
accept_restored_row(Relation relation, const TlRefBytes *bytes)
{
	TlRef		ref;

	if (!superuser() &&
		!tl_relation_is_owned(RelationGetRelid(relation), GetUserId()))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_NOT_A_NODE)),
				errmsg("cannot insert into ledger table \"%s\"",
					   RelationGetRelationName(relation)),
				errdetail("This database is not a live node of a ledger, so it takes restored rows only, from a superuser or the owner."),
				errhint("Run SELECT ledger.create_node(...) to start a new ledger here."));
	tl_table_ref_unpack(&ref, bytes);
	if (ref.member == 0 || ref.row == 0)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_BAD_REF)),
				errmsg("%s is the ledger_ref of no row", tl_table_ref_text(&ref)),
				errdetail("Members, and the rows of a transaction, count from 1."));
}

static void
ledger_tuple_insert(Relation relation, TupleTableSlot *slot, CommandId cid,
					int options, BulkInsertState bistate)
{
	if (!OidIsValid(relation->rd_rel->relrewrite) ||
		!(options & TABLE_INSERT_SKIP_FSM))
	{
		accept_row(relation, slot, options);
		tl_table_written_note(RelationGetRelid(relation));
	}
	GetHeapamTableAmRoutine()->tuple_insert(relation, slot, cid, options, bistate);
}

static void
ledger_tuple_insert_speculative(Relation relation, TupleTableSlot *slot,
								CommandId cid, int options,
								BulkInsertState bistate, uint32 token)
{
	accept_row(relation, slot, options);
	tl_table_written_note(RelationGetRelid(relation));
	GetHeapamTableAmRoutine()->tuple_insert_speculative(relation, slot, cid, options,
														bistate, token);
}

/* A speculative row that met a conflict is tried again: its ref is free. */
static void
ledger_tuple_complete_speculative(Relation relation, TupleTableSlot *slot,
								  uint32 token, bool succeeded)
{
	GetHeapamTableAmRoutine()->tuple_complete_speculative(relation, slot, token,
														  succeeded);
	if (!succeeded)
	{
		bool		is_null;
		Datum		ref = slot_getattr(slot, relation_cache(relation)->ref_attribute,
									   &is_null);

		if (!is_null)
			tl_table_issue_return(DatumGetTlRefBytes(ref));
	}
}

static void
ledger_multi_insert(Relation relation, TupleTableSlot **slots, int slot_count,
					CommandId cid, int options, BulkInsertState bistate)
{
	for (int i = 0; i < slot_count; i++)
		accept_row(relation, slots[i], options);
	tl_table_written_note(RelationGetRelid(relation));
	GetHeapamTableAmRoutine()->multi_insert(relation, slots, slot_count, cid,
											options, bistate);
}

/*
 * Rows of other members, as a final block has them: their refs were issued there
 * and nothing is to be batched here.  For table_insert.c and nobody else.
 */
void
tl_table_am_insert_foreign(Relation relation, TupleTableSlot **slots, int slot_count,
						   CommandId cid, struct BulkInsertStateData *bulk)
{
	if (!tl_table_am_is_ours(relation) || tl_table_build_active())
		elog(ERROR, "rows of another member cannot be inserted into \"%s\"",
			 RelationGetRelationName(relation));
	GetHeapamTableAmRoutine()->multi_insert(relation, slots, slot_count, cid, 0, bulk);
}

static void
refuse_change(Relation relation, const char *verb)
{
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_APPEND_ONLY)),
			errmsg("cannot %s ledger table \"%s\"", verb,
				   RelationGetRelationName(relation)),
			errdetail("Rows of a ledger table are there for ever."),
			errhint("Append a correcting row that refers to the old one by its ledger_ref."));
}

static TM_Result
ledger_tuple_delete(Relation relation, ItemPointer tid, CommandId cid,
					Snapshot snapshot, Snapshot crosscheck, bool wait,
					TM_FailureData *failure, bool changing_partition)
{
	refuse_change(relation, "delete from");
}

static TM_Result
ledger_tuple_update(Relation relation, ItemPointer tid, TupleTableSlot *slot,
					CommandId cid, Snapshot snapshot, Snapshot crosscheck,
					bool wait, TM_FailureData *failure,
					LockTupleMode *lock_mode, TlUpdateIndexes *update_indexes)
{
	refuse_change(relation, "update");
}

/* T3: a new relation gets its storage here, TRUNCATE would come here too. */
static void
ledger_set_new_filelocator(Relation relation, const TlFileLocator *locator,
						   char persistence, TransactionId *freeze_xid,
						   MultiXactId *min_multi)
{
	if (persistence != RELPERSISTENCE_PERMANENT)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_APPEND_ONLY)),
				errmsg("ledger table \"%s\" must be permanent and logged",
					   RelationGetRelationName(relation)),
				errhint("Leave out TEMPORARY and UNLOGGED, or add USING heap."));
	if (relation->rd_createSubid == InvalidSubTransactionId &&
		!tl_table_guard_allows_truncate(RelationGetRelid(relation)))
		refuse_change(relation, "truncate");
	GetHeapamTableAmRoutine()->tl_set_new_filelocator(relation, locator, persistence,
													  freeze_xid, min_multi);
}

static void
ledger_nontransactional_truncate(Relation relation)
{
	if (!tl_table_guard_allows_truncate(RelationGetRelid(relation)))
		refuse_change(relation, "truncate");
	GetHeapamTableAmRoutine()->relation_nontransactional_truncate(relation);
}

static Oid
ledger_toast_am(Relation relation)
{
	return HEAP_TABLE_AM_OID;
}

/* The one routine table, made at first use. */
const TableAmRoutine *
tl_table_am_routine(void)
{
	static TableAmRoutine routine;

	if (routine.type == T_TableAmRoutine)
		return &routine;
	routine = *GetHeapamTableAmRoutine();
	routine.tuple_insert = ledger_tuple_insert;
	routine.tuple_insert_speculative = ledger_tuple_insert_speculative;
	routine.tuple_complete_speculative = ledger_tuple_complete_speculative;
	routine.multi_insert = ledger_multi_insert;
	routine.tuple_delete = ledger_tuple_delete;
	routine.tuple_update = ledger_tuple_update;
	routine.tl_set_new_filelocator = ledger_set_new_filelocator;
	routine.relation_nontransactional_truncate = ledger_nontransactional_truncate;
	routine.index_build_range_scan = tl_table_build_range_scan;
	routine.index_validate_scan = tl_table_build_validate_scan;
	routine.relation_toast_am = ledger_toast_am;
	tl_table_filter_install(&routine);
	return &routine;
}

/* _PG_init says that the library was preloaded and its hooks are in place. */
void
tl_table_am_enable(void)
{
	enabled = true;
}

/*
 * Without the hooks TRUNCATE and DROP would pass, so without preload a ledger
 * table is not opened at all.
 */
Datum
tl_table_am_handler(PG_FUNCTION_ARGS)
{
	if (!enabled)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_NOT_PRELOADED)),
				errmsg("ledger tables need telco_ledger in shared_preload_libraries"),
				errdetail("Without it the server cannot protect them."),
				errhint("Set shared_preload_libraries = 'telco_ledger' in postgresql.conf and restart the server."));
	PG_RETURN_POINTER(tl_table_am_routine());
}
