/*-------------------------------------------------------------------------
 *
 * proof_verdict.c
 *	  ledger.verify_receipt() and ledger.verify_receipts(): the verdict on
 *	  receipts, from their bytes alone.
 *
 * Need no node and read no table, so that any database with the extension can
 * check receipts of any ledger.  The verdict itself is proof_check.c's and
 * proof_bundle.c's; here jsonb becomes nodes, and verdicts become rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "proof_bundle.h"
#include "proof_check.h"
#include "proof_json.h"
#include "proof_jsonb.h"
#include "table_ref.h"
#include "tl_compat.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_verify_receipt);
PG_FUNCTION_INFO_V1(tl_verify_receipts);

/* What the caller had before; NULL where there is nothing. */
typedef struct Anchor
{
	const TlCheckpoint *checkpoint;
	const TlConsistency *consistency;
	TlCheckpoint head;
	TlConsistency proof;
} Anchor;

/* Where rows of verify_receipts go. */
typedef struct VerdictResult
{
	ReturnSetInfo *info;
	MemoryContext row_context;
} VerdictResult;

static void read_anchor(Anchor *out, FunctionCallInfo fcinfo);
static void read_hashes(TlSpan *out, ArrayType *array);
static void check_one(TlVerdict *verdict, TlReceipt *receipt,
					  const TlJsonNode *root, const Anchor *anchor);
static void put_one(VerdictResult *result, const TlJsonNode *root, const Anchor *anchor);
static void put_verdict(void *context, const TlBundleVerdict *verdict);
static void put_row(VerdictResult *result, const TlRef *ref, const char *reason,
					bool valid, TlSpan member, uint64_t height,
					const TlReceiptColumn *columns, uint32_t column_count);
static Datum text_of(TlSpan span);
static Datum row_of(const TlReceiptColumn *columns, uint32_t count);

/* ledger.verify_receipt(receipt, tree_head, consistency) -> one row */
Datum
tl_verify_receipt(PG_FUNCTION_ARGS)
{
	TlVerdict	verdict;
	TlReceipt	receipt;
	TlJsonNode	root;
	Anchor		anchor;
	TupleDesc	description;
	Datum		values[5];
	bool		nulls[5] = {false, false, true, true, true};

	if (get_call_result_type(fcinfo, NULL, &description) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "ledger.verify_receipt must return a row");
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	read_anchor(&anchor, fcinfo);
	tl_proof_jsonb_nodes(&root, PG_GETARG_JSONB_P(0));
	check_one(&verdict, &receipt, &root, &anchor);
	values[0] = BoolGetDatum(verdict.valid);
	values[1] = CStringGetTextDatum(verdict.reason);
	if (verdict.valid)
	{
		nulls[2] = nulls[3] = nulls[4] = false;
		values[2] = text_of(verdict.member);
		values[3] = Int64GetDatum((int64) verdict.height);
		values[4] = row_of(receipt.columns, receipt.column_count);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(description),
													  values, nulls)));
}

/*
 * ledger.verify_receipts(receipts, tree_head, consistency) -> a row for each
 * row of the document, and one without ref for what is wrong with the whole.
 */
Datum
tl_verify_receipts(PG_FUNCTION_ARGS)
{
	static const TlRef none = {0};
	static const TlSpan empty = {NULL, 0};
	TlBundleChecker *checker;
	const char *problem;
	TlJsonNode	root;
	Anchor		anchor;
	VerdictResult		result;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	result.info = (ReturnSetInfo *) fcinfo->resultinfo;
	result.row_context = AllocSetContextCreate(CurrentMemoryContext,
											   "ledger.verify_receipts row",
											   ALLOCSET_DEFAULT_SIZES);
	read_anchor(&anchor, fcinfo);
	tl_proof_jsonb_nodes(&root, PG_GETARG_JSONB_P(0));
	if (!tl_proof_json_is_bundle(&root))
	{
		put_one(&result, &root, &anchor);
		return (Datum) 0;
	}
	checker = palloc(sizeof(TlBundleChecker));
	problem = tl_proof_bundle_check(checker, &root, anchor.checkpoint,
									anchor.consistency, put_verdict, &result);
	if (problem != NULL)
		put_row(&result, &none, problem, false, empty, 0, NULL, 0);
	return (Datum) 0;
}

/* Arguments 1 and 2: a kept tree head, and hashes from it to the receipt's. */
static void
read_anchor(Anchor *out, FunctionCallInfo fcinfo)
{
	text	   *head;
	TlStatus	status;

	memset(out, 0, sizeof(*out));
	if (PG_ARGISNULL(1) && !PG_ARGISNULL(2))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("a consistency proof needs the tree head that it belongs to"),
				errhint("Give the kept tree head as second argument."));
	if (PG_ARGISNULL(1))
		return;
	head = PG_GETARG_TEXT_PP(1);
	status = tl_proof_checkpoint_decode(&out->head, VARDATA_ANY(head),
										VARSIZE_ANY_EXHDR(head));
	if (status == TL_TRUNCATED)
	{
		/* psql and others take the last line feed away */
		char	   *whole = psprintf("%s\n", text_to_cstring(head));

		status = tl_proof_checkpoint_decode(&out->head, whole, strlen(whole));
	}
	if (status != TL_OK)
		ereport(ERROR,
				errcode(TL_ERRCODE(status)),
				errmsg("this is not a tree head: %s", tl_status_text(status)),
				errhint("It must be the text of ledger.tree_head(), as it was kept."));
	out->checkpoint = &out->head;
	if (PG_ARGISNULL(2))
		return;
	read_hashes(&out->proof.hashes, PG_GETARG_ARRAYTYPE_P(2));
	out->consistency = &out->proof;
}

static void
read_hashes(TlSpan *out, ArrayType *array)
{
	Datum	   *values;
	bool	   *nulls;
	int			count;
	TlHash	   *hashes;

	deconstruct_array(array, BYTEAOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
	hashes = palloc(sizeof(TlHash) * (count + 1));
	for (int i = 0; i < count; i++)
	{
		bytea	   *bytes = nulls[i] ? NULL : DatumGetByteaPP(values[i]);

		if (bytes == NULL || VARSIZE_ANY_EXHDR(bytes) != TL_HASH_SIZE)
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("each hash of a consistency proof must have %d bytes",
						   TL_HASH_SIZE),
					errhint("Give the array as ledger.consistency_proof(old_size, new_size) returned it."));
		memcpy(hashes[i].bytes, VARDATA_ANY(bytes), TL_HASH_SIZE);
	}
	out->data = (const uint8_t *) hashes;
	out->size = (size_t) count * TL_HASH_SIZE;
}

static void
check_one(TlVerdict *verdict, TlReceipt *receipt, const TlJsonNode *root,
		  const Anchor *anchor)
{
	TlReceiptColumn *columns = palloc0(sizeof(TlReceiptColumn) * TL_COLUMN_COUNT_MAX);

	memset(verdict, 0, sizeof(*verdict));
	verdict->reason = tl_proof_json_read(receipt, columns, root);
	if (verdict->reason == NULL)
		tl_proof_check(verdict, receipt, anchor->checkpoint, anchor->consistency);
}

/* A document of one receipt. */
static void
put_one(VerdictResult *result, const TlJsonNode *root, const Anchor *anchor)
{
	TlVerdict	verdict;
	TlReceipt	receipt;

	check_one(&verdict, &receipt, root, anchor);
	put_row(result, &verdict.ref, verdict.reason, verdict.valid, verdict.member,
			verdict.height, receipt.columns, receipt.column_count);
}

static void
put_verdict(void *context, const TlBundleVerdict *verdict)
{
	put_row(context, &verdict->ref, verdict->reason, verdict->valid,
			verdict->member, verdict->height, verdict->row->columns,
			verdict->row->column_count);
}

/* ref, valid, reason, member, height, row; no ref if its member is 0 */
static void
put_row(VerdictResult *result, const TlRef *ref, const char *reason, bool valid,
		TlSpan member, uint64_t height, const TlReceiptColumn *columns,
		uint32_t column_count)
{
	MemoryContext old = MemoryContextSwitchTo(result->row_context);
	TlRefBytes	bytes;
	Datum		values[6];
	bool		nulls[6] = {ref->member == 0, false, false, !valid, !valid, !valid};

	CHECK_FOR_INTERRUPTS();
	tl_table_ref_pack(&bytes, ref);
	values[0] = TlRefBytesGetDatum(&bytes);
	values[1] = BoolGetDatum(valid);
	values[2] = CStringGetTextDatum(reason);
	if (valid)
	{
		values[3] = text_of(member);
		values[4] = Int64GetDatum((int64) height);
		values[5] = row_of(columns, column_count);
	}
	tuplestore_putvalues(result->info->setResult, result->info->setDesc, values, nulls);
	MemoryContextSwitchTo(old);
	MemoryContextReset(result->row_context);
}

static Datum
text_of(TlSpan span)
{
	return PointerGetDatum(cstring_to_text_with_len((const char *) span.data,
													(int) span.size));
}

/* The columns as an object of strings and nulls. */
static Datum
row_of(const TlReceiptColumn *columns, uint32_t count)
{
	JsonbParseState *state = NULL;
	JsonbValue *object;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (uint32_t i = 0; i < count; i++)
	{
		JsonbValue	value;

		value.type = jbvString;
		value.val.string.val = unconstify(char *, (const char *) columns[i].name.data);
		value.val.string.len = (int) columns[i].name.size;
		(void) pushJsonbValue(&state, WJB_KEY, &value);
		value.type = columns[i].is_null ? jbvNull : jbvString;
		value.val.string.val = unconstify(char *, (const char *) columns[i].text.data);
		value.val.string.len = (int) columns[i].text.size;
		(void) pushJsonbValue(&state, WJB_VALUE, &value);
	}
	object = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbPGetDatum(JsonbValueToJsonb(object));
}
