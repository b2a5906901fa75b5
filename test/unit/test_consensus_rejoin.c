/*-------------------------------------------------------------------------
 *
 * test_consensus_rejoin.c
 *	  Payload of REJOIN: vectors, offsets, round trip, and what is refused.
 *
 *-------------------------------------------------------------------------
 */
#include "chain_block.h"
#include "consensus_rejoin.h"

#include "unit.h"

#include <string.h>

static int	vectors_used;

static void
fill(TlRejoin *rejoin)
{
	static const char reason[] = "disk failed";

	memset(rejoin, 0, sizeof(*rejoin));
	rejoin->cause = TL_REJOIN_ROLLED_BACK;
	rejoin->incarnation = 3;
	memset(rejoin->nonce, 0xa1, TL_NONCE_SIZE);
	rejoin->before = 1;
	memset(rejoin->nonce_before, 0xb2, TL_NONCE_SIZE);
	rejoin->sequence = 41;
	memset(rejoin->digest.bytes, 0xc3, TL_HASH_SIZE);
	rejoin->last.height = 20;
	rejoin->last.view = 22;
	memset(rejoin->last.hash.bytes, 0xd4, TL_HASH_SIZE);
	rejoin->lost.height = 30;
	rejoin->lost.view = 35;
	memset(rejoin->lost.hash.bytes, 0xe5, TL_HASH_SIZE);
	rejoin->lost_incarnation = 2;
	rejoin->problem_count = 7;
	rejoin->unbatched_rows = 9;
	rejoin->reason.data = (const uint8_t *) reason;
	rejoin->reason.size = strlen(reason);
}

static TlStatus
encode(const TlRejoin *rejoin, uint8_t *bytes, size_t *size)
{
	TlWriter	writer;
	TlStatus	status;

	tl_writer_init(&writer, bytes, TL_REJOIN_SIZE_MAX);
	status = tl_consensus_rejoin_encode(&writer, rejoin);
	*size = writer.size;
	return status;
}

static void
check_refused(const TlRejoin *rejoin, TlStatus wanted)
{
	uint8_t		bytes[TL_REJOIN_SIZE_MAX];
	size_t		size;

	UNIT_CHECK(encode(rejoin, bytes, &size) == wanted);
}

static void
bytes_of_rejoin(void)
{
	uint8_t		bytes[TL_REJOIN_SIZE_MAX + 1];
	uint8_t		again[TL_REJOIN_SIZE_MAX];
	TlRejoin	rejoin;
	TlRejoin	back;
	size_t		size;
	size_t		again_size;

	fill(&rejoin);
	UNIT_CHECK(encode(&rejoin, bytes, &size) == TL_OK);
	UNIT_CHECK(size == TL_REJOIN_SIZE_FIXED + rejoin.reason.size);

	/* offsets are those of the table in consensus_rejoin.c */
	UNIT_CHECK(bytes[0] == 1 && bytes[1] == 2 && bytes[3] == 3);
	UNIT_CHECK(bytes[4] == 0xa1 && bytes[19] == 0xa1 && bytes[21] == 1);
	UNIT_CHECK(bytes[22] == 0xb2 && bytes[37] == 0xb2 && bytes[45] == 41);
	UNIT_CHECK(bytes[46] == 0xc3 && bytes[77] == 0xc3);
	UNIT_CHECK(bytes[85] == 20 && bytes[93] == 22 && bytes[94] == 0xd4);
	UNIT_CHECK(bytes[133] == 30 && bytes[141] == 35 && bytes[142] == 0xe5);
	UNIT_CHECK(bytes[175] == 2 && bytes[179] == 7 && bytes[187] == 9);
	UNIT_CHECK(bytes[223] == 11 && memcmp(bytes + 224, "disk failed", 11) == 0);

	UNIT_CHECK(tl_consensus_rejoin_decode(&back, bytes, size) == TL_OK);
	UNIT_CHECK(encode(&back, again, &again_size) == TL_OK);
	UNIT_CHECK(again_size == size && memcmp(bytes, again, size) == 0);
	for (size_t cut = 0; cut < size; cut++)
		UNIT_CHECK(tl_consensus_rejoin_decode(&back, bytes, cut) != TL_OK);
	UNIT_CHECK(tl_consensus_rejoin_decode(&back, bytes, size + 1) == TL_TRAILING_BYTES);
	bytes[0] = 3;
	UNIT_CHECK(tl_consensus_rejoin_decode(&back, bytes, size) == TL_BAD_VERSION);
	bytes[0] = 2;				/* which has replies */
	UNIT_CHECK(tl_consensus_rejoin_decode(&back, bytes, size) == TL_TRUNCATED);
	bytes[0] = 1;
	bytes[200] ^= 1;			/* replies, which one member cannot have */
	UNIT_CHECK(tl_consensus_rejoin_decode(&back, bytes, size) == TL_BAD_FORMAT);

}

static void
use_vector(const UnitRecord *record)
{
	uint8_t		bytes[TL_REJOIN_SIZE_MAX];
	uint8_t		again[TL_REJOIN_SIZE_MAX];
	uint8_t		nonce[TL_NONCE_SIZE];
	TlHash		digest;
	TlHash		wanted;
	TlHash		entry;
	TlRejoin	rejoin;
	size_t		size;
	size_t		again_size;

	if (strcmp(unit_text(record, "kind"), "rejoin") != 0)
		return;
	vectors_used++;
	size = unit_bytes(bytes, sizeof(bytes), record, "payload");
	UNIT_CHECK(tl_consensus_rejoin_decode(&rejoin, bytes, size) == TL_OK);
	UNIT_CHECK(encode(&rejoin, again, &again_size) == TL_OK);
	UNIT_CHECK(again_size == size && memcmp(bytes, again, size) == 0);
	unit_bytes(nonce, sizeof(nonce), record, "nonce");
	UNIT_CHECK(memcmp(rejoin.nonce, nonce, sizeof(nonce)) == 0);
	UNIT_CHECK(rejoin.incarnation == 3 && rejoin.before == 1 && rejoin.lost_incarnation == 2);
	unit_bytes(digest.bytes, sizeof(digest), record, "digest");
	unit_bytes(wanted.bytes, sizeof(wanted), record, "entries_root");
	tl_chain_entry_leaf_hash(&entry, TL_LOG_REJOIN, &digest);
	UNIT_CHECK(memcmp(&entry, &wanted, sizeof(entry)) == 0);
	tl_chain_entry_leaf_hash(&entry, TL_LOG_GOVERN, &digest);
	UNIT_CHECK(memcmp(&entry, &wanted, sizeof(entry)) != 0);
}

static void
vectors(void)
{
	unit_vectors("chain.txt", use_vector);
	UNIT_CHECK(vectors_used == 1);
}

static void
rejoins_that_are_none(void)
{
	static char long_reason[TL_REJOIN_REASON_SIZE_MAX + 1];
	TlRejoin	rejoin;

	fill(&rejoin);
	rejoin.cause = 3;
	check_refused(&rejoin, TL_BAD_FORMAT);
	fill(&rejoin);
	rejoin.incarnation = rejoin.before;	/* J1 */
	check_refused(&rejoin, TL_BAD_FORMAT);
	fill(&rejoin);
	rejoin.sequence = 0;
	check_refused(&rejoin, TL_BAD_FORMAT);
	fill(&rejoin);
	memset(&rejoin.lost, 0, sizeof(rejoin.lost));	/* J2 */
	check_refused(&rejoin, TL_BAD_FORMAT);
	rejoin.lost_incarnation = 0;
	check_refused(&rejoin, TL_OK);
	rejoin.reason.data = (const uint8_t *) long_reason;
	rejoin.reason.size = sizeof(long_reason);
	check_refused(&rejoin, TL_TOO_LARGE);
}

UNIT_MAIN(UNIT_CASE(vectors), UNIT_CASE(bytes_of_rejoin), UNIT_CASE(rejoins_that_are_none))
