/*-------------------------------------------------------------------------
 *
 * test_proof_checkpoint.c
 *	  Tree heads as text: both ways, every bit, and what is refused.
 *
 *-------------------------------------------------------------------------
 */
#include "proof_checkpoint.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

static int	vectors_used;

static void
use_vector(const UnitRecord *record)
{
	char		text[512];
	uint8_t		again[512];
	TlHash		chain_id;
	TlHash		root;
	TlCheckpoint checkpoint;
	TlWriter	writer;
	size_t		size;

	if (strcmp(unit_text(record, "kind"), "checkpoint") != 0)
		return;
	vectors_used++;
	size = unit_bytes(text, sizeof(text), record, "text");
	unit_bytes(chain_id.bytes, sizeof(chain_id), record, "chain_id");
	unit_bytes(root.bytes, sizeof(root), record, "root");
	UNIT_CHECK(tl_proof_checkpoint_decode(&checkpoint, text, size) == TL_OK);
	UNIT_CHECK(memcmp(&checkpoint.chain_id, &chain_id, sizeof(chain_id)) == 0);
	UNIT_CHECK(memcmp(&checkpoint.root, &root, sizeof(root)) == 0);
	UNIT_CHECK(checkpoint.size == strtoull(unit_text(record, "size"), NULL, 10));
	tl_writer_init(&writer, again, sizeof(again));
	tl_proof_checkpoint_encode(&writer, &checkpoint);
	UNIT_CHECK(writer.size == size && memcmp(text, again, size) == 0);
}

static void
vectors(void)
{
	unit_vectors("chain.txt", use_vector);
	UNIT_CHECK(vectors_used == 1);
}

static bool
same(const TlCheckpoint *left, const TlCheckpoint *right)
{
	return memcmp(&left->chain_id, &right->chain_id, TL_HASH_SIZE) == 0 &&
		memcmp(&left->root, &right->root, TL_HASH_SIZE) == 0 &&
		left->size == right->size;
}

static void
round_trips(void)
{
	for (int i = 0; i < 200; i++)
	{
		TlCheckpoint checkpoint;
		TlCheckpoint read;
		uint8_t		text[512];
		TlWriter	writer;

		unit_random_bytes(&checkpoint, sizeof(checkpoint));
		checkpoint.size = (i == 0) ? 0 : unit_random() >> (1 + unit_random() % 63);
		tl_writer_init(&writer, text, sizeof(text));
		tl_proof_checkpoint_encode(&writer, &checkpoint);
		UNIT_CHECK(tl_proof_checkpoint_decode(&read, text, writer.size) == TL_OK);
		UNIT_CHECK(same(&checkpoint, &read));
		for (size_t bit = 0; bit < writer.size * 8; bit++)
		{
			text[bit / 8] ^= (uint8_t) (1 << bit % 8);
			UNIT_CHECK(tl_proof_checkpoint_decode(&read, text, writer.size) != TL_OK ||
					   !same(&checkpoint, &read));
			text[bit / 8] ^= (uint8_t) (1 << bit % 8);
		}
		for (size_t size = 0; size < writer.size; size++)
			UNIT_CHECK(tl_proof_checkpoint_decode(&read, text, size) != TL_OK);
	}
}

#define ORIGIN	"telco_ledger/0000000000000000000000000000000000000000000000000000000000000000\n"
#define ROOT	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"

static TlStatus
decode(const char *text)
{
	TlCheckpoint checkpoint;

	return tl_proof_checkpoint_decode(&checkpoint, text, strlen(text));
}

static void
lines(void)
{
	UNIT_CHECK(decode(ORIGIN "5\n" ROOT) == TL_OK);
	UNIT_CHECK(decode(ORIGIN "5\n" ROOT "\n") == TL_OK);
	UNIT_CHECK(decode(ORIGIN "5\n" ROOT "\n\xe2\x80\x94 a b\n\xe2\x80\x94 c d\n") == TL_OK);
	UNIT_CHECK(decode(ORIGIN "5\n" ROOT "\n\xe2\x80\x94 a b") == TL_BAD_FORMAT);
	UNIT_CHECK(decode(ORIGIN "5\n" ROOT "\n- a b\n") == TL_BAD_FORMAT);
	UNIT_CHECK(decode(ORIGIN "5\n" ROOT "more\n") == TL_BAD_FORMAT);
	UNIT_CHECK(decode(ORIGIN "05\n" ROOT) == TL_BAD_FORMAT);
	UNIT_CHECK(decode(ORIGIN "-5\n" ROOT) == TL_BAD_FORMAT);
	UNIT_CHECK(decode(ORIGIN " 5\n" ROOT) == TL_BAD_FORMAT);
	UNIT_CHECK(decode(ORIGIN "\n" ROOT) == TL_BAD_FORMAT);
	UNIT_CHECK(decode(ORIGIN "9999999999999999999\n" ROOT) == TL_OK);
	UNIT_CHECK(decode(ORIGIN "10000000000000000000\n" ROOT) == TL_BAD_FORMAT);
	UNIT_CHECK(decode(ORIGIN "5\r\n" ROOT) == TL_BAD_FORMAT);
	UNIT_CHECK(decode("other/" ORIGIN "5\n" ROOT) == TL_BAD_FORMAT);
	UNIT_CHECK(decode("") == TL_TRUNCATED);
	/* spare bits of the last digit */
	UNIT_CHECK(decode(ORIGIN "5\n" "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n") == TL_BAD_FORMAT);
}

static void
too_large(void)
{
	static char text[TL_CHECKPOINT_SIZE_MAX + 1];
	TlCheckpoint checkpoint;

	UNIT_CHECK(tl_proof_checkpoint_decode(&checkpoint, text, sizeof(text)) == TL_TOO_LARGE);
}

UNIT_MAIN(UNIT_CASE(vectors), UNIT_CASE(round_trips), UNIT_CASE(lines),
		  UNIT_CASE(too_large))
