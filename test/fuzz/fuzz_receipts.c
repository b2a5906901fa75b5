/*-------------------------------------------------------------------------
 *
 * fuzz_receipts.c
 *	  The verdict on documents of many receipts that are arbitrary trees.
 *
 * Input: a tree of values, each a byte of kind and then, of a string or number,
 * u16 size and bytes; of an array u8 count and its values; of an object u8 count
 * and for each member u8 size, key, value.  Whatever comes, a verdict must come
 * out; rows are reported only from what is in the tree, and a valid one shows a
 * member and a block that is not above the head.
 *
 *-------------------------------------------------------------------------
 */
#include "proof_bundle.h"

#include <stdlib.h>
#include <string.h>

#define NODES_MAX	2048

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static TlJsonNode pool[NODES_MAX];
static size_t pool_used;
static uint8_t room[1 << 20];
static size_t room_used;
static TlBundleChecker checker;
static size_t reported;

static void
require(bool condition)
{
	if (!condition)
		abort();
}

static uint8_t *
take_room(size_t size)
{
	uint8_t    *taken = room + room_used;

	if (size > sizeof(room) - room_used)
		return NULL;
	room_used += size;
	return taken;
}

/* Children first take their places, so that they lie side by side. */
static void
read_node(TlReader *reader, TlJsonNode *out, int depth)
{
	uint8_t		kind = tl_get_u8(reader) % 6;
	size_t		count;

	memset(out, 0, sizeof(*out));
	out->kind = TL_JSON_OTHER;
	if (depth > TL_JSON_DEPTH_MAX || reader->truncated)
		return;
	if (kind == 0)
		out->kind = TL_JSON_NULL;
	else if (kind == 1 || kind == 2)
	{
		out->text = tl_get_span(reader, tl_get_u16(reader));
		out->room = take_room(out->text.size);
		if (out->room != NULL)
			out->kind = kind == 1 ? TL_JSON_STRING : TL_JSON_NUMBER;
	}
	else if (kind == 3 || kind == 4)
	{
		count = tl_get_u8(reader);
		out->room = take_room(count * TL_HASH_SIZE);
		if (out->room == NULL || count > NODES_MAX - pool_used)
			return;
		out->kind = kind == 3 ? TL_JSON_ARRAY : TL_JSON_OBJECT;
		out->count = count;
		out->children = &pool[pool_used];
		pool_used += count;
		for (size_t i = 0; i < count; i++)
		{
			TlSpan		key = {NULL, 0};

			if (kind == 4)
				key = tl_get_span(reader, tl_get_u8(reader));
			read_node(reader, &out->children[i], depth + 1);
			out->children[i].key = key;
		}
	}
}

static void
report(void *context, const TlBundleVerdict *verdict)
{
	require(context == &checker);
	require(verdict->node >= pool && verdict->node < pool + pool_used);
	require(verdict->reason != NULL && verdict->reason[0] != '\0');
	if (verdict->valid)
	{
		require(verdict->member.size > 0 && verdict->ref.member != 0);
		require(verdict->height > 0 && verdict->height <= checker.chain.head.height);
	}
	reported++;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TlReader	reader;
	TlJsonNode	root;
	TlConsistency consistency;
	const char *problem;

	pool_used = room_used = reported = 0;
	tl_reader_init(&reader, data, size);
	read_node(&reader, &root, 0);
	(void) tl_proof_json_is_bundle(&root);
	(void) tl_proof_json_consistency(&consistency, &root);
	problem = tl_proof_bundle_check(&checker, &root, NULL, NULL, report, &checker);
	require(problem == NULL || problem[0] != '\0');
	require(problem != NULL || reported > 0);
	require(checker.row_count == reported);
	return 0;
}
