/*-------------------------------------------------------------------------
 *
 * test_chain_state.c
 *	  The state root over tables, and leaves of rejected rows, refused batches and
 *	  calls.
 *
 *-------------------------------------------------------------------------
 */
#include "chain_state.h"
#include "merkle_hash.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define TABLES_MAX	4
#define ROW_MAX		512

static TlSetHasher *hasher;
static uint8_t ids[TABLES_MAX][TL_TABLE_ID_SIZE];
static TlSetHash sets[TABLES_MAX];
static int	table_count;
static TlMerkleRange outcomes;

/* The place of a table in ascending order, where it is made if need be. */
static int
table_place(const uint8_t *id)
{
	int			place = 0;

	while (place < table_count && memcmp(ids[place], id, TL_TABLE_ID_SIZE) < 0)
		place++;
	if (place < table_count && memcmp(ids[place], id, TL_TABLE_ID_SIZE) == 0)
		return place;
	for (int i = table_count; i > place; i--)
	{
		memcpy(ids[i], ids[i - 1], TL_TABLE_ID_SIZE);
		sets[i] = sets[i - 1];
	}
	memcpy(ids[place], id, TL_TABLE_ID_SIZE);
	tl_crypto_set_hash_init(&sets[place]);
	table_count++;
	return place;
}

static void
root_of_all(TlHash *out)
{
	TlStateTree tree;

	tl_chain_state_init(&tree);
	for (int i = 0; i < table_count; i++)
	{
		TlHash		digest;

		tl_crypto_set_hash_digest(&digest, &sets[i]);
		UNIT_CHECK(tl_chain_state_add(&tree, ids[i], &digest) == TL_OK);
	}
	tl_chain_state_root(out, &tree);
}

static void
check_hash(const UnitRecord *record, const char *name, const TlHash *hash)
{
	TlHash		expected;

	unit_bytes(expected.bytes, TL_HASH_SIZE, record, name);
	UNIT_CHECK(memcmp(&expected, hash, TL_HASH_SIZE) == 0);
}

/* It is the vector's, and so is the root over all leaves up to it. */
static void
check_leaf(const UnitRecord *record, const uint8_t leaf[TL_OUTCOME_LEAF_SIZE])
{
	uint8_t		expected[TL_OUTCOME_LEAF_SIZE];
	TlHash		hash;

	UNIT_CHECK(unit_bytes(expected, sizeof(expected), record, "leaf") == sizeof(expected));
	UNIT_CHECK(memcmp(leaf, expected, sizeof(expected)) == 0);
	tl_merkle_leaf_hash(&hash, leaf, TL_OUTCOME_LEAF_SIZE);
	UNIT_CHECK(tl_merkle_range_append(&outcomes, &hash) == TL_OK);
	tl_merkle_range_root(&outcomes, &hash);
	check_hash(record, "outcome_root", &hash);
}

static void
row_vector(const UnitRecord *record)
{
	uint8_t		id[TL_TABLE_ID_SIZE];
	uint8_t		row[ROW_MAX];
	size_t		size = unit_bytes(row, sizeof(row), record, "row");
	TlHash		element,
				other,
				hash;
	int			place;

	unit_bytes(id, sizeof(id), record, "table");
	UNIT_CHECK(tl_chain_state_row_element(&element, row, size) == TL_OK);
	check_hash(record, "element", &element);
	place = table_place(id);
	UNIT_CHECK(tl_crypto_set_hash_add(&sets[place], hasher, &element));
	tl_crypto_set_hash_digest(&hash, &sets[place]);
	check_hash(record, "digest", &hash);
	root_of_all(&hash);
	check_hash(record, "state_root", &hash);

	/* every byte counts but those of the blinding */
	for (size_t i = 2; i < size; i++)
	{
		row[i] ^= 1;
		if (tl_chain_state_row_element(&other, row, size) == TL_OK)
			UNIT_CHECK((memcmp(&other, &element, sizeof(other)) == 0) ==
					   (i >= TL_ROW_BLINDING_OFFSET && i < TL_ROW_BLINDING_OFFSET + TL_BLINDING_SIZE));
		row[i] ^= 1;
	}
	UNIT_CHECK(tl_chain_state_row_element(&other, row, TL_ROW_HEADER_SIZE - 1) == TL_TRUNCATED);
	row[0] = 2;
	UNIT_CHECK(tl_chain_state_row_element(&other, row, size) == TL_BAD_FORMAT);
}

static void
rejection_vector(const UnitRecord *record)
{
	uint8_t		leaf[TL_OUTCOME_LEAF_SIZE];
	TlRejection rejection;

	rejection.height = strtoull(unit_text(record, "height"), NULL, 10);
	unit_bytes(rejection.ref, TL_REF_SIZE, record, "ref");
	memcpy(rejection.sqlstate, unit_text(record, "sqlstate"), TL_SQLSTATE_SIZE);
	unit_bytes(rejection.batch.bytes, TL_HASH_SIZE, record, "batch");
	unit_bytes(rejection.row.bytes, TL_HASH_SIZE, record, "row_hash");
	UNIT_CHECK(tl_chain_state_rejection(leaf, &rejection) == TL_OK);
	check_leaf(record, leaf);

	rejection.sqlstate[2] = 'a';
	UNIT_CHECK(tl_chain_state_rejection(leaf, &rejection) == TL_BAD_FORMAT);
	rejection.sqlstate[2] = '5';
	rejection.height = 0;
	UNIT_CHECK(tl_chain_state_rejection(leaf, &rejection) == TL_BAD_FORMAT);
}

static void
refused_vector(const UnitRecord *record)
{
	uint8_t		leaf[TL_OUTCOME_LEAF_SIZE];
	TlRefusedBatch refused;

	refused.height = strtoull(unit_text(record, "height"), NULL, 10);
	memcpy(refused.sqlstate, unit_text(record, "sqlstate"), TL_SQLSTATE_SIZE);
	unit_bytes(refused.batch.bytes, TL_HASH_SIZE, record, "batch");
	UNIT_CHECK(tl_chain_state_refused_batch(leaf, &refused) == TL_OK);
	check_leaf(record, leaf);

	refused.sqlstate[0] = 't';
	UNIT_CHECK(tl_chain_state_refused_batch(leaf, &refused) == TL_BAD_FORMAT);
	refused.sqlstate[0] = 'T';
	refused.height = 0;
	UNIT_CHECK(tl_chain_state_refused_batch(leaf, &refused) == TL_BAD_FORMAT);
}

static void
outcome_vector(const UnitRecord *record)
{
	uint8_t		leaf[TL_OUTCOME_LEAF_SIZE];
	uint8_t		words[ROW_MAX];
	TlCallOutcome outcome;
	size_t		size = unit_bytes(words, sizeof(words), record, "words");

	outcome.height = strtoull(unit_text(record, "height"), NULL, 10);
	unit_bytes(outcome.ref, TL_REF_SIZE, record, "ref");
	memcpy(outcome.sqlstate, unit_text(record, "sqlstate"), TL_SQLSTATE_SIZE);
	tl_merkle_leaf_hash(&outcome.words, words, size);
	UNIT_CHECK(tl_chain_state_outcome(leaf, &outcome) == TL_OK);
	check_leaf(record, leaf);

	outcome.sqlstate[4] = ' ';
	UNIT_CHECK(tl_chain_state_outcome(leaf, &outcome) == TL_BAD_FORMAT);
	outcome.sqlstate[4] = '0';
	outcome.height = 0;
	UNIT_CHECK(tl_chain_state_outcome(leaf, &outcome) == TL_BAD_FORMAT);
}

static void
timer_vector(const UnitRecord *record)
{
	static char long_key[4096];
	uint8_t		leaf[TL_OUTCOME_LEAF_SIZE];
	uint8_t		other[TL_OUTCOME_LEAF_SIZE];
	uint8_t		words[ROW_MAX];
	TlTimerOutcome outcome;
	size_t		size = unit_bytes(words, sizeof(words), record, "words");

	outcome.call.height = strtoull(unit_text(record, "height"), NULL, 10);
	unit_bytes(outcome.call.ref, TL_REF_SIZE, record, "ref");
	memcpy(outcome.call.sqlstate, unit_text(record, "sqlstate"), TL_SQLSTATE_SIZE);
	tl_merkle_leaf_hash(&outcome.call.words, words, size);
	outcome.contract = unit_text(record, "contract");
	outcome.handler = unit_text(record, "handler");
	outcome.key = unit_text(record, "key");
	outcome.at = strtoll(unit_text(record, "at"), NULL, 10);
	UNIT_CHECK(tl_chain_state_timer(leaf, &outcome) == TL_OK);
	check_leaf(record, leaf);

	outcome.at++;
	UNIT_CHECK(tl_chain_state_timer(other, &outcome) == TL_OK);
	UNIT_CHECK(memcmp(leaf, other, sizeof(leaf)) != 0);
	outcome.call.height = 0;
	UNIT_CHECK(tl_chain_state_timer(leaf, &outcome) == TL_BAD_FORMAT);
	memset(long_key, 'x', sizeof(long_key) - 1);
	outcome.key = long_key;
	UNIT_CHECK(tl_chain_state_timer(leaf, &outcome) == TL_TOO_LARGE);
	outcome.key = "";
	outcome.handler = long_key;
	UNIT_CHECK(tl_chain_state_timer(leaf, &outcome) == TL_TOO_LARGE);
}

static void
event_vector(const UnitRecord *record)
{
	static char long_name[4096];
	static uint8_t long_payload[TL_EVENT_PAYLOAD_SIZE_MAX + 1];
	uint8_t		leaf[TL_OUTCOME_LEAF_SIZE];
	uint8_t		other[TL_OUTCOME_LEAF_SIZE];
	uint8_t		payload[ROW_MAX];
	TlEventLeaf event;

	event.height = strtoull(unit_text(record, "height"), NULL, 10);
	unit_bytes(event.ref, TL_REF_SIZE, record, "ref");
	event.number = (uint32_t) strtoul(unit_text(record, "number"), NULL, 10);
	event.contract = unit_text(record, "contract");
	event.name = unit_text(record, "name");
	event.payload.data = payload;
	event.payload.size = unit_bytes(payload, sizeof(payload), record, "payload");
	UNIT_CHECK(tl_chain_state_event(leaf, &event) == TL_OK);
	check_leaf(record, leaf);

	event.number++;
	UNIT_CHECK(tl_chain_state_event(other, &event) == TL_OK);
	UNIT_CHECK(memcmp(leaf, other, sizeof(leaf)) != 0);
	event.number = 0;
	UNIT_CHECK(tl_chain_state_event(leaf, &event) == TL_BAD_FORMAT);
	event.number = 1;
	event.height = 0;
	UNIT_CHECK(tl_chain_state_event(leaf, &event) == TL_BAD_FORMAT);
	event.height = 1;
	event.payload.data = long_payload;
	event.payload.size = sizeof(long_payload) - 1;
	UNIT_CHECK(tl_chain_state_event(leaf, &event) == TL_OK);
	event.payload.size++;
	UNIT_CHECK(tl_chain_state_event(leaf, &event) == TL_TOO_LARGE);
	event.payload.size = 0;
	memset(long_name, 'x', sizeof(long_name) - 1);
	event.name = long_name;
	UNIT_CHECK(tl_chain_state_event(leaf, &event) == TL_TOO_LARGE);
}

static void
vector(const UnitRecord *record)
{
	if (strcmp(unit_text(record, "kind"), "row") == 0)
		row_vector(record);
	else if (strcmp(unit_text(record, "kind"), "outcome") == 0)
		outcome_vector(record);
	else if (strcmp(unit_text(record, "kind"), "timer") == 0)
		timer_vector(record);
	else if (strcmp(unit_text(record, "kind"), "event") == 0)
		event_vector(record);
	else if (strcmp(unit_text(record, "kind"), "refused_batch") == 0)
		refused_vector(record);
	else
		rejection_vector(record);
}

static void
vectors(void)
{
	table_count = 0;
	tl_merkle_range_init(&outcomes);
	hasher = tl_crypto_set_hasher_open();
	UNIT_CHECK(unit_vectors("state.txt", vector) == 17);
	UNIT_CHECK(table_count == 3);
	tl_crypto_set_hasher_close(hasher);
}

/* Tables without rows leave no trace, tables out of order are refused. */
static void
one_root_for_a_state(void)
{
	TlStateTree tree;
	TlSetHash	empty_set;
	TlHash		empty,
				set = {{1}};
	TlHash		root,
				other;
	uint8_t		first[TL_TABLE_ID_SIZE] = {1};
	uint8_t		second[TL_TABLE_ID_SIZE] = {2};

	tl_crypto_set_hash_init(&empty_set);
	tl_crypto_set_hash_digest(&empty, &empty_set);
	tl_chain_state_init(&tree);
	tl_chain_state_root(&root, &tree);
	tl_merkle_empty_root(&other);
	UNIT_CHECK(memcmp(&root, &other, sizeof(root)) == 0);

	UNIT_CHECK(tl_chain_state_add(&tree, first, &empty) == TL_OK);
	tl_chain_state_root(&root, &tree);
	UNIT_CHECK(memcmp(&root, &other, sizeof(root)) == 0);
	UNIT_CHECK(tl_chain_state_add(&tree, first, &set) == TL_BAD_ORDER);
	UNIT_CHECK(tl_chain_state_add(&tree, second, &set) == TL_OK);
	UNIT_CHECK(tl_chain_state_add(&tree, first, &set) == TL_BAD_ORDER);
	tl_chain_state_root(&root, &tree);
	UNIT_CHECK(memcmp(&root, &other, sizeof(root)) != 0);

	/* the same rows in another table are another state */
	tl_chain_state_init(&tree);
	UNIT_CHECK(tl_chain_state_add(&tree, first, &set) == TL_OK);
	tl_chain_state_root(&other, &tree);
	UNIT_CHECK(memcmp(&root, &other, sizeof(root)) != 0);
}

UNIT_MAIN(UNIT_CASE(vectors),
		  UNIT_CASE(one_root_for_a_state))
