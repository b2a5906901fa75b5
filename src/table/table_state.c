/*-------------------------------------------------------------------------
 *
 * table_state.c
 *	  The access method `ledger_state`: tables that contracts change.
 *
 * Heap, with everything but reading refused to everybody, superusers included,
 * unless a final block is being applied and a call of the contract runs in
 * whose schema the table lies.  That is a state of this process (executing) and
 * no setting.
 *
 * Every change is noted: the element of the row that came or went, in the set
 * hash of its table (chain_state.c).  The bytes of a row are those of
 * table_row.c with the ref 1.0.0.1 and version 1 of the table, since its
 * definition is the contract's source.  The executor takes
 * the notes after each call.  A column is known by its place among those that
 * are there: dumps and restores keep that, and not attribute numbers, of which
 * those of dropped columns are left out.  A new version of a contract changes
 * columns; then all rows are noted as gone before and as come afterwards
 * (tl_table_state_note_all).  A subtransaction that ends in vain takes its notes
 * with it: they are the last ones, since notes carry the subtransaction in which
 * they were made and later ones have greater numbers.  Who keeps old images of rows
 * is told of each change too (node_image.c).
 *
 * How many changes one call may make, and how many bytes of rows it may write, can
 * be bounded.  Which these are follows from the state and the arguments, whatever
 * plan a server has; and a call that goes beyond has failed, whichever row it met last.
 *
 * Invariants
 *	  Y1  rows change only while a call of their contract runs, or all are replaced
 *	  Y2  whatever changes rows and is not undone is noted
 *	  Y3  such tables are made by scripts of contracts alone, and never emptied
 *
 * The contents of all state tables may be replaced as a whole, by those that a quorum
 * has signed (node_replace.c, tl_table_state_replace): their sets come with them, so
 * nothing is noted.
 *
 * In restore mode (the database is no live node) a superuser or the owner brings
 * rows of a dump, and nothing is noted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "table_build.h"
#include "table_contract.h"
#include "table_definition.h"
#include "table_fit.h"
#include "table_guard.h"
#include "table_image.h"
#include "table_issue.h"
#include "table_shared.h"
#include "table_state.h"
#include "tl_compat.h"
#include "tl_error.h"
#include "tl_limits.h"

PG_FUNCTION_INFO_V1(tl_state_am_handler);

#define CHANGES_AT_FIRST	64

/* Encoders of the tables that this transaction has changed. */
typedef struct StateEncoder
{
	struct StateEncoder *next;
	Oid			relation;
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	TlImageKey	key;
	TlTableEncoder *encoder;
	TupleTableSlot *old;		/* room for the row that goes, or NULL */
	MemoryContext room;			/* where that is */
	SubTransactionId made_in;
} StateEncoder;

static bool enabled = false;
static Oid	executing = InvalidOid; /* schema of the contract whose call runs */
static TlRowElement element_of = NULL;
static int	changes_max = 0;	/* of that call; 0: any number */
static Size written_max = 0;
static Size written = 0;
static TlStateWatch watching = NULL;
static bool replacing = false;

/* In the context of the top transaction; NULL and 0 between transactions. */
static StateEncoder *encoders = NULL;
static TlStateChange *changes = NULL;
static int	change_count = 0;
static int	change_room = 0;

static void on_transaction(XactEvent event, void *argument);
static void on_subtransaction(SubXactEvent event, SubTransactionId own,
							  SubTransactionId parent, void *argument);
static Oid	access_method(void);
static bool check_writable(Relation relation);
tl_noreturn static void refuse(Relation relation);
static bool may_restore(Relation relation);
static StateEncoder *encoder_for(Relation relation);
static void note_new(Relation relation, TupleTableSlot *slot);
static void note_old(Relation relation, TlSpan row);
static void note_same_key(Relation relation, TupleTableSlot *slot);
static void check_written(Size size);
static void note(const StateEncoder *encoder, TlSpan row, int sign);
static void tell(const StateEncoder *encoder, TlSpan row, TlSpan before);
static TlSpan row_stored(Relation relation, ItemPointer tid);
static bool may_have_new_storage(Relation relation);
static const TableAmRoutine *routine(void);

/* From _PG_init: the library was preloaded and its hooks are in place. */
void
tl_table_state_init(void)
{
	enabled = true;
	RegisterXactCallback(on_transaction, NULL);
	RegisterSubXactCallback(on_subtransaction, NULL);
}

bool
tl_table_state_is_ours(Relation relation)
{
	return relation->rd_tableam == routine();
}

/* The OID of access method `ledger_state`, or InvalidOid without the extension. */
static Oid
access_method(void)
{
	return get_am_oid("ledger_state", true);
}

bool
tl_table_state_is_state(Oid relation)
{
	Oid			method = access_method();
	HeapTuple	tuple;
	bool		result;

	if (!OidIsValid(method))
		return false;
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	if (!HeapTupleIsValid(tuple))
		return false;
	result = ((Form_pg_class) GETSTRUCT(tuple))->relam == method;
	ReleaseSysCache(tuple);
	return result;
}

/* Its definition: what the contract's source has made. */
void
tl_table_state_version(TlTableVersion *out, Relation relation)
{
	tl_table_definition_current(out, relation);
	out->version = 1;
	out->by_place = true;
	tl_table_shared_id(out->table_id, out->schema_name, out->table_name);
}

/* A call of the contract begins, inside a subtransaction of its own. */
void
tl_table_state_begin(Oid schema, TlRowElement element)
{
	executing = schema;
	element_of = element;
	changes_max = 0;
	written_max = 0;
}

/* So much may change until tl_table_state_end(), and nothing has yet. */
void
tl_table_state_bound(int changes, Size size)
{
	changes_max = changes;
	written_max = size;
	written = 0;
}

void
tl_table_state_end(void)
{
	executing = InvalidOid;
}

void
tl_table_state_watch(TlStateWatch watch)
{
	watching = watch;
}

/* Rows that come and go are all that there are, until this ends, or the transaction. */
void
tl_table_state_replace(bool on)
{
	replacing = on;
}

/* The schema of the contract whose call runs, or InvalidOid. */
Oid
tl_table_state_executing(void)
{
	return executing;
}

const TlStateChange *
tl_table_state_take(int *count)
{
	*count = change_count;
	change_count = 0;
	return changes;
}

static void
on_transaction(XactEvent event, void *argument)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
	{
		executing = InvalidOid;
		watching = NULL;
		replacing = false;
		encoders = NULL;
		changes = NULL;
		change_count = change_room = 0;
	}
}

static void
on_subtransaction(SubXactEvent event, SubTransactionId own, SubTransactionId parent,
				  void *argument)
{
	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	replacing = false;
	while (change_count > 0 && changes[change_count - 1].subtransaction >= own)
		change_count--;
	/* what they hold is let go by the resource owner */
	for (StateEncoder *encoder = encoders; encoder != NULL; encoder = encoder->next)
		if (encoder->old != NULL)
		{
			encoder->old = NULL;
			MemoryContextDelete(encoder->room);
		}
	/* the newest come first; a definition of theirs may go with it */
	while (encoders != NULL && encoders->made_in >= own)
	{
		tl_table_encoder_close(encoders->encoder);
		encoders = encoders->next;
	}
}

/* Y1; false: a row of a dump, of a rewrite or of a whole state comes, which is not noted. */
static bool
check_writable(Relation relation)
{
	if (replacing)
		return false;
	if (OidIsValid(executing) && RelationGetNamespace(relation) == executing &&
		!tl_table_build_active())
		return true;
	if (OidIsValid(relation->rd_rel->relrewrite) && tl_table_contract_running() != NULL)
		return false;			/* by ALTER TABLE in a contract's script */
	if (!may_restore(relation))
		refuse(relation);
	return false;
}

static void
refuse(Relation relation)
{
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_STATE_TABLE)),
			errmsg("cannot change state table \"%s\"", RelationGetRelationName(relation)),
			errdetail("Its rows are changed by its contract alone, at all members alike, while a final block is applied."),
			errhint("Call a function of the contract, and look at its outcome: SELECT * FROM ledger.outcome(ref, wait => '5 s')."));
}

static bool
may_restore(Relation relation)
{
	TlIdentity	identity;

	tl_table_identity(&identity);
	return tl_table_identity_is_restoring(&identity) &&
		(superuser() || tl_relation_is_owned(RelationGetRelid(relation), GetUserId()));
}

static StateEncoder *
encoder_for(Relation relation)
{
	MemoryContext caller;
	TlTableVersion version;
	StateEncoder *found;

	for (found = encoders; found != NULL; found = found->next)
		if (found->relation == RelationGetRelid(relation))
			return found;
	caller = MemoryContextSwitchTo(TopTransactionContext);
	found = palloc0(sizeof(StateEncoder));
	found->relation = RelationGetRelid(relation);
	found->made_in = GetCurrentSubTransactionId();
	tl_table_state_version(&version, relation);
	memcpy(found->table_id, version.table_id, TL_TABLE_ID_SIZE);
	tl_table_image_key_open(&found->key, relation);
	found->encoder = tl_table_encoder_open(relation, &version, TopTransactionContext);
	found->next = encoders;
	encoders = found;
	MemoryContextSwitchTo(caller);
	return found;
}

/* A row that was not there before. */
static void
note_new(Relation relation, TupleTableSlot *slot)
{
	StateEncoder *encoder = encoder_for(relation);
	TlSpan		row = tl_table_encoder_row(encoder->encoder, slot);
	TlSpan		nothing = {NULL, 0};

	check_written(row.size);
	note(encoder, row, 1);
	tell(encoder, row, nothing);
}

/* One that has gone. */
static void
note_old(Relation relation, TlSpan row)
{
	StateEncoder *encoder = encoder_for(relation);

	note(encoder, row, -1);
	tell(encoder, row, row);
}

/* What an update has made of it: functions do not change keys (contract_query.c). */
static void
note_same_key(Relation relation, TupleTableSlot *slot)
{
	StateEncoder *encoder = encoder_for(relation);
	TlSpan		row = tl_table_encoder_row(encoder->encoder, slot);

	check_written(row.size);
	note(encoder, row, 1);
}

static void
check_written(Size size)
{
	written += size;
	if (written_max > 0 && written > written_max)
		ereport(ERROR,
				errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("the call writes more than %zu bytes of state", written_max),
				errhint("Write less in one call."));
}

static void
tell(const StateEncoder *encoder, TlSpan row, TlSpan before)
{
	TlHash		key;

	if (watching == NULL)
		return;
	tl_table_image_key(&key, &encoder->key, row);
	watching(encoder->table_id, &key, before);
}

/* Y2 */
static void
note(const StateEncoder *encoder, TlSpan row, int sign)
{
	TlStateChange *change;
	TlHash		element;

	if (changes_max > 0 && change_count >= changes_max)
		ereport(ERROR,
				errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				errmsg("the call changes state more than %d times", changes_max),
				errdetail("A row that is inserted or deleted counts once, one that is updated twice."),
				errhint("Do less in one call: several calls, each for a part of the rows."));
	tl_error_check(element_of(&element, row.data, row.size), "row of a state table");
	if (change_room == 0)
	{
		change_room = CHANGES_AT_FIRST;
		changes = MemoryContextAlloc(TopTransactionContext, change_room * sizeof(TlStateChange));
	}
	else if (change_count == change_room)
	{
		change_room *= 2;
		changes = repalloc_huge(changes, change_room * sizeof(TlStateChange));
	}
	change = &changes[change_count++];
	memcpy(change->table_id, encoder->table_id, TL_TABLE_ID_SIZE);
	change->element = element;
	change->sign = sign;
	change->subtransaction = GetCurrentSubTransactionId();
}

/* The row that will go, until another one is encoded; of no size if there is none any more. */
static TlSpan
row_stored(Relation relation, ItemPointer tid)
{
	StateEncoder *encoder = encoder_for(relation);
	TlSpan		bytes = {NULL, 0};

	if (encoder->old == NULL)
	{
		MemoryContext caller;

		encoder->room = AllocSetContextCreate(TopTransactionContext, "row of a state table",
											  ALLOCSET_SMALL_SIZES);
		caller = MemoryContextSwitchTo(encoder->room);
		/* with values of columns that were added after the row */
		encoder->old = MakeSingleTupleTableSlot(CreateTupleDescCopyConstr(RelationGetDescr(relation)),
												table_slot_callbacks(relation));
		MemoryContextSwitchTo(caller);
	}
	if (!table_tuple_fetch_row_version(relation, tid, SnapshotAny, encoder->old))
		return bytes;
	bytes = tl_table_encoder_row(encoder->encoder, encoder->old);
	ExecClearTuple(encoder->old);
	return bytes;
}

/*
 * Of all its rows, as its definition is now: before something else than its rows
 * changes what they are (-1), and afterwards (1).
 */
void
tl_table_state_note_all(Oid relation_oid, TlRowElement element, int sign)
{
	Relation	relation = table_open(relation_oid, AccessExclusiveLock);
	TupleTableSlot *slot = table_slot_create(relation, NULL);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan_strat(relation, snapshot, 0, NULL, true, false);
	const StateEncoder *encoder;

	element_of = element;
	changes_max = 0;			/* what is bounded is a call */
	written_max = 0;
	tl_table_state_forget();
	encoder = encoder_for(relation);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		note(encoder, tl_table_encoder_row(encoder->encoder, slot), sign);
	}
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	ExecDropSingleTupleTableSlot(slot);
	table_close(relation, NoLock);
	tl_table_state_forget();
}

/*
 * How rows are encoded, and which columns their keys are: the definition of a table
 * has changed.  The top transaction's memory has that.
 */
void
tl_table_state_forget(void)
{
	for (StateEncoder *encoder = encoders; encoder != NULL; encoder = encoder->next)
	{
		if (encoder->old != NULL)
			MemoryContextDelete(encoder->room);
		tl_table_encoder_close(encoder->encoder);
	}
	encoders = NULL;
}

static void
state_tuple_insert(Relation relation, TupleTableSlot *slot, CommandId cid, int options,
				   BulkInsertState bistate)
{
	bool		noted = check_writable(relation);

	if (noted)
		tl_table_fit_check_size(relation, slot, TL_SHARED_ROW_SIZE_MAX);
	GetHeapamTableAmRoutine()->tuple_insert(relation, slot, cid, options, bistate);
	if (noted)
		note_new(relation, slot);
}

/* ON CONFLICT; noted when it is known that it stays. */
static void
state_tuple_insert_speculative(Relation relation, TupleTableSlot *slot, CommandId cid,
							   int options, BulkInsertState bistate, uint32 token)
{
	if (check_writable(relation))
		tl_table_fit_check_size(relation, slot, TL_SHARED_ROW_SIZE_MAX);
	GetHeapamTableAmRoutine()->tuple_insert_speculative(relation, slot, cid, options, bistate,
														token);
}

static void
state_tuple_complete_speculative(Relation relation, TupleTableSlot *slot, uint32 token,
								 bool succeeded)
{
	GetHeapamTableAmRoutine()->tuple_complete_speculative(relation, slot, token, succeeded);
	if (succeeded && check_writable(relation))
		note_new(relation, slot);
}

static void
state_multi_insert(Relation relation, TupleTableSlot **slots, int slot_count, CommandId cid,
				   int options, BulkInsertState bistate)
{
	bool		noted = check_writable(relation);

	for (int i = 0; noted && i < slot_count; i++)
		tl_table_fit_check_size(relation, slots[i], TL_SHARED_ROW_SIZE_MAX);
	GetHeapamTableAmRoutine()->multi_insert(relation, slots, slot_count, cid, options, bistate);
	for (int i = 0; noted && i < slot_count; i++)
		note_new(relation, slots[i]);
}

static TM_Result
state_tuple_delete(Relation relation, ItemPointer tid, CommandId cid, Snapshot snapshot,
				   Snapshot crosscheck, bool wait, TM_FailureData *failure,
				   bool changing_partition)
{
	TM_Result	result;
	TlSpan		old;

	if (replacing)
		return GetHeapamTableAmRoutine()->tuple_delete(relation, tid, cid, snapshot, crosscheck,
													   wait, failure, changing_partition);
	if (!check_writable(relation))
		refuse(relation);
	old = row_stored(relation, tid);
	result = GetHeapamTableAmRoutine()->tuple_delete(relation, tid, cid, snapshot, crosscheck,
													 wait, failure, changing_partition);
	if (result == TM_Ok && old.size == 0)
		elog(ERROR, "a row of state table \"%s\" went unseen", RelationGetRelationName(relation));
	if (result == TM_Ok)
		note_old(relation, old);
	return result;
}

static TM_Result
state_tuple_update(Relation relation, ItemPointer tid, TupleTableSlot *slot, CommandId cid,
				   Snapshot snapshot, Snapshot crosscheck, bool wait, TM_FailureData *failure,
				   LockTupleMode *lock_mode, TlUpdateIndexes *update_indexes)
{
	TM_Result	result;
	TlSpan		old;

	if (replacing || !check_writable(relation))
		refuse(relation);
	tl_table_fit_check_size(relation, slot, TL_SHARED_ROW_SIZE_MAX);
	old = row_stored(relation, tid);
	result = GetHeapamTableAmRoutine()->tuple_update(relation, tid, slot, cid, snapshot,
													 crosscheck, wait, failure, lock_mode,
													 update_indexes);
	if (result == TM_Ok && old.size == 0)
		elog(ERROR, "a row of state table \"%s\" went unseen", RelationGetRelationName(relation));
	if (result == TM_Ok)
	{
		note_old(relation, old);
		note_same_key(relation, slot);
	}
	return result;
}

/* A session's lock on a row would keep blocks from being applied. */
static TM_Result
state_tuple_lock(Relation relation, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot,
				 CommandId cid, LockTupleMode mode, LockWaitPolicy wait_policy, uint8 flags,
				 TM_FailureData *failure)
{
	(void) check_writable(relation);
	return GetHeapamTableAmRoutine()->tuple_lock(relation, tid, snapshot, slot, cid, mode,
												 wait_policy, flags, failure);
}

/* Y3: a new relation gets its storage here, TRUNCATE would come here too. */
static void
state_set_new_filelocator(Relation relation, const TlFileLocator *locator, char persistence,
						  TransactionId *freeze_xid, MultiXactId *min_multi)
{
	if (persistence != RELPERSISTENCE_PERMANENT || !may_have_new_storage(relation))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_STATE_TABLE)),
				errmsg("cannot create or empty state table \"%s\"", RelationGetRelationName(relation)),
				errdetail("State tables are made by the scripts of contracts, and are the same at all members."),
				errhint("Deploy a contract: ledger.deploy(name, source); or add USING heap."));
	GetHeapamTableAmRoutine()->tl_set_new_filelocator(relation, locator, persistence, freeze_xid,
													  min_multi);
}

/* Also VACUUM FULL and CLUSTER, which make a relation in the same schema. */
static bool
may_have_new_storage(Relation relation)
{
	TlIdentity	identity;

	if (!tl_table_guard_active() || tl_table_contract_running() != NULL)
		return true;
	tl_table_identity(&identity);
	return tl_table_identity_is_restoring(&identity) ||
		(relation->rd_createSubid != InvalidSubTransactionId &&
		 tl_table_contract_owns(RelationGetNamespace(relation)));
}

static void
state_nontransactional_truncate(Relation relation)
{
	TlIdentity	identity;

	tl_table_identity(&identity);
	if (tl_table_guard_active() && !tl_table_identity_is_restoring(&identity))
		refuse(relation);
	GetHeapamTableAmRoutine()->relation_nontransactional_truncate(relation);
}

static Oid
state_toast_am(Relation relation)
{
	return HEAP_TABLE_AM_OID;
}

/* The one routine table, made at first use. */
static const TableAmRoutine *
routine(void)
{
	static TableAmRoutine made;

	if (made.type == T_TableAmRoutine)
		return &made;
	made = *GetHeapamTableAmRoutine();
	made.tuple_insert = state_tuple_insert;
	made.tuple_insert_speculative = state_tuple_insert_speculative;
	made.tuple_complete_speculative = state_tuple_complete_speculative;
	made.multi_insert = state_multi_insert;
	made.tuple_delete = state_tuple_delete;
	made.tuple_update = state_tuple_update;
	made.tuple_lock = state_tuple_lock;
	made.tl_set_new_filelocator = state_set_new_filelocator;
	made.relation_nontransactional_truncate = state_nontransactional_truncate;
	made.index_build_range_scan = tl_table_build_range_scan;
	made.index_validate_scan = tl_table_build_validate_scan;
	made.relation_toast_am = state_toast_am;
	return &made;
}

Datum
tl_state_am_handler(PG_FUNCTION_ARGS)
{
	if (!enabled)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_NOT_PRELOADED)),
				errmsg("state tables need telco_ledger in shared_preload_libraries"),
				errdetail("Without it the server cannot protect them."),
				errhint("Set shared_preload_libraries = 'telco_ledger' in postgresql.conf and restart the server."));
	PG_RETURN_POINTER(routine());
}
