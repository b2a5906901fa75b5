/*-------------------------------------------------------------------------
 *
 * chain_state.c
 *	  The state of a ledger in a root: sets of rows, and what was rejected.
 *
 * A shared table's state is the set hash of its rows (crypto_set_hash.c).  What
 * is hashed of a row is
 *
 *		table id 16 || row bytes without their blinding
 *
 * (table_row.c): so it can be computed again from the table alone, and a row
 * that comes twice, in sections of two keys, is the same element.
 *
 * The state root is the RFC 6962 root over one leaf a table, ascending by id.
 * A table whose set is empty has none, whether it ever had a row or not:
 *
 *		offset	size	field
 *		0		1		leaf kind, 0x09
 *		1		1		format, 1
 *		2		16		table id
 *		18		32		digest of the set hash
 *
 * The outcome root stands over what blocks did beside that, in the order in
 * which it happened.  A rejected row:
 *
 *		0		1		leaf kind, 0x07
 *		1		1		format, 1
 *		2		1		3: rejection (1 is a call's outcome, 2 an event, 4 a batch's outcome,
 *						5 a timer's, below)
 *		3		8		height of the block
 *		11		16		ref
 *		27		5		SQLSTATE
 *		32		32		Hash(0x01 || digest of the batch || leaf hash of the row, as its
 *						section has it): another batch may have the same row
 *
 * A batch that was refused as a whole, since its bytes are no body, or not the one
 * of its root, or since rows contradict each other.  Nobody can say of all its rows
 * which they are, so it has this leaf, before those of the rows that can be named:
 *
 *		2		1		4: refused batch
 *		3		8		height of the block
 *		11		16		zeros
 *		27		5		SQLSTATE
 *		32		32		digest of the batch
 *
 * A call of a contract:
 *
 *		2		1		1: outcome
 *		3		8		height of the block
 *		11		16		ref of the call
 *		27		5		SQLSTATE: 00000 done; P0001 refused by the contract in its
 *						own words; TL025 passed over by the members; 2F000 an error of data or constraints: which
 *						of several is met first may follow from the order in
 *						which rows are stored, so it is not said here
 *		32		32		Hash(0x00 || the contract's own words), UTF-8; of nothing
 *						unless they are such
 *
 * A deployment that the members pass over, likewise: with the ref 0.0.height.0, and
 * TL025.  Of those that are run, with whatever result, there is no leaf.
 *
 * A timer of a contract that has run:
 *
 *		2		1		5: timer
 *		3		8		height of the block
 *		11		16		ref 0.0.height.number: that one of the timers of the block
 *		27		5		SQLSTATE, as of a call
 *		32		32		Hash(0x01 || leaf hash of the timer || Hash(0x00 || words)), the
 *						words as of a call; the timer is the length of the
 *						contract's name (1), the name, the length of the
 *						handler's (1), the name, when it was due (8, in
 *						microseconds since 1970), its key
 *
 * An event that a call, a handler of rows or a timer has told, before its outcome:
 *
 *		2		1		2: event
 *		3		8		height of the block
 *		11		16		ref of the call, row or timer
 *		27		5		00000
 *		32		32		leaf hash of the event: its number in the block (4, from 1), the
 *						length of the contract's name (1), the name, the length of
 *						the event's (1), the name, its payload as text
 *
 * Invariants
 *	  V1  a state has one root: the tables ascend, none is empty
 *
 * Pure code: no PostgreSQL, no allocation.
 * Used by the worker that applies blocks, and by proof.
 *
 *-------------------------------------------------------------------------
 */
#include "chain_state.h"

#include "merkle_hash.h"
#include "tl_wire.h"

#include <string.h>

#define LEAF_OUTCOME	0x07
#define LEAF_STATE		0x09
#define LEAF_FORMAT		1
#define OUTCOME_CALL		1
#define OUTCOME_EVENT		2
#define OUTCOME_REJECTION	3
#define OUTCOME_BATCH		4
#define OUTCOME_TIMER		5

#define TIMER_SIZE_MAX		2048
#define EVENT_SIZE_MAX		(4 + 2 * (1 + UINT8_MAX) + TL_EVENT_PAYLOAD_SIZE_MAX)

#define BLINDING_END	(TL_ROW_BLINDING_OFFSET + TL_BLINDING_SIZE)

static TlStatus put_outcome(uint8_t leaf[TL_OUTCOME_LEAF_SIZE], uint8_t what, uint64_t height,
							const uint8_t ref[TL_REF_SIZE],
							const char sqlstate[TL_SQLSTATE_SIZE], const TlHash *hash);
static void put_name(TlWriter *writer, const char *name);

/* What stands for this row in its table's set. */
TlStatus
tl_chain_state_row_element(TlHash *out, const void *row, size_t size)
{
	const uint8_t *bytes = row;
	TlRowDecoder decoder;
	TlRowHeader header;
	TlStatus	status = tl_table_row_open(&decoder, &header, row, size);
	TlSpan		parts[3];

	if (status != TL_OK)
		return status;
	parts[0].data = header.table_id;
	parts[0].size = TL_TABLE_ID_SIZE;
	parts[1].data = bytes;
	parts[1].size = TL_ROW_BLINDING_OFFSET;
	parts[2].data = bytes + BLINDING_END;
	parts[2].size = size - BLINDING_END;
	tl_crypto_set_hash_element(out, parts, 3);
	return TL_OK;
}

void
tl_chain_state_init(TlStateTree *tree)
{
	TlSetHash	nothing;

	memset(tree, 0, sizeof(*tree));
	tl_merkle_range_init(&tree->range);
	tl_crypto_set_hash_init(&nothing);
	tl_crypto_set_hash_digest(&tree->empty, &nothing);
}

/* V1; the digest of the table's set hash. */
TlStatus
tl_chain_state_add(TlStateTree *tree, const uint8_t table_id[TL_TABLE_ID_SIZE],
				   const TlHash *digest)
{
	uint8_t		leaf[TL_STATE_LEAF_SIZE];
	TlWriter	writer;
	TlHash		hash;

	if (tree->begun && memcmp(tree->last_id, table_id, TL_TABLE_ID_SIZE) >= 0)
		return TL_BAD_ORDER;
	tree->begun = true;
	memcpy(tree->last_id, table_id, TL_TABLE_ID_SIZE);
	if (memcmp(digest, &tree->empty, sizeof(*digest)) == 0)
		return TL_OK;
	tl_writer_init(&writer, leaf, sizeof(leaf));
	tl_put_u8(&writer, LEAF_STATE);
	tl_put_u8(&writer, LEAF_FORMAT);
	tl_put_bytes(&writer, table_id, TL_TABLE_ID_SIZE);
	tl_put_hash(&writer, digest);
	tl_merkle_leaf_hash(&hash, leaf, writer.size);
	return tl_merkle_range_append(&tree->range, &hash);
}

void
tl_chain_state_root(TlHash *out, const TlStateTree *tree)
{
	tl_merkle_range_root(&tree->range, out);
}

TlStatus
tl_chain_state_rejection(uint8_t leaf[TL_OUTCOME_LEAF_SIZE],
						 const TlRejection *rejection)
{
	TlHash		hash;

	tl_chain_state_rejected_row(&hash, &rejection->batch, &rejection->row);
	return put_outcome(leaf, OUTCOME_REJECTION, rejection->height, rejection->ref,
					   rejection->sqlstate, &hash);
}

/* What the leaf of a rejected row says of it: the row in this batch, not in another. */
void
tl_chain_state_rejected_row(TlHash *out, const TlHash *batch, const TlHash *row)
{
	tl_merkle_node_hash(out, batch, row);
}

TlStatus
tl_chain_state_refused_batch(uint8_t leaf[TL_OUTCOME_LEAF_SIZE],
							 const TlRefusedBatch *refused)
{
	static const uint8_t no_ref[TL_REF_SIZE] = {0};

	return put_outcome(leaf, OUTCOME_BATCH, refused->height, no_ref, refused->sqlstate,
					   &refused->batch);
}

/* What became of a call. */
TlStatus
tl_chain_state_outcome(uint8_t leaf[TL_OUTCOME_LEAF_SIZE], const TlCallOutcome *outcome)
{
	return put_outcome(leaf, OUTCOME_CALL, outcome->height, outcome->ref, outcome->sqlstate,
					   &outcome->words);
}

/* What became of a timer, and which one it was. */
TlStatus
tl_chain_state_timer(uint8_t leaf[TL_OUTCOME_LEAF_SIZE], const TlTimerOutcome *outcome)
{
	uint8_t		bytes[TIMER_SIZE_MAX];
	TlWriter	writer;
	TlHash		timer;
	TlHash		hash;

	if (strlen(outcome->contract) > UINT8_MAX || strlen(outcome->handler) > UINT8_MAX)
		return TL_TOO_LARGE;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	put_name(&writer, outcome->contract);
	put_name(&writer, outcome->handler);
	tl_put_i64(&writer, outcome->at);
	tl_put_bytes(&writer, outcome->key, strlen(outcome->key));
	if (tl_writer_finish(&writer) != TL_OK)
		return TL_TOO_LARGE;
	tl_merkle_leaf_hash(&timer, bytes, writer.size);
	tl_merkle_node_hash(&hash, &timer, &outcome->call.words);
	return put_outcome(leaf, OUTCOME_TIMER, outcome->call.height, outcome->call.ref,
					   outcome->call.sqlstate, &hash);
}

/* What a contract has told. */
TlStatus
tl_chain_state_event(uint8_t leaf[TL_OUTCOME_LEAF_SIZE], const TlEventLeaf *event)
{
	uint8_t		bytes[EVENT_SIZE_MAX];
	TlWriter	writer;
	TlHash		hash;

	if (strlen(event->contract) > UINT8_MAX || strlen(event->name) > UINT8_MAX ||
		event->payload.size > TL_EVENT_PAYLOAD_SIZE_MAX)
		return TL_TOO_LARGE;
	if (event->number == 0)
		return TL_BAD_FORMAT;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	tl_put_u32(&writer, event->number);
	put_name(&writer, event->contract);
	put_name(&writer, event->name);
	tl_put_bytes(&writer, event->payload.data, event->payload.size);
	if (tl_writer_finish(&writer) != TL_OK)
		return TL_TOO_LARGE;
	tl_merkle_leaf_hash(&hash, bytes, writer.size);
	return put_outcome(leaf, OUTCOME_EVENT, event->height, event->ref, "00000", &hash);
}

static void
put_name(TlWriter *writer, const char *name)
{
	tl_put_u8(writer, (uint8_t) strlen(name));
	tl_put_bytes(writer, name, strlen(name));
}

static TlStatus
put_outcome(uint8_t leaf[TL_OUTCOME_LEAF_SIZE], uint8_t what, uint64_t height,
			const uint8_t ref[TL_REF_SIZE], const char sqlstate[TL_SQLSTATE_SIZE],
			const TlHash *hash)
{
	TlWriter	writer;

	for (int i = 0; i < TL_SQLSTATE_SIZE; i++)
		if (!((sqlstate[i] >= '0' && sqlstate[i] <= '9') || (sqlstate[i] >= 'A' && sqlstate[i] <= 'Z')))
			return TL_BAD_FORMAT;
	if (height == 0)
		return TL_BAD_FORMAT;
	tl_writer_init(&writer, leaf, TL_OUTCOME_LEAF_SIZE);
	tl_put_u8(&writer, LEAF_OUTCOME);
	tl_put_u8(&writer, LEAF_FORMAT);
	tl_put_u8(&writer, what);
	tl_put_u64(&writer, height);
	tl_put_bytes(&writer, ref, TL_REF_SIZE);
	tl_put_bytes(&writer, sqlstate, TL_SQLSTATE_SIZE);
	tl_put_hash(&writer, hash);
	return tl_writer_finish(&writer);
}
