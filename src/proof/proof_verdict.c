/*-------------------------------------------------------------------------
 *
 * proof_verdict.c
 *	  ledger.verify_receipt(): the verdict on a receipt, from its bytes alone.
 *
 * Needs no node and reads no table, so that any database with the extension
 * can check receipts of any ledger.  The verdict itself is proof_check.c's;
 * here jsonb becomes the nodes that proof_json.h reads.  jsonb keeps one of two
 * equal keys, so what people see in the value is what is checked.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "proof_check.h"
#include "proof_json.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_verify_receipt);

static void convert_container(TlJsonNode *out, JsonbContainer *container,
							  int depth);
static void convert_value(TlJsonNode *out, const JsonbValue *value, int depth);
static void convert_text(TlJsonNode *out, const char *text, size_t size);
static Datum row_of(Jsonb *receipt);

/* ledger.verify_receipt(receipt) -> valid, reason, member, height, row */
Datum
tl_verify_receipt(PG_FUNCTION_ARGS)
{
	Jsonb	   *receipt = PG_GETARG_JSONB_P(0);
	TlReceiptColumn *columns = palloc0(sizeof(TlReceiptColumn) * TL_COLUMN_COUNT_MAX);
	TlVerdict	verdict = {0};
	TlReceipt	read;
	TlJsonNode	root;
	TupleDesc	description;
	Datum		values[5];
	bool		nulls[5] = {false, false, true, true, true};

	if (get_call_result_type(fcinfo, NULL, &description) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "ledger.verify_receipt must return a row");
	convert_container(&root, &receipt->root, 0);
	verdict.reason = tl_proof_json_read(&read, columns, &root);
	if (verdict.reason == NULL)
		tl_proof_check(&verdict, &read, NULL);
	values[0] = BoolGetDatum(verdict.valid);
	values[1] = CStringGetTextDatum(verdict.reason);
	if (verdict.valid)
	{
		nulls[2] = nulls[3] = nulls[4] = false;
		values[2] = PointerGetDatum(cstring_to_text_with_len((const char *) verdict.member.data,
															 (int) verdict.member.size));
		values[3] = Int64GetDatum((int64) verdict.height);
		values[4] = row_of(receipt);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(description),
													  values, nulls)));
}

static void
convert_container(TlJsonNode *out, JsonbContainer *container, int depth)
{
	JsonbIterator *iterator = JsonbIteratorInit(container);
	bool		is_object = JsonContainerIsObject(container);
	size_t		count = JsonContainerSize(container);
	JsonbValue	value;
	JsonbIteratorToken token;
	size_t		next = 0;

	check_stack_depth();
	memset(out, 0, sizeof(*out));
	out->kind = TL_JSON_OTHER;
	if (depth > TL_JSON_DEPTH_MAX || JsonContainerIsScalar(container))
		return;
	out->kind = is_object ? TL_JSON_OBJECT : TL_JSON_ARRAY;
	out->count = count;
	out->children = MemoryContextAllocHuge(CurrentMemoryContext,
										   sizeof(TlJsonNode) * (count + 1));
	if (!is_object)
		out->room = MemoryContextAllocHuge(CurrentMemoryContext,
										   count * TL_HASH_SIZE + 1);
	(void) JsonbIteratorNext(&iterator, &value, true);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		TlSpan		key = {NULL, 0};

		CHECK_FOR_INTERRUPTS();
		if (token != WJB_KEY && token != WJB_ELEM)
			continue;
		if (token == WJB_KEY)
		{
			key.data = (const uint8_t *) value.val.string.val;
			key.size = value.val.string.len;
			(void) JsonbIteratorNext(&iterator, &value, true);
		}
		convert_value(&out->children[next], &value, depth + 1);
		out->children[next++].key = key;
	}
	Assert(next == count);
}

static void
convert_value(TlJsonNode *out, const JsonbValue *value, int depth)
{
	char	   *number;

	memset(out, 0, sizeof(*out));
	switch (value->type)
	{
		case jbvNull:
			out->kind = TL_JSON_NULL;
			break;
		case jbvString:
			out->kind = TL_JSON_STRING;
			convert_text(out, value->val.string.val, value->val.string.len);
			break;
		case jbvNumeric:
			out->kind = TL_JSON_NUMBER;
			number = DatumGetCString(DirectFunctionCall1(numeric_out,
														 NumericGetDatum(value->val.numeric)));
			convert_text(out, number, strlen(number));
			break;
		case jbvBinary:
			convert_container(out, value->val.binary.data, depth);
			break;
		default:
			out->kind = TL_JSON_OTHER;
			break;
	}
}

/* A copy of the text's size to decode into; the text stays where it is. */
static void
convert_text(TlJsonNode *out, const char *text, size_t size)
{
	out->text.data = (const uint8_t *) text;
	out->text.size = size;
	out->room = MemoryContextAllocHuge(CurrentMemoryContext, size + 1);
}

/* receipt -> 'row' */
static Datum
row_of(Jsonb *receipt)
{
	return DirectFunctionCall2(jsonb_object_field, JsonbPGetDatum(receipt),
							   CStringGetTextDatum("row"));
}
