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
#include "consensus_reply.h"

#include <string.h>

static void show_alarm(const TlAction *action);
static void show_row(Dialogue *dialogue, const TlLogRow *row);
static void show_ack(Dialogue *dialogue, const TlLogRow *row);
static void show_proposal(Dialogue *dialogue, const TlLogRow *row);
static void show_entries(Dialogue *dialogue, const TlConsensusBlock *block);
static void show_lanes(Dialogue *dialogue, const TlLane *lanes, unsigned count);
static void show_certificate(Dialogue *dialogue, TlSpan span);
static void show_evidence(Dialogue *dialogue, const TlLogRow *row);
static void show_rejoin(const TlLogRow *row);
static void show_govern(Dialogue *dialogue, const TlLogRow *row);
static void show_reply(const TlLogRow *row);
static const char *block_name(Dialogue *dialogue, const TlHash *hash);
static const char *batch_name(Dialogue *dialogue, const TlHash *digest);
static const char *row_name(Dialogue *dialogue, const TlHash *digest);
static char letter(uint32_t member);

void
dialogue_show(Dialogue *dialogue, const TlAction *action)
{
	if (action->kind == TL_ACT_WAKE)
		return;
	printf("    ");
	switch (action->kind)
	{
		case TL_ACT_APPEND:
			printf("append ");
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
		case TL_ACT_FETCH_ROW:
			printf("fetch row %s", row_name(dialogue, &action->hash));
			break;
		case TL_ACT_READ_LANE:
			printf("read lane %c again", letter(action->lane.member));
			break;
		case TL_ACT_CATCH_UP:
			printf("catch up from %c: others are in view %d", letter(action->member),
				   (int) action->view);
			break;
		case TL_ACT_EPOCH:
			printf("the epoch ends: make the next core");
			break;
		case TL_ACT_ASK_TIP:
			printf("ask all others for their last final block");
			break;
		case TL_ACT_ASK_LAST_SEEN:
			printf("ask all others what they saw last");
			break;
		case TL_ACT_CUT_LOG:
			printf("cut the own log after %s", row_name(dialogue, &action->hash));
			break;
		case TL_ACT_REQUEST:
			printf("send to %c REQUEST", letter(action->member));
			break;
		case TL_ACT_REPLY:
			printf("send to %c REPLY", letter(action->member));
			show_reply(&action->row);
			break;
		case TL_ACT_CHECKPOINT:
			printf("stable checkpoint: height %d, state %s;", (int) action->state.height,
				   (const char *) action->state.state_root.bytes);
			show_certificate(dialogue, action->certificate);
			break;
		case TL_ACT_PRUNE:
			printf("may be pruned: rows of views up to %d", (int) action->view);
			break;
		default:
			show_alarm(action);
			break;
	}
	printf("\n");
}

static void
show_alarm(const TlAction *action)
{
	static const char *const alarms[] = {"nothing", "fork", "own log",
	"illegal row", "other state", "two instances", "states split", "memory",
	"unknown protocol"};

	printf("alarm: %s", alarms[action->alarm]);
	if (action->member > 0)
		printf(" of %c", letter(action->member));
}

static void
show_row(Dialogue *dialogue, const TlLogRow *row)
{
	TlState		state;
	TlHash		hash;

	printf("%s", dialogue_kind_name(row->kind));
	switch (row->kind)
	{
		case TL_LOG_BATCH:
			tl_chain_batch_digest(&hash, row->payload.data, row->payload.size);
			printf(" %s", batch_name(dialogue, &hash));
			break;
		case TL_LOG_ACK:
			show_ack(dialogue, row);
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
		case TL_LOG_STATE:
			(void) tl_consensus_state_decode(&state, row->payload.data, row->payload.size);
			printf(" height %d, %s", (int) state.height,
				   (const char *) state.state_root.bytes);
			break;
		case TL_LOG_GOVERN:
			show_govern(dialogue, row);
			break;
		case TL_LOG_EVIDENCE:
			show_evidence(dialogue, row);
			break;
		default:
			show_rejoin(row);
			break;
	}
}

static void
show_ack(Dialogue *dialogue, const TlLogRow *row)
{
	TlLane		lanes[TL_MEMBER_COUNT_MAX];
	unsigned	count = 0;
	TlAck		ack;

	(void) tl_consensus_ack_decode(&ack, row->payload.data, row->payload.size);
	(void) tl_chain_cut_decode(lanes, &count, TL_MEMBER_COUNT_MAX,
							   ack.lanes.data, ack.lanes.size);
	show_lanes(dialogue, lanes, count);
	printf(", final height %d", (int) ack.final_height);
}

/* The core's own block gets its name here: member@view. */
static void
show_proposal(Dialogue *dialogue, const TlLogRow *row)
{
	TlProposal	proposal;
	TlBlockHeader header;
	TlConsensusBlock *block;
	NamedBlock *parent;
	char		name[NAME_SIZE];

	if (tl_consensus_proposal_decode(&proposal, row->payload.data,
									 row->payload.size) != TL_OK ||
		tl_chain_block_decode(&header, proposal.header.data,
							  proposal.header.size) != TL_OK)
		fail("the core's proposal is none");
	parent = dialogue_block(dialogue, block_name(dialogue, &header.parent));
	snprintf(name, sizeof(name), "%c@%d", letter(row->member), (int) row->view);
	block = &dialogue_add_block(dialogue, name, &parent->block)->block;
	block->header = header;
	tl_chain_block_hash(&block->hash, &header);
	block->history = parent->block.history;
	(void) tl_merkle_range_append(&block->history, &block->hash);
	(void) tl_chain_cut_decode(block->cut, &block->lane_count, TL_MEMBER_COUNT_MAX,
							   proposal.cut.data, proposal.cut.size);
	(void) tl_chain_entries_decode(block->entries, &block->entry_count,
								   TL_CONSENSUS_ENTRIES_MAX,
								   proposal.entries.data, proposal.entries.size);
	printf(" view %d, %s on %s, cut", (int) row->view, name, parent->name);
	show_lanes(dialogue, block->cut, block->lane_count);
	show_entries(dialogue, block);
	if (proposal.checkpoint.size > 0)
		printf(", checkpoint of height %d", (int) header.checkpoint_height);
	if (proposal.parent_certificate.size > 0)
	{
		printf(";");
		show_certificate(dialogue, proposal.parent_certificate);
	}
	if (proposal.gap_count > 0)
		printf("; %d skipped", proposal.gap_count);
}

static void
show_entries(Dialogue *dialogue, const TlConsensusBlock *block)
{
	unsigned	rows = 0;

	for (unsigned i = 0; i < block->entry_count; i++)
	{
		if (block->entries[i].kind != TL_ENTRY_MEMBERS)
			printf("%s %s", (rows++ == 0) ? ", orders" : "",
				   row_name(dialogue, &block->entries[i].digest));
	}
	for (unsigned i = 0; i < block->entry_count; i++)
	{
		for (unsigned j = 0; j < dialogue->motion_count; j++)
		{
			if (memcmp(dialogue->motions[j].next_members.bytes,
					   block->entries[i].digest.bytes, TL_HASH_SIZE) == 0)
				printf(", set %s", dialogue->motions[j].name);
		}
	}
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
	printf(" %s of view %d", dialogue_kind_name(certificate.kind), (int) certificate.view);
	if (certificate.kind != TL_LOG_NULLIFY)
		printf(", %s", block_name(dialogue, &certificate.block));
	printf(", by ");
	for (unsigned i = 0; i < certificate.vote_count; i++)
	{
		(void) tl_consensus_certificate_get_vote(&vote, &certificate, i);
		printf("%c", letter(vote.member));
	}
}

static void
show_evidence(Dialogue *dialogue, const TlLogRow *row)
{
	TlEvidence	evidence;

	if (tl_consensus_evidence_decode(&evidence, &dialogue->config.chain_id,
									 row->payload.data,
									 row->payload.size) == TL_OK)
		printf(" E%d against %c", evidence.kind,
			   letter(evidence.rows[0].row.member));
}

static void
show_rejoin(const TlLogRow *row)
{
	TlRejoin	rejoin;
	TlReader	reader;
	TlLogRow	said;

	if (tl_consensus_rejoin_decode(&rejoin, row->payload.data,
								   row->payload.size) != TL_OK)
		fail("the core's REJOIN is none");
	printf(" %d, view %d, replies of ", rejoin.nonce[0], (int) row->view);
	tl_reader_init(&reader, rejoin.replies.data, rejoin.replies.size);
	for (unsigned i = 0; i < rejoin.reply_count; i++)
	{
		if (tl_consensus_rejoin_next_reply(&said, &reader) == TL_OK)
			printf("%c", letter(said.member));
	}
}

static void
show_govern(Dialogue *dialogue, const TlLogRow *row)
{
	TlGovern	govern;
	TlHash		digest;

	if (tl_consensus_govern_decode(&govern, row->payload.data,
								   row->payload.size) != TL_OK)
		fail("the core's approval is none");
	tl_consensus_motion_digest(&digest, govern.motion);
	for (unsigned i = 0; i < dialogue->motion_count; i++)
	{
		if (memcmp(dialogue->motions[i].digest.bytes, digest.bytes,
				   TL_HASH_SIZE) == 0)
			printf(" %u, %s", govern.number, dialogue->motions[i].name);
	}
}

static void
show_reply(const TlLogRow *row)
{
	static const char *const reasons[] = {"the first", "certified", "by his REJOIN"};
	TlReply		reply;

	if (tl_consensus_reply_decode(&reply, row->payload.data,
								  row->payload.size) != TL_OK)
		fail("the core's REPLY is none");
	printf(": view %d, %s", (int) row->view, reasons[reply.reason]);
	if (reply.seen)
		printf("; your newest row is %s",
			   dialogue_kind_name(reply.last.row.kind));
	if (reply.changing)
		printf("; the members change");
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

/* Its kind, if it has no name. */
static const char *
row_name(Dialogue *dialogue, const TlHash *digest)
{
	for (unsigned i = 0; i < dialogue->row_count; i++)
	{
		const NamedRow *named = &dialogue->rows[i];

		if (memcmp(named->digest.bytes, digest->bytes, TL_HASH_SIZE) == 0)
			return (named->name[0] != '\0') ? named->name :
				dialogue_kind_name(named->row.kind);
	}
	return "unknown";
}

const char *
dialogue_kind_name(uint8_t kind)
{
	static const char *const names[] = {"", "BATCH", "ACK", "PROPOSE",
		"NOTARIZE", "FINALIZE", "NULLIFY", "CERT", "STATE", "GOVERN",
	"EVIDENCE", "REJOIN", "RESTART", "REPLY", "REQUEST"};

	return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "row";
}

static char
letter(uint32_t member)
{
	return (char) ('A' + (int) member - 1);
}
