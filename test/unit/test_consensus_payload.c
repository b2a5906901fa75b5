/*-------------------------------------------------------------------------
 *
 * test_consensus_payload.c
 *	  ACK, STATE and EVIDENCE as the second implementation writes them.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_evidence.h"
#include "consensus_payload.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define BYTES_MAX	8192

static unsigned vectors_used;

/* Decode, and encode once more; what is wrong if that does not work. */
static TlStatus
again(TlWriter *writer, const char *kind, const TlHash *chain_id,
	  const uint8_t *bytes, size_t size)
{
	TlAck		ack;
	TlState		state;
	TlEvidence	evidence;
	TlStatus	status;

	if (strcmp(kind, "ack") == 0)
	{
		status = tl_consensus_ack_decode(&ack, bytes, size);
		return (status != TL_OK) ? status : tl_consensus_ack_encode(writer, &ack);
	}
	if (strcmp(kind, "state") == 0)
	{
		status = tl_consensus_state_decode(&state, bytes, size);
		return (status != TL_OK) ? status : tl_consensus_state_encode(writer, &state);
	}
	status = tl_consensus_evidence_decode(&evidence, chain_id, bytes, size);
	return (status != TL_OK) ? status :
		tl_consensus_evidence_encode(writer, &evidence);
}

/* Encoded anew it is the same, and no shorter or longer one is any. */
static void
use_vector(const UnitRecord *record)
{
	const char *kind = unit_text(record, "kind");
	uint8_t		bytes[BYTES_MAX + 1] = {0};
	uint8_t		written[BYTES_MAX];
	TlHash		chain_id = {{0}};
	size_t		size;
	TlWriter	writer;

	if (strcmp(kind, "ack") != 0 && strcmp(kind, "state") != 0 &&
		strcmp(kind, "evidence") != 0)
		return;
	vectors_used++;
	size = unit_bytes(bytes, BYTES_MAX, record, "payload");
	if (strcmp(kind, "evidence") == 0)
	{
		TlEvidence	evidence;

		unit_bytes(chain_id.bytes, sizeof(chain_id), record, "chain_id");
		UNIT_CHECK(tl_consensus_evidence_decode(&evidence, &chain_id, bytes, size) == TL_OK);
		UNIT_CHECK(evidence.rows[0].row.member ==
				   (uint32_t) atoi(unit_text(record, "member")));
		UNIT_CHECK(evidence.kind == (evidence.rows[0].row.member == 3 ?
									 TL_EVIDENCE_PHASE : TL_EVIDENCE_ILLEGAL));
	}
	tl_writer_init(&writer, written, sizeof(written));
	UNIT_CHECK(again(&writer, kind, &chain_id, bytes, size) == TL_OK);
	UNIT_CHECK(writer.size == size && memcmp(written, bytes, size) == 0);
	UNIT_CHECK(again(&writer, kind, &chain_id, bytes, size + 1) != TL_OK);
	for (size_t cut = 0; cut < size; cut++)
		UNIT_CHECK(again(&writer, kind, &chain_id, bytes, cut) != TL_OK);
	bytes[0]++;
	UNIT_CHECK(again(&writer, kind, &chain_id, bytes, size) == TL_BAD_VERSION);
}

static void
vectors(void)
{
	unit_vectors("chain.txt", use_vector);
	UNIT_CHECK(vectors_used == 4);
}

UNIT_MAIN(UNIT_CASE(vectors))
