/*-------------------------------------------------------------------------
 *
 * proof_jsonb.c
 *	  A jsonb value as the nodes that proof_json.h reads.
 *
 * jsonb keeps one of two equal keys, so what people see in the value is what is
 * read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "proof_jsonb.h"

static void convert_container(TlJsonNode *out, JsonbContainer *container,
							  int depth);
static void convert_value(TlJsonNode *out, const JsonbValue *value, int depth);
static void convert_text(TlJsonNode *out, const char *text, size_t size);

void
tl_proof_jsonb_nodes(TlJsonNode *out, Jsonb *value)
{
	convert_container(out, &value->root, 0);
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
