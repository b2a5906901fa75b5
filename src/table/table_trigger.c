/*-------------------------------------------------------------------------
 *
 * table_trigger.c
 *	  The trigger ledger.verify_signature, and ledger.message_to_sign.
 *
 * For each row: the row's own signature.  For each statement: all new rows
 * carry one key and one signature, over the tree of their messages in order of
 * insertion, which is the order of the transition table and of their refs.
 *
 * The worker checks ledger tables again, from the stored rows alone, and takes
 * neighbours in order of ref that carry the same key and signature for one
 * statement.  So two such statements of one transaction must not touch, nor
 * rows of another statement stand between the rows of one: both are refused
 * here, where somebody can still do something about it.
 *
 * In restore mode rows come with their old refs and were checked when they were
 * new; what no batch holds is found by ledger.verify.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"
#include "utils/uuid.h"

#include "merkle_hash.h"
#include "table_am.h"
#include "table_issue.h"
#include "table_message.h"
#include "table_scan.h"
#include "tl_compat.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_verify_signature);
PG_FUNCTION_INFO_V1(tl_message_to_sign);
PG_FUNCTION_INFO_V1(tl_signing_id);

#define ROW_HINT \
	"Sign SHA-256 of what ledger.message_to_sign gives for the row, its key filled in."
#define STATEMENT_HINT \
	"Sign SHA-256 of what ledger.message_to_sign gives for the array of all rows, their key filled in."

/* Kept from row to row of a statement. */
typedef struct TriggerState
{
	Oid			trigger;
	Oid			relation;
	MemoryContext context;		/* of what follows */
	TlMessageBuilder *builder;
} TriggerState;

/* The rows of a statement on a ledger table: where they lie. */
typedef struct StatementRefs
{
	uint64_t	count;
	TlRefBytes	first;
	TlRefBytes	last;
} StatementRefs;

static bool is_restoring(Relation relation);
static TlMessageBuilder *builder_of(FunctionCallInfo fcinfo,
									const TriggerData *data);
static void verify_row(const TriggerData *data, TlMessageBuilder *builder);
static void verify_statement(TriggerData *data, TlMessageBuilder *builder);
tl_noreturn static void refuse_row(const TriggerData *data, TlStatus status,
								   const char *reason);
static void note_ref(StatementRefs *refs, TupleTableSlot *slot,
					 AttrNumber attribute, const TriggerData *data);
static void check_neighbours(const TriggerData *data, const StatementRefs *refs,
							 TlMessageBuilder *builder,
							 const TlSignedStatement *statement);
static uint64_t rows_between(TlRefScan *scan, const StatementRefs *refs);
static const Trigger *choose_trigger(Relation relation, const char *name);
static TlSpan message_of_rows(Relation relation, TlMessageBuilder *builder,
							  bool per_statement, Datum value, Oid type);
static TlSpan message_of_row(TlMessageBuilder *builder, TupleTableSlot *slot,
							 TlSignedStatement *statement);
static void store_row(TupleTableSlot *slot, Datum value, HeapTuple tuple);

/* ledger.verify_signature('key', 'signature', 'column, ...' [, 'algorithm']) */
Datum
tl_verify_signature(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	bool		is_update;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("ledger.verify_signature can only be called as a trigger"),
				errhint("Use CREATE TRIGGER ... EXECUTE FUNCTION ledger.verify_signature(...); to check one signature, ledger.ecdsa_verify and its like."));
	is_update = TRIGGER_FIRED_BY_UPDATE(data->tg_event);
	if (!is_restoring(data->tg_relation))
	{
		TlMessageBuilder *builder = builder_of(fcinfo, data);

		if (TRIGGER_FIRED_FOR_ROW(data->tg_event))
			verify_row(data, builder);
		else
			verify_statement(data, builder);
	}
	if (TRIGGER_FIRED_BEFORE(data->tg_event))
		return PointerGetDatum(is_update ? data->tg_newtuple : data->tg_trigtuple);
	return PointerGetDatum(NULL);
}

/* Is this a ledger table of a database that is no live node? */
static bool
is_restoring(Relation relation)
{
	TlIdentity	identity;

	if (!tl_table_am_is_ours(relation))
		return false;
	tl_table_identity(&identity);
	return tl_table_identity_is_restoring(&identity);
}

static TlMessageBuilder *
builder_of(FunctionCallInfo fcinfo, const TriggerData *data)
{
	TriggerState *state = fcinfo->flinfo->fn_extra;
	MemoryContext caller;

	if (state == NULL)
	{
		state = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(TriggerState));
		state->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt,
											   "ledger.verify_signature",
											   ALLOCSET_SMALL_SIZES);
		fcinfo->flinfo->fn_extra = state;
	}
	if (state->builder != NULL && state->trigger == data->tg_trigger->tgoid &&
		state->relation == RelationGetRelid(data->tg_relation))
		return state->builder;
	state->builder = NULL;
	MemoryContextReset(state->context);
	caller = MemoryContextSwitchTo(state->context);
	state->builder =
		tl_table_message_open(tl_table_requirement_of_trigger(data->tg_relation,
															  data->tg_trigger),
							  RelationGetDescr(data->tg_relation), state->context);
	MemoryContextSwitchTo(caller);
	state->trigger = data->tg_trigger->tgoid;
	state->relation = RelationGetRelid(data->tg_relation);
	return state->builder;
}

static void
verify_row(const TriggerData *data, TlMessageBuilder *builder)
{
	TupleTableSlot *slot = TRIGGER_FIRED_BY_UPDATE(data->tg_event) ?
		data->tg_newslot : data->tg_trigslot;
	TlSignedRow row;
	TlStatus	status;
	const char *reason;

	tl_table_message_read(builder, &row, slot);
	reason = tl_table_message_judge(builder, &row, &status);
	if (reason != NULL)
		refuse_row(data, status, reason);
}

static void
refuse_row(const TriggerData *data, TlStatus status, const char *reason)
{
	bool		per_row = TRIGGER_FIRED_FOR_ROW(data->tg_event);

	ereport(ERROR,
			errcode(TL_ERRCODE(status)),
			errmsg(per_row ? "a row of \"%s\" is not signed as trigger \"%s\" demands" :
				   "rows of \"%s\" are not signed as trigger \"%s\" demands",
				   RelationGetRelationName(data->tg_relation),
				   data->tg_trigger->tgname),
			errdetail_internal("%s", reason),
			errhint("%s", per_row ? ROW_HINT : STATEMENT_HINT));
}

/* All new rows at once, one after another. */
static void
verify_statement(TriggerData *data, TlMessageBuilder *builder)
{
	bool		is_ledger = tl_table_am_is_ours(data->tg_relation);
	AttrNumber	ref_attribute = is_ledger ?
		tl_table_am_ref_attribute(data->tg_relation) : InvalidAttrNumber;
	Tuplestorestate *rows = data->tg_newtable;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(data->tg_relation),
													&TTSOpsMinimalTuple);
	TlSignedStatement statement;
	StatementRefs refs;
	TlSignedRow row;
	TlStatus	status;
	const char *reason = NULL;

	memset(&refs, 0, sizeof(refs));
	tuplestore_select_read_pointer(rows, tuplestore_alloc_read_pointer(rows, EXEC_FLAG_REWIND));
	tuplestore_rescan(rows);
	while (tuplestore_gettupleslot(rows, true, false, slot))
	{
		CHECK_FOR_INTERRUPTS();
		tl_table_message_read(builder, &row, slot);
		if (refs.count == 0)
			reason = tl_table_message_start(builder, &statement, &row, &status);
		if (reason != NULL)
			refuse_row(data, status, reason);
		if (!tl_table_message_append(&statement, &row))
			refuse_row(data, TL_BAD_SIGNATURE,
					   "All rows of the statement must carry the same key and signature.");
		if (is_ledger)
			note_ref(&refs, slot, ref_attribute, data);
		refs.count++;
	}
	ExecDropSingleTupleTableSlot(slot);
	if (refs.count == 0)
		return;
	reason = tl_table_message_judge_statement(builder, &statement, &status);
	if (reason != NULL)
		refuse_row(data, status, reason);
	if (is_ledger)
		check_neighbours(data, &refs, builder, &statement);
}

/* The worker reads in order of ref, so the statement must have inserted so. */
static void
note_ref(StatementRefs *refs, TupleTableSlot *slot, AttrNumber attribute,
		 const TriggerData *data)
{
	bool		is_null;
	Datum		value = slot_getattr(slot, attribute, &is_null);
	TlRefBytes	ref;

	if (is_null)
		elog(ERROR, "ledger_ref of a new row of \"%s\" is null",
			 RelationGetRelationName(data->tg_relation));
	ref = *DatumGetTlRefBytes(value);
	if (refs->count > 0 && tl_table_ref_compare(&ref, &refs->last) <= 0)
		refuse_row(data, TL_BAD_SIGNATURE,
				   "The rows were not inserted in order of their ledger_ref.");
	if (refs->count == 0)
		refs->first = ref;
	refs->last = ref;
}

/* Does the table show the rows of this statement as one, and no others? */
static void
check_neighbours(const TriggerData *data, const StatementRefs *refs,
				 TlMessageBuilder *builder, const TlSignedStatement *statement)
{
	TlRefScan  *scan = tl_table_scan_open(data->tg_relation, SnapshotSelf);
	TlSignedStatement before = *statement;
	TlRef		first,
				last;
	TlRefBytes	low,
				ref;
	TlSignedRow row;

	tl_table_ref_unpack(&first, &refs->first);
	tl_table_ref_unpack(&last, &refs->last);
	if (last.row - first.row + 1 != refs->count &&
		rows_between(scan, refs) != refs->count)
		refuse_row(data, TL_BAD_SIGNATURE,
				   "Another statement has inserted rows among those of this one.");
	last = first;
	last.row = first.row - 1;
	first.row = 0;
	tl_table_ref_pack(&low, &first);
	tl_table_ref_pack(&ref, &last);
	tl_table_scan_start(scan, &low, &ref);
	if (tl_table_scan_previous(scan, &ref))
	{
		tl_table_message_read(builder, &row, tl_table_scan_slot(scan));
		if (row.message.data != NULL && tl_table_message_append(&before, &row))
			refuse_row(data, TL_BAD_SIGNATURE,
					   "The statement before it in this transaction carries the same signature.");
	}
	tl_table_scan_close(scan);
}

static uint64_t
rows_between(TlRefScan *scan, const StatementRefs *refs)
{
	uint64_t	count = 0;
	TlRefBytes	ref;

	tl_table_scan_start(scan, &refs->first, &refs->last);
	while (tl_table_scan_next(scan, &ref))
	{
		CHECK_FOR_INTERRUPTS();
		count++;
	}
	return count;
}

/*
 * ledger.message_to_sign(relation, row or array of rows, trigger) -> bytea.
 * Not STRICT: the trigger may be NULL.
 */
Datum
tl_message_to_sign(PG_FUNCTION_ARGS)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, 1);
	Relation	relation;
	const Trigger *trigger;
	TlRequirement *requirement;
	TlMessageBuilder *builder;
	TlSpan		message;
	bytea	   *result;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	relation = table_open(PG_GETARG_OID(0), AccessShareLock);
	trigger = choose_trigger(relation, PG_ARGISNULL(2) ? NULL :
							 NameStr(*PG_GETARG_NAME(2)));
	requirement = tl_table_requirement_of_trigger(relation, trigger);
	builder = tl_table_message_open(requirement, RelationGetDescr(relation),
									CurrentMemoryContext);
	message = message_of_rows(relation, builder, requirement->per_statement,
							  PG_GETARG_DATUM(1), type);
	result = palloc(VARHDRSZ + message.size);
	SET_VARSIZE(result, VARHDRSZ + message.size);
	memcpy(VARDATA(result), message.data, message.size);
	tl_table_message_close(builder);
	table_close(relation, AccessShareLock);
	PG_RETURN_BYTEA_P(result);
}

/* ledger.signing_id(relation, trigger) -> uuid */
Datum
tl_signing_id(PG_FUNCTION_ARGS)
{
	Relation	relation;
	TlRequirement *requirement;
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	relation = table_open(PG_GETARG_OID(0), AccessShareLock);
	requirement =
		tl_table_requirement_of_trigger(relation,
										choose_trigger(relation, PG_ARGISNULL(1) ? NULL :
													   NameStr(*PG_GETARG_NAME(1))));
	memcpy(uuid->data, requirement->signing_id, TL_TABLE_ID_SIZE);
	table_close(relation, AccessShareLock);
	PG_RETURN_UUID_P(uuid);
}

/* The table's signature trigger, by name if there are several. */
static const Trigger *
choose_trigger(Relation relation, const char *name)
{
	TriggerDesc *triggers = relation->trigdesc;
	const Trigger *found = NULL;
	int			count = 0;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (!tl_table_requirement_is_ours(trigger) ||
			(name != NULL && strcmp(name, trigger->tgname) != 0))
			continue;
		found = trigger;
		count++;
	}
	if (count > 1)
		ereport(ERROR,
				errcode(ERRCODE_AMBIGUOUS_FUNCTION),
				errmsg("table \"%s\" has several triggers that execute ledger.verify_signature",
					   RelationGetRelationName(relation)),
				errhint("Name the trigger in the last argument."));
	if (count == 0 && name != NULL)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("table \"%s\" has no trigger \"%s\" that executes ledger.verify_signature",
					   RelationGetRelationName(relation), name),
				errhint("Leave the trigger out, or name one of pg_trigger that does."));
	if (count == 0)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("table \"%s\" has no trigger that executes ledger.verify_signature",
					   RelationGetRelationName(relation)),
				errhint("Use CREATE TRIGGER ... EXECUTE FUNCTION ledger.verify_signature('key_column', 'signature_column', 'column, column, ...')."));
	return found;
}

/* One row, or of a statement all of them. */
static TlSpan
message_of_rows(Relation relation, TlMessageBuilder *builder,
				bool per_statement, Datum value, Oid type)
{
	Oid			element = get_element_type(type);
	Oid			row_type = OidIsValid(element) ? element : type;
	TupleTableSlot *slot;
	TlSignedStatement statement;
	HeapTupleData tuple;
	TlSpan		message;

	if (row_type != relation->rd_rel->reltype)
		ereport(ERROR,
				errcode(ERRCODE_DATATYPE_MISMATCH),
				errmsg("a row of \"%s\" is needed, not a value of type %s",
					   RelationGetRelationName(relation), format_type_be(type)),
				errhint("Use ROW(...)::%s or jsonb_populate_record(NULL::%s, ...).",
						RelationGetRelationName(relation),
						RelationGetRelationName(relation)));
	if (OidIsValid(element) && !per_statement)
		ereport(ERROR,
				errcode(ERRCODE_DATATYPE_MISMATCH),
				errmsg("the trigger on \"%s\" wants each row to be signed",
					   RelationGetRelationName(relation)),
				errhint("Ask for the message of one row at a time."));
	slot = MakeSingleTupleTableSlot(RelationGetDescr(relation), &TTSOpsHeapTuple);
	tl_merkle_range_init(&statement.rows);
	if (!OidIsValid(element))
	{
		store_row(slot, value, &tuple);
		message = message_of_row(builder, slot, &statement);
	}
	else
	{
		ArrayIterator iterator = array_create_iterator(DatumGetArrayTypeP(value), 0, NULL);
		Datum		item;
		bool		is_null;

		while (array_iterate(iterator, &item, &is_null))
		{
			CHECK_FOR_INTERRUPTS();
			if (is_null)
				ereport(ERROR,
						errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("a row of a statement to sign is null"),
						errhint("Give an array of rows without nulls."));
			store_row(slot, item, &tuple);
			(void) message_of_row(builder, slot, &statement);
		}
		if (statement.rows.size == 0)
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("a statement to sign has no rows"),
					errhint("A statement that inserts nothing needs no signature."));
	}
	if (per_statement)
		message = tl_table_message_statement(builder, &statement);
	ExecDropSingleTupleTableSlot(slot);
	return message;
}

/* The message of a row that is not signed yet, appended to its statement. */
static TlSpan
message_of_row(TlMessageBuilder *builder, TupleTableSlot *slot,
			   TlSignedStatement *statement)
{
	TlSignedRow row;
	TlHash		leaf_hash;

	tl_table_message_read(builder, &row, slot);
	if (row.message.data == NULL)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_BAD_KEY)),
				errmsg("the row to sign has no key of a valid size"),
				errhint("Fill in the key column: the key is part of what is signed."));
	if (statement->rows.size == 0)
	{
		memcpy(statement->key, row.key.data, row.key.size);
		statement->key_size = row.key.size;
	}
	else if (row.key.size != statement->key_size ||
			 memcmp(row.key.data, statement->key, row.key.size) != 0)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_BAD_KEY)),
				errmsg("the rows of a statement to sign have different keys"),
				errhint("Insert the rows of each signer in a statement of their own."));
	tl_merkle_leaf_hash(&leaf_hash, row.message.data, row.message.size);
	tl_error_check(tl_merkle_range_append(&statement->rows, &leaf_hash),
				   "tree of a statement");
	return row.message;
}

/* A composite value as a row; tuple must live as long as the slot holds it. */
static void
store_row(TupleTableSlot *slot, Datum value, HeapTuple tuple)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(value);

	tuple->t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple->t_self);
	tuple->t_tableOid = InvalidOid;
	tuple->t_data = header;
	ExecStoreHeapTuple(tuple, slot, false);
}
