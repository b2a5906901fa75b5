/*-------------------------------------------------------------------------
 *
 * test_consensus_legal.c
 *	  E6: rows that their own bytes convict, and rows that must not.  E7: votes
 *	  below the REJOIN of their incarnation.
 *
 * Four members with real keys.  Each thing that can be wrong is made wrong, one
 * at a time, on rows that are right otherwise; whoever wrote the right one must
 * not be convicted by it.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_state.h"

#include "chain_batch.h"
#include "consensus_govern.h"
#include "consensus_payload.h"
#include "merkle_hash.h"
#include "unit.h"
#include "unit_consensus.h"

#include <stdlib.h>
#include <string.h>

#define MEMBERS		4

static TlActions actions;
static TlConsensusConfig config;
static TlConsensus *core;
static uint8_t secrets[MEMBERS][TL_SECRET_SIZE];
static uint8_t payload[4096];
static TlLogRow row;			/* the accused one's */
static TlBlockHeader header;	/* of the block that it proposes */
static uint8_t header_bytes[TL_BLOCK_HEADER_SIZE];
static TlSpan parent_header;
static TlSpan parent_cut;

static void
open_core(void)
{
	static void *memory;
	TlInput		input = {.kind = TL_INPUT_START, .now_us = 1};

	free(memory);
	unit_consensus_config(&config, MEMBERS);
	unit_consensus_keys(&config, secrets);
	unit_consensus_genesis(&config);
	core = unit_consensus_open(&config, &memory);
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
	parent_header.size = parent_cut.size = 0;
}

/* The view, from 1 on, in which another member leads. */
static uint64_t
their_view(void)
{
	uint64_t	view = 1;

	while (tl_consensus_leader(core, view) == core->own.index)
		view++;
	return view;
}

static void
set_row(uint8_t kind, uint64_t view, const void *bytes, size_t size)
{
	memset(&row, 0, sizeof(row));
	row.member = config.members[tl_consensus_leader(core, view)].number;
	row.sequence = 1;
	row.kind = kind;
	row.view = view;
	row.payload.data = bytes;
	row.payload.size = size;
}

/* A nullification of that view by members 2 to 4. */
static size_t
nullification(uint8_t *out, size_t capacity, uint64_t view, unsigned votes)
{
	uint8_t		vote_bytes[MEMBERS * TL_CERTIFICATE_VOTE_SIZE];
	TlCertificate certificate = {.kind = TL_LOG_NULLIFY, .view = view};
	TlWriter	writer;

	tl_writer_init(&writer, vote_bytes, sizeof(vote_bytes));
	for (uint32_t member = MEMBERS - votes + 1; member <= MEMBERS; member++)
	{
		TlLogRow	vote_row = {.member = member, .sequence = 1,
		.kind = TL_LOG_NULLIFY, .view = view};
		TlVote		vote;

		UNIT_CHECK(tl_consensus_row_sign(&vote_row, &config.chain_id,
										 secrets[member - 1], NULL) == TL_OK);
		tl_consensus_certificate_row_vote(&vote, &vote_row);
		tl_consensus_certificate_put_vote(&writer, &vote);
	}
	certificate.vote_count = (uint16_t) votes;
	certificate.votes.data = vote_bytes;
	certificate.votes.size = writer.size;
	tl_writer_init(&writer, out, capacity);
	UNIT_CHECK(tl_consensus_certificate_encode(&writer, &certificate) == TL_OK);
	return writer.size;
}

/* A right block on genesis, in a view that somebody else leads. */
static void
right_header(void)
{
	uint64_t	view = their_view();

	memset(&header, 0, sizeof(header));
	header.chain_id = config.chain_id;
	header.height = 1;
	header.view = view;
	header.parent = config.base.hash;
	header.proposer = config.members[tl_consensus_leader(core, view)].number;
	header.time = 1;
	tl_merkle_empty_root(&header.batch_root);
	tl_merkle_empty_root(&header.entries_root);
	UNIT_CHECK(tl_chain_cut_hash(&header.cut_hash, NULL, 0) == TL_OK);
	tl_merkle_range_root(&config.base.history, &header.history_root);
}

/* The row that proposes header, with the nullifications that it needs. */
static void
propose(unsigned gap_votes)
{
	uint8_t		gaps[2048];
	size_t		size = 0;
	TlProposal	proposal;
	TlWriter	writer;

	memset(&proposal, 0, sizeof(proposal));
	for (uint64_t view = 1; view < header.view; view++)
	{
		size_t		one = nullification(gaps + size + 4, sizeof(gaps) - size - 4,
										view, gap_votes);

		gaps[size] = gaps[size + 1] = 0;
		gaps[size + 2] = (uint8_t) (one >> 8);
		gaps[size + 3] = (uint8_t) one;
		size += one + 4;
		proposal.gap_count++;
	}
	tl_writer_init(&writer, header_bytes, sizeof(header_bytes));
	UNIT_CHECK(tl_chain_block_encode(&writer, &header) == TL_OK);
	proposal.header.data = header_bytes;
	proposal.header.size = writer.size;
	proposal.gaps.data = gaps;
	proposal.gaps.size = size;
	tl_writer_init(&writer, payload, sizeof(payload));
	UNIT_CHECK(tl_consensus_proposal_encode(&writer, &proposal) == TL_OK);
	set_row(TL_LOG_PROPOSE, header.view, payload, writer.size);
}

/* Does an EVIDENCE of the row, signed by its author, convict him? */
static bool
convicted(bool signed_by_him)
{
	static uint8_t row_bytes[8192];
	static uint8_t bytes[16384];
	TlEvidence	evidence = {.kind = TL_EVIDENCE_ILLEGAL};
	TlEvidence	again;
	TlLogRow	accusation;
	TlWriter	writer;
	bool		valid = false;

	UNIT_CHECK(tl_consensus_row_sign(&row, &config.chain_id,
									 secrets[signed_by_him ? row.member - 1 : row.member % MEMBERS],
									 NULL) == TL_OK);
	tl_writer_init(&writer, row_bytes, sizeof(row_bytes));
	UNIT_CHECK(tl_consensus_row_encode(&writer, &row) == TL_OK);
	evidence.row.data = row_bytes;
	evidence.row.size = writer.size;
	evidence.parent_header = parent_header;
	evidence.parent_cut = parent_cut;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_evidence_encode(&writer, &evidence) == TL_OK);
	UNIT_CHECK(writer.size == TL_EVIDENCE_ILLEGAL_SIZE_FIXED + evidence.row.size +
			   parent_header.size + parent_cut.size);
	UNIT_CHECK(tl_consensus_evidence_decode(&again, &config.chain_id, bytes,
											writer.size) == TL_OK);
	UNIT_CHECK(again.kind == TL_EVIDENCE_ILLEGAL && again.rows[0].row.member == row.member &&
			   again.rows[1].row.member == 0);
	memset(&accusation, 0, sizeof(accusation));
	accusation.member = 1;
	accusation.sequence = 1;
	accusation.kind = TL_LOG_EVIDENCE;
	accusation.payload.data = bytes;
	accusation.payload.size = writer.size;
	UNIT_CHECK(tl_consensus_row_sign(&accusation, &config.chain_id, secrets[0], NULL) == TL_OK);
	UNIT_CHECK(tl_consensus_judge(core, &accusation, tl_consensus_check_signature,
								  NULL, &valid) == TL_OK);
	return valid;
}

static void
small_rows(void)
{
	uint8_t		bytes[TL_STATE_SIZE + 1] = {1};
	TlState		state = {.height = 1};
	TlWriter	writer;

	open_core();
	set_row(TL_LOG_NULLIFY, 3, NULL, 0);
	UNIT_CHECK(!convicted(true));
	set_row(TL_LOG_NULLIFY, 3, bytes, 1);
	UNIT_CHECK(convicted(true));
	UNIT_CHECK(!convicted(false));	/* he never signed it */
	row.epoch = 1;				/* another set judges */
	UNIT_CHECK(!convicted(true));
	for (int kind = TL_LOG_NOTARIZE; kind <= TL_LOG_FINALIZE; kind++)
	{
		set_row((uint8_t) kind, 3, bytes, TL_HASH_SIZE);
		UNIT_CHECK(!convicted(true));
		row.payload.size--;
		UNIT_CHECK(convicted(true));
	}
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_state_encode(&writer, &state) == TL_OK);
	set_row(TL_LOG_STATE, 3, bytes, TL_STATE_SIZE);
	UNIT_CHECK(!convicted(true));
	row.payload.size++;
	UNIT_CHECK(convicted(true));
	for (int kind = TL_LOG_BATCH; kind <= TL_LOG_ACK; kind++)
	{
		set_row((uint8_t) kind, 3, bytes, 5);
		UNIT_CHECK(convicted(true));
	}
	for (int kind = TL_LOG_GOVERN; kind <= TL_LOG_RESTART; kind++)
	{
		set_row((uint8_t) kind, 3, bytes, 5);
		UNIT_CHECK(convicted(true));
		UNIT_CHECK(!convicted(false));
	}
	/* What is not judged. */
	set_row(TL_LOG_REQUEST, 3, bytes, 5);
	row.sequence = 0;
	UNIT_CHECK(!convicted(true));
	bytes[0] = 1;
	bytes[1] = TL_EVIDENCE_ILLEGAL;
	set_row(TL_LOG_EVIDENCE, 3, bytes, 5);
	UNIT_CHECK(!convicted(true));
	bytes[1] = TL_EVIDENCE_FORK;
	UNIT_CHECK(convicted(true));
}

/* Another epoch, a wrong signature, a stranger who leaves; keys are row keys here. */
static void
approvals(void)
{
	uint8_t		bytes[512];
	uint8_t		motion_bytes[256];
	uint8_t		stranger[4] = {0, 0, 0, 9};
	TlMotion	motion = {.kind = TL_MOTION_DEPLOY};
	TlGovern	govern = {.number = 1};
	TlHash		digest;
	TlHash		motion_digest;
	TlWriter	writer;

	open_core();
	for (int wrong = 0; wrong < 4; wrong++)
	{
		set_row(TL_LOG_GOVERN, 3, bytes, 0);
		memcpy(core->config.members[row.member - 1].governance_key,
			   core->config.members[row.member - 1].row_key, TL_XONLY_KEY_SIZE);
		motion.epoch = (wrong == 1);
		motion.kind = (wrong == 3) ? TL_MOTION_CHANGE : TL_MOTION_DEPLOY;
		motion.quorum_of_three = 3;
		motion.drift_ms = motion.protocol = 1;
		motion.removed_count = (wrong == 3);
		motion.removed = (TlSpan) {stranger, (wrong == 3) ? sizeof(stranger) : 0};
		tl_writer_init(&writer, motion_bytes, sizeof(motion_bytes));
		UNIT_CHECK(tl_consensus_motion_encode(&writer, &motion) == TL_OK);
		govern.motion = (TlSpan) {motion_bytes, writer.size};
		tl_consensus_motion_digest(&motion_digest, govern.motion);
		tl_consensus_approval_digest(&digest, &config.chain_id, row.member, 0,
									 govern.number, &motion_digest);
		UNIT_CHECK(tl_crypto_schnorr_sign(govern.approval, digest.bytes, TL_HASH_SIZE,
										  secrets[row.member - 1], NULL) == TL_OK);
		govern.approval[0] ^= (wrong == 2);
		tl_writer_init(&writer, bytes, sizeof(bytes));
		UNIT_CHECK(tl_consensus_govern_encode(&writer, &govern) == TL_OK);
		row.payload.size = writer.size;
		UNIT_CHECK(convicted(true) == (wrong > 0));
		UNIT_CHECK(!convicted(false));
	}
}

/* A REPLY of member 2 to member 3; payload stays until the next one. */
static void
set_reply(TlReplyReason reason, uint64_t view, TlSpan certificate,
		  const TlEvidenceRow *last)
{
	static uint8_t bytes[2048];
	TlReply		reply = {.asker = 3, .request = {7}, .reason = (uint8_t) reason,
	.certificate = certificate};
	TlWriter	writer;

	if (last != NULL)
	{
		reply.seen = true;
		reply.last = *last;
	}
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_reply_encode(&writer, &reply) == TL_OK);
	row = (TlLogRow) {.member = 2, .kind = TL_LOG_REPLY, .view = view,
		.payload = {bytes, writer.size}};
}

static void
replies(void)
{
	uint8_t		bytes[1024];
	TlSpan		none = {NULL, 0};
	TlSpan		certificate = {bytes, 0};
	TlLogRow	seen = {.member = 3, .sequence = 4, .previous = {{1}},
	.kind = TL_LOG_NULLIFY};
	TlEvidenceRow last;

	open_core();
	set_reply(TL_REPLY_FIRST, 1, none, NULL);
	UNIT_CHECK(!convicted(true));
	UNIT_CHECK(!convicted(false));
	row.view = 2;
	UNIT_CHECK(convicted(true));
	UNIT_CHECK(!convicted(false));
	/* What his own REJOIN says is not in these bytes. */
	set_reply(TL_REPLY_REJOINED, 9, none, NULL);
	UNIT_CHECK(!convicted(true));
	certificate.size = nullification(bytes, sizeof(bytes), 4, 3);
	set_reply(TL_REPLY_CERTIFIED, 5, certificate, NULL);
	UNIT_CHECK(!convicted(true));
	row.view = 6;
	UNIT_CHECK(convicted(true));
	certificate.size = nullification(bytes, sizeof(bytes), 4, 2);
	set_reply(TL_REPLY_CERTIFIED, 5, certificate, NULL);
	UNIT_CHECK(convicted(true));
	for (uint64_t epoch = 0; epoch < 2; epoch++)
	{
		for (int forged = 0; forged < 2; forged++)
		{
			seen.epoch = epoch;
			UNIT_CHECK(tl_consensus_row_sign(&seen, &config.chain_id, secrets[2], NULL) == TL_OK);
			seen.signature[0] ^= forged;
			tl_consensus_evidence_row(&last, &seen);
			set_reply(TL_REPLY_FIRST, 1, none, &last);
			/* With an older key than is known here it would look the same. */
			UNIT_CHECK(convicted(true) == (forged == 1 && epoch == 0));
		}
	}
}

/* The REJOIN of member 3 with replies of so many others, those of a view. */
static void
set_rejoin(unsigned count, TlReplyReason reason, uint64_t said, bool forged)
{
	static uint8_t bytes[4096];
	uint8_t		list[4096];
	TlRejoin	rejoin = {.cause = TL_REJOIN_ROLLED_BACK, .nonce = {7},
	.reply_count = (uint16_t) count};
	TlSpan		none = {NULL, 0};
	TlWriter	writer;
	uint32_t	member = 0;

	tl_writer_init(&writer, list, sizeof(list));
	for (unsigned i = 0; i < count; i++)
	{
		member += (member == 2) ? 2 : 1;
		set_reply(member == 1 ? reason : TL_REPLY_FIRST, member == 1 ? said : 1,
				  none, NULL);
		row.member = member;
		UNIT_CHECK(tl_consensus_row_sign(&row, &config.chain_id, secrets[member - 1], NULL) == TL_OK);
		row.signature[0] ^= (forged && member == 4);
		tl_put_u32(&writer, (uint32_t) (TL_LOG_ROW_SIZE_FIXED + row.payload.size));
		UNIT_CHECK(tl_consensus_row_encode(&writer, &row) == TL_OK);
	}
	rejoin.replies = (TlSpan) {list, writer.size};
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_rejoin_encode(&writer, &rejoin) == TL_OK);
	row = (TlLogRow) {.member = 3, .nonce = {7}, .sequence = 1, .kind = TL_LOG_REJOIN,
		.view = 3, .payload = {bytes, writer.size}};
}

static void
rejoins(void)
{
	open_core();
	set_rejoin(3, TL_REPLY_FIRST, 1, false);
	UNIT_CHECK(!convicted(true));
	UNIT_CHECK(!convicted(false));
	row.view = 4;
	UNIT_CHECK(convicted(true));
	row.view = 2;
	UNIT_CHECK(convicted(true));
	set_rejoin(3, TL_REPLY_FIRST, 1, false);
	row.nonce[0] = 8;
	UNIT_CHECK(convicted(true));
	set_rejoin(2, TL_REPLY_FIRST, 1, false);	/* R35 */
	UNIT_CHECK(convicted(true));
	set_rejoin(3, TL_REPLY_FIRST, 1, true);
	UNIT_CHECK(convicted(true));
	set_rejoin(3, TL_REPLY_FIRST, 2, false);
	UNIT_CHECK(convicted(true));
	/* The highest view counts, also where the bytes do not prove it. */
	set_rejoin(3, TL_REPLY_REJOINED, 9, false);
	UNIT_CHECK(convicted(true));
	row.view = 11;
	UNIT_CHECK(!convicted(true));
}

static void
batches(void)
{
	uint8_t		bytes[TL_BATCH_SIZE_FIXED];
	TlBatchHeader batch = {.batch = 1, .section_count = 1};
	TlWriter	writer;

	open_core();
	for (int wrong = 0; wrong < 3; wrong++)
	{
		set_row(TL_LOG_BATCH, 3, bytes, sizeof(bytes));
		batch.chain_id = config.chain_id;
		batch.member = row.member;
		if (wrong == 1)
			batch.chain_id.bytes[0] ^= 1;
		if (wrong == 2)
			batch.member++;
		tl_writer_init(&writer, bytes, sizeof(bytes));
		UNIT_CHECK(tl_chain_batch_encode(&writer, &batch) == TL_OK);
		UNIT_CHECK(convicted(true) == (wrong > 0));
	}
}

static void
certificates(void)
{
	uint8_t		bytes[1024];

	open_core();
	set_row(TL_LOG_CERT, 3, bytes, nullification(bytes, sizeof(bytes), 2, 3));
	UNIT_CHECK(!convicted(true));
	row.payload.size = nullification(bytes, sizeof(bytes), 2, 2);	/* C4 */
	UNIT_CHECK(convicted(true));
	row.payload.size = nullification(bytes, sizeof(bytes), 2, 3);
	bytes[row.payload.size - 1] ^= 1;	/* C2 */
	UNIT_CHECK(convicted(true));
	bytes[row.payload.size - 1] ^= 1;
	memcpy(bytes + TL_CERTIFICATE_SIZE_FIXED + TL_CERTIFICATE_VOTE_SIZE,
		   bytes + TL_CERTIFICATE_SIZE_FIXED, TL_CERTIFICATE_VOTE_SIZE);
	UNIT_CHECK(convicted(true));	/* C1: a double signer */
}

static void
proposals(void)
{
	open_core();
	right_header();
	propose(3);
	UNIT_CHECK(!convicted(true));
	UNIT_CHECK(!convicted(false));
	row.member = row.member % MEMBERS + 1;	/* not the leader */
	UNIT_CHECK(convicted(true));
	right_header();
	propose(3);
	row.view++;					/* not the view of the block */
	UNIT_CHECK(convicted(true));
	right_header();
	header.chain_id.bytes[0] ^= 1;
	propose(3);
	UNIT_CHECK(convicted(true));
	right_header();
	header.parent.bytes[0] ^= 1;	/* not founding, and no certificate */
	propose(3);
	UNIT_CHECK(convicted(true));
	right_header();
	header.cut_hash.bytes[0] ^= 1;
	propose(3);
	UNIT_CHECK(convicted(true));
	right_header();
	header.proposer = header.proposer % MEMBERS + 1;
	propose(3);
	UNIT_CHECK(convicted(true));
	right_header();
	header.view += MEMBERS;		/* the same leader, later */
	propose(3);
	UNIT_CHECK(!convicted(true));
	propose(2);					/* gaps without a quorum */
	UNIT_CHECK(convicted(true));
	/* What needs the parent does not show without it. */
	right_header();
	header.time = -1;
	propose(3);
	UNIT_CHECK(!convicted(true));
}

static void
with_parent(void)
{
	static uint8_t parent_bytes[TL_BLOCK_HEADER_SIZE];
	static uint8_t cut_bytes[TL_BLOCK_LANE_SIZE];
	TlLane		lane = {.member = 2, .batch = 5};
	TlBlockHeader other;
	TlWriter	writer;

	open_core();
	tl_writer_init(&writer, parent_bytes, sizeof(parent_bytes));
	UNIT_CHECK(tl_chain_block_encode(&writer, &config.base.header) == TL_OK);
	right_header();
	propose(3);
	parent_header.data = parent_bytes;
	parent_header.size = writer.size;
	parent_cut.data = cut_bytes;
	UNIT_CHECK(!convicted(true));
	header.time = -1;			/* B6 */
	propose(3);
	UNIT_CHECK(convicted(true));
	UNIT_CHECK(!convicted(false));
	/* Another parent than the one that it names says nothing. */
	other = config.base.header;
	other.time = 9;
	tl_writer_init(&writer, parent_bytes, sizeof(parent_bytes));
	UNIT_CHECK(tl_chain_block_encode(&writer, &other) == TL_OK);
	UNIT_CHECK(!convicted(true));

	/* A founding block with a lane, and a child that has lost it. */
	tl_writer_init(&writer, cut_bytes, sizeof(cut_bytes));
	UNIT_CHECK(tl_chain_cut_encode(&writer, &lane, 1) == TL_OK);
	UNIT_CHECK(tl_chain_cut_hash(&other.cut_hash, &lane, 1) == TL_OK);
	tl_writer_init(&writer, parent_bytes, sizeof(parent_bytes));
	UNIT_CHECK(tl_chain_block_encode(&writer, &other) == TL_OK);
	tl_chain_block_hash(&core->config.founding, &other);
	core->config.chain_id = core->config.founding;
	config.chain_id = core->config.founding;
	config.base.hash = core->config.founding;
	right_header();
	header.time = 10;
	propose(3);
	parent_cut.size = sizeof(cut_bytes);
	UNIT_CHECK(convicted(true));
	parent_cut.size = 0;		/* the parent's cut is bound by its header */
	UNIT_CHECK(!convicted(true));
}

/* What the core does with such a row: alarm, and EVIDENCE that it would believe. */
static void
core_accuses(void)
{
	TlInput		input = {.kind = TL_INPUT_ROW, .now_us = 2, .certificates_valid = true};
	TlLogRow	accusation;
	bool		valid = false;

	open_core();
	set_row(TL_LOG_NULLIFY, their_view(), "x", 1);
	UNIT_CHECK(tl_consensus_row_sign(&row, &config.chain_id, secrets[row.member - 1], NULL) == TL_OK);
	input.row = row;
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
	UNIT_CHECK(actions.count >= 2 && actions.list[0].kind == TL_ACT_ALARM &&
			   actions.list[0].alarm == TL_ALARM_ILLEGAL_ROW);
	UNIT_CHECK(actions.list[1].kind == TL_ACT_APPEND &&
			   actions.list[1].row.kind == TL_LOG_EVIDENCE);
	accusation = actions.list[1].row;
	UNIT_CHECK(tl_consensus_row_sign(&accusation, &config.chain_id, secrets[0], NULL) == TL_OK);
	UNIT_CHECK(tl_consensus_judge(core, &accusation, tl_consensus_check_signature,
								  NULL, &valid) == TL_OK);
	UNIT_CHECK(valid);
	UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
	for (unsigned i = 0; i < actions.count; i++)	/* once */
		UNIT_CHECK(actions.list[i].kind != TL_ACT_APPEND ||
				   actions.list[i].row.kind != TL_LOG_EVIDENCE);
}

/* A row of another epoch: no conviction, and no alarm about who tells of it. */
static void
other_epoch(void)
{
	uint8_t		bytes[512];
	uint8_t		row_bytes[256];
	TlEvidence	evidence = {.kind = TL_EVIDENCE_ILLEGAL};
	TlInput		input = {.kind = TL_INPUT_ROW, .now_us = 2};

	for (int same = 0; same < 2; same++)
	{
		TlWriter	writer;

		open_core();
		set_row(TL_LOG_NULLIFY, 3, "x", 1);
		row.epoch = !same;
		tl_writer_init(&writer, row_bytes, sizeof(row_bytes));
		UNIT_CHECK(tl_consensus_row_encode(&writer, &row) == TL_OK);
		evidence.row.data = row_bytes;
		evidence.row.size = writer.size;
		tl_writer_init(&writer, bytes, sizeof(bytes));
		UNIT_CHECK(tl_consensus_evidence_encode(&writer, &evidence) == TL_OK);
		set_row(TL_LOG_EVIDENCE, their_view(), bytes, writer.size);
		input.row = row;
		UNIT_CHECK(tl_consensus_judge(core, &row, tl_consensus_check_signature, NULL,
									  &input.certificates_valid) == TL_BAD_SIGNATURE);
		UNIT_CHECK(tl_consensus_step(core, &actions, &input) == TL_OK);
		UNIT_CHECK((actions.count > 0 && actions.list[0].kind == TL_ACT_ALARM) == same);
	}
}

static void
bytes_decide(void)
{
	uint8_t		bytes[512];
	uint8_t		row_bytes[256];
	TlEvidence	evidence = {.kind = TL_EVIDENCE_ILLEGAL};
	TlEvidence	again;
	TlWriter	writer;

	open_core();
	set_row(TL_LOG_NULLIFY, 3, NULL, 0);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_evidence_encode(&writer, &evidence) == TL_BAD_FORMAT);
	tl_writer_init(&writer, row_bytes, sizeof(row_bytes));
	UNIT_CHECK(tl_consensus_row_encode(&writer, &row) == TL_OK);
	evidence.row.data = row_bytes;
	evidence.row.size = writer.size;
	evidence.parent_cut.data = row_bytes;
	evidence.parent_cut.size = 3;
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_evidence_encode(&writer, &evidence) == TL_BAD_FORMAT);
	evidence.parent_header = evidence.parent_cut;
	UNIT_CHECK(tl_consensus_evidence_encode(&writer, &evidence) == TL_OK);
	for (size_t cut = 0; cut < writer.size; cut++)
		UNIT_CHECK(tl_consensus_evidence_decode(&again, &config.chain_id, bytes, cut) != TL_OK);
	UNIT_CHECK(tl_consensus_evidence_decode(&again, &config.chain_id, bytes, writer.size + 1) == TL_TRAILING_BYTES);
	UNIT_CHECK(tl_consensus_evidence_decode(&again, &config.chain_id, bytes, writer.size) == TL_OK);
	UNIT_CHECK(again.parent_header.size == 3 && again.parent_cut.size == 3);
	bytes[6] = 9;				/* a row of no known format */
	UNIT_CHECK(tl_consensus_evidence_decode(&again, &config.chain_id, bytes, writer.size) == TL_BAD_VERSION);
}

static TlEvidenceKind
between(TlLogRow left, TlLogRow right)
{
	TlEvidenceRow rows[2];
	TlEvidence	evidence;

	tl_consensus_evidence_row(&rows[0], &left);
	tl_consensus_evidence_row(&rows[1], &right);
	return tl_consensus_evidence_make(&evidence, &config.chain_id, &rows[0], &rows[1]);
}

/* E7 */
static void
below_the_floor(void)
{
	TlLogRow	rejoin = {.member = 2, .sequence = 1, .kind = TL_LOG_REJOIN,
	.nonce = {7}, .epoch = 1, .view = 12};
	TlLogRow	vote = {.member = 2, .sequence = 5, .nonce = {7}, .epoch = 1,
	.view = 11};

	for (int kind = TL_LOG_PROPOSE; kind <= TL_LOG_NULLIFY; kind++)
	{
		vote.kind = (uint8_t) kind;
		UNIT_CHECK(between(rejoin, vote) == TL_EVIDENCE_FLOOR);
		UNIT_CHECK(between(vote, rejoin) == TL_EVIDENCE_FLOOR);
	}
	vote.view = 12;
	UNIT_CHECK(between(rejoin, vote) == TL_EVIDENCE_NONE);
	vote.epoch = 0;				/* an older epoch, whatever the view */
	UNIT_CHECK(between(rejoin, vote) == TL_EVIDENCE_FLOOR);
	vote.epoch = 2;
	vote.view = 1;
	UNIT_CHECK(between(rejoin, vote) == TL_EVIDENCE_NONE);
	vote.epoch = 1;
	vote.nonce[0] = 0;			/* of the incarnation before: W says nothing */
	UNIT_CHECK(between(rejoin, vote) == TL_EVIDENCE_NONE);
	vote.nonce[0] = 7;
	vote.kind = TL_LOG_ACK;
	UNIT_CHECK(between(rejoin, vote) == TL_EVIDENCE_NONE);
	vote.kind = TL_LOG_STATE;
	UNIT_CHECK(between(rejoin, vote) == TL_EVIDENCE_NONE);
	vote.kind = TL_LOG_NOTARIZE;
	vote.member = 3;
	UNIT_CHECK(between(rejoin, vote) == TL_EVIDENCE_NONE);
}

UNIT_MAIN(UNIT_CASE(small_rows), UNIT_CASE(approvals), UNIT_CASE(replies),
		  UNIT_CASE(rejoins), UNIT_CASE(batches), UNIT_CASE(certificates),
		  UNIT_CASE(proposals), UNIT_CASE(with_parent), UNIT_CASE(core_accuses),
		  UNIT_CASE(other_epoch), UNIT_CASE(bytes_decide), UNIT_CASE(below_the_floor))
