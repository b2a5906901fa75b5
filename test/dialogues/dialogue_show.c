/*-------------------------------------------------------------------------
 *
 * dialogue_show.c
 *	  From the actions of a core to words.
 *
 *-------------------------------------------------------------------------
 */
#include "dialogue.h"

#include "chain_batch.h"
#include "consensus_evidence.h"
#include "consensus_payload.h"

#include <string.h>

static void show_row(Dialogue *dialogue, const TlLogRow *row);
static void show_proposal(Dialogue *dialogue, const TlLogRow *row);
static void show_lanes(Dialogue *dialogue, const TlLane *lanes, unsigned count);
static void show_certificate(Dialogue *dialogue, TlSpan span);
static const char *block_name(Dialogue *dialogue, const TlHash *hash);
static const char *batch_name(Dialogue *dialogue, const TlHash *digest);
static const char *kind_name(uint8_t kind);

void
dialogue_show(Dialogue *dialogue, const TlAction *action)
{
	static const char *const alarms[] = {"nothing", "fork", "own log",
	"illegal row", "diverged", "two instances", "states split", "memory"};

	if (action->kind == TL_ACT_WAKE || action->kind == TL_ACT_PRUNE)
		return;
	printf("    ");
	switch (action->kind)
	{
		case TL_ACT_APPEND:
			show_row(dialogue, &action->row);
			break;
		case TL_ACT_FINAL:
			printf("final %s, height %d", block_name(dialogue, &action->block->hash),
				   (int) action->block->header.height);
			break;
		case TL_ACT_FETCH_BLOCK:
			printf("fetch block %s", block_name(dialogue, &action->hash));
			break;
		case TL_ACT_FETCH_BATCH:
			printf("fetch batch %s", batch_name(dialogue, &action->lane.digest));
			break;
		case TL_ACT_READ_LANE:
			printf("read lane %c again", 'A' + (int) action->lane.member - 1);
			break;
		case TL_ACT_CATCH_UP:
			printf("catch up: others are in view %d", (int) action->view);
			break;
		case TL_ACT_ASK_LAST_SEEN:
			printf("ask all others what they saw last");
			break;
		case TL_ACT_ALARM:
			printf("alarm: %s", alarms[action->alarm]);
			if (action->member > 0)
				printf(" of %c", 'A' + (int) action->member - 1);
			break;
		default:
			printf("action %d", (int) action->kind);
			break;
	}
	printf("\n");
}

static void
show_row(Dialogue *dialogue, const TlLogRow *row)
{
	TlLane		lanes[TL_MEMBER_COUNT_MAX];
	unsigned	count = 0;
	TlEvidence	evidence;
	TlHash		hash;
	TlAck		ack;

	printf("append %s", kind_name(row->kind));
	switch (row->kind)
	{
		case TL_LOG_BATCH:
			tl_chain_batch_digest(&hash, row->payload.data, row->payload.size);
			printf(" %s", batch_name(dialogue, &hash));
			break;
		case TL_LOG_ACK:
			(void) tl_consensus_ack_decode(&ack, row->payload.data, row->payload.size);
			(void) tl_chain_cut_decode(lanes, &count, TL_MEMBER_COUNT_MAX,
									   ack.lanes.data, ack.lanes.size);
			show_lanes(dialogue, lanes, count);
			printf(", final height %d", (int) ack.final_height);
			break;
		case TL_LOG_PROPOSE:
			show_proposal(dialogue, row);
			break;
		case TL_LOG_NOTARIZE:
		case TL_LOG_FINALIZE:
			(void) tl_consensus_vote_decode(&hash, row->payload.data, row->payload.size);
			printf(" view %d, %s", (int) row->view, block_name(dialogue, &hash));
			break;
		case TL_LOG_NULLIFY:
			printf(" view %d", (int) row->view);
			break;
		case TL_LOG_CERT:
			show_certificate(dialogue, row->payload);
			break;
		case TL_LOG_EVIDENCE:
			if (tl_consensus_evidence_decode(&evidence, &dialogue->config.chain_id,
											 row->payload.data,
											 row->payload.size) == TL_OK)
				printf(" E%d against %c", evidence.kind,
					   'A' + (int) evidence.rows[0].row.member - 1);
			break;
		default:
			break;
	}
}

/* The core's own block gets its name here: member@view. */
static void
show_proposal(Dialogue *dialogue, const TlLogRow *row)
{
	TlProposal	proposal;
	TlBlockHeader header;
	NamedBlock *named;
	NamedBlock *parent;
	char		name[NAME_SIZE];

	if (tl_consensus_proposal_decode(&proposal, row->payload.data,
									 row->payload.size) != TL_OK ||
		tl_chain_block_decode(&header, proposal.header.data,
							  proposal.header.size) != TL_OK)
		fail("the core's proposal is none");
	parent = dialogue_block(dialogue, block_name(dialogue, &header.parent));
	snprintf(name, sizeof(name), "%c@%d", 'A' + (int) row->member - 1,
			 (int) row->view);
	named = dialogue_add_block(dialogue, name, &parent->block);
	named->block.header = header;
	tl_chain_block_hash(&named->block.hash, &header);
	named->block.history = parent->block.history;
	(void) tl_merkle_range_append(&named->block.history, &named->block.hash);
	(void) tl_chain_cut_decode(named->block.cut, &named->block.lane_count,
							   TL_MEMBER_COUNT_MAX, proposal.cut.data,
							   proposal.cut.size);
	printf(" view %d, %s on %s, cut", (int) row->view, name, parent->name);
	show_lanes(dialogue, named->block.cut, named->block.lane_count);
	if (proposal.parent_certificate.size > 0)
	{
		printf(";");
		show_certificate(dialogue, proposal.parent_certificate);
	}
	if (proposal.gap_count > 0)
		printf("; %d skipped", proposal.gap_count);
}

static void
show_lanes(Dialogue *dialogue, const TlLane *lanes, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		printf(" %s", batch_name(dialogue, &lanes[i].digest));
	if (count == 0)
		printf(" of nothing");
}

static void
show_certificate(Dialogue *dialogue, TlSpan span)
{
	TlCertificate certificate;
	TlVote		vote;

	if (tl_consensus_certificate_decode(&certificate, span.data, span.size) != TL_OK)
		fail("the core's certificate is none");
	printf(" %s of view %d", kind_name(certificate.kind), (int) certificate.view);
	if (certificate.kind != TL_LOG_NULLIFY)
		printf(", %s", block_name(dialogue, &certificate.block));
	printf(", by ");
	for (unsigned i = 0; i < certificate.vote_count; i++)
	{
		(void) tl_consensus_certificate_get_vote(&vote, &certificate, i);
		printf("%c", 'A' + (int) vote.member - 1);
	}
}

static const char *
block_name(Dialogue *dialogue, const TlHash *hash)
{
	for (unsigned i = 0; i < dialogue->block_count; i++)
	{
		if (memcmp(dialogue->blocks[i].block.hash.bytes, hash->bytes,
				   TL_HASH_SIZE) == 0)
			return dialogue->blocks[i].name;
	}
	return "unknown";
}

static const char *
batch_name(Dialogue *dialogue, const TlHash *digest)
{
	for (unsigned i = 0; i < dialogue->batch_count; i++)
	{
		if (memcmp(dialogue->batches[i].lane.digest.bytes, digest->bytes,
				   TL_HASH_SIZE) == 0)
			return dialogue->batches[i].name;
	}
	return "unknown";
}

static const char *
kind_name(uint8_t kind)
{
	static const char *const names[] = {"", "BATCH", "ACK", "PROPOSE",
		"NOTARIZE", "FINALIZE", "NULLIFY", "CERT", "STATE", "GOVERN",
	"EVIDENCE", "REJOIN"};

	return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "row";
}
