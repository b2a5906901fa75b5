/*-------------------------------------------------------------------------
 *
 * test_chain_history.c
 *	  What blocks store of the history tree is enough for every path.
 *
 *-------------------------------------------------------------------------
 */
#include "chain_history.h"

#include "merkle_proof.h"
#include "unit.h"

#include <string.h>

#define BLOCKS_MAX	130

/* As the blocks' rows keep them. */
static TlHash stored[BLOCKS_MAX][TL_MERKLE_DEPTH_MAX];
static unsigned stored_count[BLOCKS_MAX];
static TlHash leaves[BLOCKS_MAX];
static TlHash roots[BLOCKS_MAX + 1];
static unsigned reads;

static TlStatus
read_node(void *context, TlHash *out, unsigned level, uint64_t index)
{
	uint64_t	size = *(const uint64_t *) context;
	uint64_t	height;

	reads++;
	UNIT_CHECK(tl_chain_history_locate(&height, level, index) == TL_OK);
	if (!UNIT_CHECK(height < size && level < stored_count[height]))
		return TL_BUG;
	*out = stored[height][level];
	return TL_OK;
}

static void
every_path(void)
{
	TlMerkleRange range;

	unit_random_bytes(leaves, sizeof(leaves));
	tl_merkle_range_init(&range);
	for (uint64_t size = 0; size < BLOCKS_MAX; size++)
	{
		tl_merkle_range_root(&range, &roots[size]);
		UNIT_CHECK(tl_chain_history_append(&range, stored[size], &stored_count[size],
										   &leaves[size]) == TL_OK);
		UNIT_CHECK(stored_count[size] == (unsigned) __builtin_ctzll(size + 1) + 1);
	}
	tl_merkle_range_root(&range, &roots[BLOCKS_MAX]);
	for (uint64_t size = 1; size <= BLOCKS_MAX; size++)
	{
		for (uint64_t index = 0; index < size; index++)
		{
			TlHash		path[TL_MERKLE_PATH_MAX];
			unsigned	count = TL_MERKLE_PATH_MAX;

			UNIT_CHECK(tl_merkle_inclusion_path(path, &count, index, size,
												read_node, &size) == TL_OK);
			UNIT_CHECK(tl_merkle_inclusion_verify(&leaves[index], index, size, path,
												  count, &roots[size]));
		}
	}
	UNIT_CHECK(reads > BLOCKS_MAX);
}

static void
nodes_beyond(void)
{
	uint64_t	height;

	UNIT_CHECK(tl_chain_history_locate(&height, 64, 0) == TL_BUG);
	UNIT_CHECK(tl_chain_history_locate(&height, 63, 1) == TL_BUG);
	UNIT_CHECK(tl_chain_history_locate(&height, 0, UINT64_MAX) == TL_BUG);
	UNIT_CHECK(tl_chain_history_locate(&height, 3, 2) == TL_OK && height == 23);
	UNIT_CHECK(tl_chain_history_locate(&height, 63, 0) == TL_OK && height == INT64_MAX);
}

UNIT_MAIN(UNIT_CASE(every_path), UNIT_CASE(nodes_beyond))
