/*-------------------------------------------------------------------------
 *
 * test_consensus_recover.c
 *	  Start and rejoin, step by step: who is asked, who replies what, what a
 *	  REJOIN says, whose votes count.
 *
 * Signatures are not checked here; what many members do is for the simulator.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_core.h"
#include "consensus_evidence.h"
#include "consensus_rejoin.h"
#include "consensus_reply.h"

#include "chain_batch.h"
#include "consensus_payload.h"
#include "unit.h"
#include "unit_actions.h"
#include "unit_consensus.h"

#include <stdlib.h>
#include <string.h>

#define MEMBERS		4
#define MORE		5			/* here not all others have to reply */

static TlActions actions;
static TlConsensusConfig config;
static TlConsensus *core;
static void *memory;
static int64_t now_us;
static uint8_t reply_bytes[MORE + 1][2048];
static TlSpan replies[MORE + 1];
static uint32_t reply_ticket;	/* of reply_of */
static uint64_t reply_height;
static uint8_t rejoin_before;	/* of rejoin_of */
static bool rekeyed;			/* the first member has another key since this epoch */

static void open_epoch(unsigned members, uint32_t member, uint64_t epoch,
					   uint32_t approvals);
static TlLogRow reply_of(uint32_t member, uint32_t asker, uint8_t nonce,
						 uint64_t view, bool changing);

static void
open_core(unsigned members, uint32_t member)
{
	open_epoch(members, member, 0, 0);
}

/* The core of an epoch in which so many of its member's approvals are ordered. */
static void
open_epoch(unsigned members, uint32_t member, uint64_t epoch,
		   uint32_t approvals)
{
	memset(replies, 0, sizeof(replies));
	reply_ticket = 0;
	reply_height = 0;
	unit_consensus_config(&config, members);
	config.member = member;
	if (rekeyed)
	{
		config.members[0].before_count = 1;
		config.members[0].before[0].key[0] = 99;
		config.members[0].before[0].until = epoch;
	}
	config.quorum_of_three = 3;
	config.view_count = 16;
	config.pace.start_wait_us = 10000000;
	unit_consensus_genesis(&config);
	config.epoch = epoch;
	config.standing.members[member - 1].approvals = approvals;
	free(memory);
	core = unit_consensus_open(&config, &memory);
	now_us = 1;
}

static TlStatus
step(TlInput input)
{
	input.now_us = now_us;
	input.certificates_valid = true;
	return tl_consensus_step(core, &actions, &input);
}

static void
start(bool fresh)
{
	UNIT_CHECK(step((TlInput) {.kind = TL_INPUT_START, .fresh = fresh}) == TL_OK);
}

static bool
alarmed(TlAlarm alarm)
{
	for (unsigned i = 0; i < actions.count; i++)
	{
		if (actions.list[i].kind == TL_ACT_ALARM &&
			actions.list[i].alarm == alarm)
			return true;
	}
	return false;
}

static TlLogRow
row_of(uint32_t member, uint8_t nonce, uint64_t sequence, uint8_t kind,
	   uint64_t view, TlSpan payload)
{
	TlLogRow	row = {.member = member, .nonce = {nonce},
		.sequence = sequence, .kind = kind, .view = view, .payload = payload};

	row.previous.bytes[0] = (sequence > 1);
	return row;
}

static TlStatus
give(TlInputKind kind, TlLogRow row)
{
	return step((TlInput) {.kind = kind, .row = row});
}

/* The next batch of a member, without bodies. */
static TlSpan
batch_of(uint32_t member, uint16_t incarnation)
{
	static uint8_t bytes[TL_BATCH_SIZE_FIXED];
	TlBatchHeader header = {.chain_id = config.chain_id, .member = member,
	.incarnation = incarnation, .batch = 1, .section_count = 1};
	TlWriter	writer;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_chain_batch_encode(&writer, &header) == TL_OK);
	return (TlSpan) {bytes, writer.size};
}

/* Does it sign anything?  The batch is one that it could make. */
static bool
signs(void)
{
	return step((TlInput) {.kind = TL_INPUT_MAKE_BATCH,
				.payload = batch_of(config.member, 0)}) == TL_OK &&
		unit_action(&actions, TL_ACT_APPEND) != NULL;
}

static void
seen(uint32_t member, const TlLogRow *row, bool held)
{
	TlInput		input = {.kind = TL_INPUT_LAST_SEEN, .member = member, .held = held};

	if (row != NULL)
		input.row = *row;
	UNIT_CHECK(step(input) == TL_OK);
}

/* A batch that comes as the time ends is too early; what is signed then counts. */
static void
signs_although_refused(void)
{
	TlSpan		header = batch_of(2, 0);
	TlInput		held = {.kind = TL_INPUT_HELD, .lane = {.member = 2, .batch = 1}};

	open_core(MEMBERS, 1);
	start(true);
	UNIT_CHECK(give(TL_INPUT_ROW, row_of(2, 0, 1, TL_LOG_BATCH, 0, header)) == TL_OK);
	tl_chain_batch_digest(&held.lane.digest, header.data, header.size);
	UNIT_CHECK(step(held) == TL_OK && unit_action(&actions, TL_ACT_APPEND) == NULL);
	now_us += config.pace.start_wait_us;
	UNIT_CHECK(step((TlInput) {.kind = TL_INPUT_MAKE_BATCH,
				   .payload = batch_of(config.member, 0)}) == TL_BAD_ORDER);
	UNIT_CHECK(unit_action(&actions, TL_ACT_APPEND) != NULL &&
			   unit_action(&actions, TL_ACT_APPEND)->row.sequence == 1);
	UNIT_CHECK(signs() && unit_action(&actions, TL_ACT_APPEND)->row.sequence > 1);
}

/* R30: all others, or the time. */
static void
asks_first(void)
{
	open_core(MEMBERS, 1);
	start(true);
	UNIT_CHECK(unit_action(&actions, TL_ACT_ASK_LAST_SEEN) != NULL && !signs());
	seen(2, NULL, false);
	seen(3, NULL, false);
	seen(3, NULL, false);
	UNIT_CHECK(!signs());
	seen(4, NULL, false);
	UNIT_CHECK(signs());

	open_core(MEMBERS, 1);
	start(true);
	now_us += config.pace.start_wait_us - 1;
	UNIT_CHECK(!signs());
	now_us++;
	UNIT_CHECK(step((TlInput) {.kind = TL_INPUT_TIME}) == TL_OK && signs());

	open_core(MEMBERS, 1);
	start(false);				/* the worker alone */
	UNIT_CHECK(unit_action(&actions, TL_ACT_ASK_LAST_SEEN) == NULL && signs());

	open_core(1, 1);
	start(true);
	UNIT_CHECK(signs());
}

/* R30, R31: a participant may be the only one who saw a row, and can accuse. */
static void
asks_participants(void)
{
	TlLogRow	own = row_of(1, 0, 7, TL_LOG_BATCH, 3, (TlSpan) {NULL, 0});

	open_core(MEMBERS, 1);
	config.members[3].validator = false;
	core = tl_consensus_init(memory, tl_consensus_size(&config), &config);
	start(true);
	seen(2, NULL, false);
	seen(3, NULL, false);
	UNIT_CHECK(!signs());
	seen(4, &own, false);
	UNIT_CHECK(alarmed(TL_ALARM_MEMORY) && !signs());
}

/* R31: a row that others have and the own log lacks. */
static void
memory_is_lost(void)
{
	TlLogRow	own = row_of(1, 0, 7, TL_LOG_NULLIFY, 3, (TlSpan) {NULL, 0});

	open_core(MEMBERS, 1);
	start(true);
	seen(2, &own, true);
	UNIT_CHECK(!alarmed(TL_ALARM_MEMORY));
	seen(3, &own, false);
	UNIT_CHECK(alarmed(TL_ALARM_MEMORY) && !signs());
	seen(4, &own, false);
	UNIT_CHECK(!alarmed(TL_ALARM_MEMORY) && !signs());	/* once */
	now_us += config.pace.start_wait_us;
	UNIT_CHECK(!signs());

	open_core(MEMBERS, 1);
	start(false);				/* at any time */
	UNIT_CHECK(signs());
	seen(3, &own, false);
	UNIT_CHECK(alarmed(TL_ALARM_MEMORY));
}

/* R31: of an epoch before that of the newest own row a key that was given up says nothing. */
static void
old_key_says_nothing(void)
{
	TlLogRow	own = row_of(1, 0, 1, TL_LOG_NULLIFY, 1, (TlSpan) {NULL, 0});
	TlLogRow	row;

	own.epoch = 1;
	for (int i = 0; i < 6; i++)
	{
		rekeyed = (i != 0);
		open_epoch(MEMBERS, 1, 1, 0);
		if (i > 1)
			UNIT_CHECK(give(TL_INPUT_ROW, own) == TL_OK);
		start(true);
		row = row_of(1, (uint8_t) (i == 3 ? 7 : 0), i == 4 ? 1 : 2, TL_LOG_NULLIFY, 3, (TlSpan) {NULL, 0});
		row.epoch = (i == 5);
		seen(2, &row, false);
		/* by one key; by two, but no own row of the new one; of the epoch itself */
		UNIT_CHECK(alarmed(TL_ALARM_MEMORY) == (i == 0 || i == 1 || i == 5));
	}
	rekeyed = false;
	open_epoch(MEMBERS, 1, 1, 0);
	UNIT_CHECK(give(TL_INPUT_ROW, own) == TL_OK);
	start(true);
	row = row_of(1, 0, 2, TL_LOG_NULLIFY, 3, (TlSpan) {NULL, 0});
	seen(2, &row, false);		/* its key of now: a copy signs */
	UNIT_CHECK(alarmed(TL_ALARM_MEMORY));
}

/* Within a log epochs do not go back; in a new one they begin anew. */
static void
epochs_do_not_go_back(void)
{
	TlLogRow	row = row_of(4, 0, 1, TL_LOG_NULLIFY, 1, (TlSpan) {NULL, 0});

	open_epoch(MEMBERS, 1, 1, 0);
	start(false);
	UNIT_CHECK(give(TL_INPUT_ROW, row) == TL_OK);	/* of epoch 0 */
	row.epoch = 1;
	row.sequence = 2;
	row.previous.bytes[0] = 1;
	UNIT_CHECK(give(TL_INPUT_ROW, row) == TL_OK);
	row.epoch = 0;
	row.sequence = 3;
	UNIT_CHECK(give(TL_INPUT_ROW, row) == TL_BAD_ORDER);
	row.epoch = 1;
	UNIT_CHECK(give(TL_INPUT_ROW, row) == TL_OK);
}

static TlStatus
request(uint32_t member, uint8_t nonce, uint8_t before, uint32_t ticket)
{
	uint8_t		bytes[TL_REQUEST_SIZE];
	TlRequest	request = {.before = {before}, .ticket = ticket};
	TlWriter	writer;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_request_encode(&writer, &request) == TL_OK);
	return give(TL_INPUT_REQUEST, row_of(member, nonce, 0, TL_LOG_REQUEST, 0,
										 (TlSpan) {bytes, writer.size}));
}

/* The REPLY that was asked for, decoded. */
static bool
replied(TlReply *reply, uint64_t view)
{
	const TlAction *action = unit_action(&actions, TL_ACT_REPLY);

	return action != NULL && action->member == 4 && action->row.view == view &&
		action->row.sequence == 0 &&
		tl_consensus_reply_decode(reply, action->row.payload.data,
								  action->row.payload.size) == TL_OK;
}

/* R34: what is shown is the end, also after a restart. */
static void
replies_and_closes(void)
{
	TlSpan		none = {NULL, 0};
	TlLogRow	first = row_of(4, 0, 1, TL_LOG_NULLIFY, 1, none);
	TlLogRow	kept;
	uint8_t		bytes[1024];
	TlReply		reply;

	open_core(MEMBERS, 1);
	start(false);
	UNIT_CHECK(give(TL_INPUT_ROW, first) == TL_OK);
	UNIT_CHECK(request(4, 7, 1, 0) == TL_OK && unit_action(&actions, TL_ACT_REPLY) == NULL);
	UNIT_CHECK(request(4, 7, 0, 1) == TL_OK && unit_action(&actions, TL_ACT_REPLY) == NULL);
	UNIT_CHECK(request(4, 7, 0, 0) == TL_OK && replied(&reply, 1));
	UNIT_CHECK(reply.reason == TL_REPLY_FIRST && reply.ticket == 0 &&
			   reply.request[0] == 7 && reply.seen &&
			   reply.last.row.sequence == 1 && !reply.changing);
	kept = unit_action(&actions, TL_ACT_REPLY)->row;
	memcpy(bytes, kept.payload.data, kept.payload.size);
	kept.payload.data = bytes;
	UNIT_CHECK(give(TL_INPUT_ROW, row_of(4, 0, 2, TL_LOG_NULLIFY, 2, none)) == TL_BAD_ORDER);
	/* an older request that comes late */
	UNIT_CHECK(request(4, 6, 0, 0) == TL_OK && unit_action(&actions, TL_ACT_REPLY) == NULL);
	UNIT_CHECK(request(4, 7, 0, 1) == TL_OK && replied(&reply, 1));
	UNIT_CHECK(reply.ticket == 1 && reply.last.row.sequence == 1);

	open_core(MEMBERS, 1);
	UNIT_CHECK(give(TL_INPUT_ROW, first) == TL_OK);
	UNIT_CHECK(give(TL_INPUT_REPLIED, kept) == TL_OK);
	start(false);
	UNIT_CHECK(give(TL_INPUT_ROW, row_of(4, 0, 2, TL_LOG_NULLIFY, 2, none)) == TL_BAD_ORDER);
	UNIT_CHECK(request(4, 7, 0, 0) == TL_OK && unit_action(&actions, TL_ACT_REPLY) == NULL);
	UNIT_CHECK(request(4, 7, 0, 1) == TL_OK && replied(&reply, 1));
}

/* Who asks in a later epoch has final blocks that are not here. */
static void
asks_ahead(void)
{
	uint8_t		bytes[TL_REQUEST_SIZE];
	TlRequest	request = {.ticket = 0};
	TlWriter	writer;
	TlLogRow	row;

	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_request_encode(&writer, &request) == TL_OK);
	row = row_of(4, 7, 0, TL_LOG_REQUEST, 0, (TlSpan) {bytes, writer.size});
	for (uint64_t epoch = 1; epoch <= 3; epoch++)
	{
		open_epoch(MEMBERS, 1, 2, 0);
		start(false);
		row.epoch = epoch;
		UNIT_CHECK(give(TL_INPUT_REQUEST, row) == TL_OK);
		UNIT_CHECK((unit_action(&actions, TL_ACT_REPLY) != NULL) == (epoch <= 2));
		UNIT_CHECK((unit_action(&actions, TL_ACT_CATCH_UP) != NULL) == (epoch == 3));
		UNIT_CHECK(epoch < 3 || (unit_action(&actions, TL_ACT_CATCH_UP) != NULL &&
								  unit_action(&actions, TL_ACT_CATCH_UP)->member == 4));
	}
	/* So does who replies in one. */
	open_epoch(MEMBERS, 1, 2, 0);
	UNIT_CHECK(step((TlInput) {.kind = TL_INPUT_REJOIN,
							   .rejoin = {.cause = TL_REJOIN_ROLLED_BACK,
								   .nonce = {7}}}) == TL_OK);
	start(true);
	for (uint64_t epoch = 1; epoch <= 3; epoch++)
	{
		row = reply_of(4, 1, 7, 1, false);
		row.epoch = epoch;
		UNIT_CHECK(give(TL_INPUT_REPLY, row) == TL_OK);
		UNIT_CHECK((unit_action(&actions, TL_ACT_CATCH_UP) != NULL) == (epoch == 3));
		UNIT_CHECK(epoch < 3 || (unit_action(&actions, TL_ACT_CATCH_UP) != NULL &&
								  unit_action(&actions, TL_ACT_CATCH_UP)->member == 4));
	}
}

/* R33: who waits or has lost memory himself does not. */
static void
says_nothing(void)
{
	TlReply		reply;

	open_core(MEMBERS, 1);
	start(true);
	UNIT_CHECK(request(4, 7, 0, 0) == TL_OK && unit_action(&actions, TL_ACT_REPLY) == NULL);
	for (uint32_t member = 2; member <= MEMBERS; member++)
		seen(member, NULL, false);
	UNIT_CHECK(request(4, 7, 0, 0) == TL_OK && replied(&reply, 1));
	UNIT_CHECK(step((TlInput) {.kind = TL_INPUT_REJOIN,
							   .rejoin = {.cause = TL_REJOIN_ROLLED_BACK,
								   .nonce = {9}}}) == TL_OK);
	UNIT_CHECK(request(4, 7, 0, 1) == TL_OK && unit_action(&actions, TL_ACT_REPLY) == NULL);
}

/* That member's REPLY to this nonce of asker; kept for a REJOIN. */
static TlLogRow
reply_of(uint32_t member, uint32_t asker, uint8_t nonce, uint64_t view,
		 bool changing)
{
	static uint8_t payload[MORE + 1][TL_REPLY_SIZE_FIXED];
	TlReply		reply = {.asker = asker, .request = {nonce},
		.ticket = reply_ticket, .final_height = reply_height,
	.reason = TL_REPLY_FIRST, .changing = changing};
	TlWriter	writer;
	TlLogRow	row;

	tl_writer_init(&writer, payload[member], TL_REPLY_SIZE_FIXED);
	UNIT_CHECK(tl_consensus_reply_encode(&writer, &reply) == TL_OK);
	row = row_of(member, 0, 0, TL_LOG_REPLY, view,
				 (TlSpan) {payload[member], writer.size});
	tl_writer_init(&writer, reply_bytes[member], sizeof(reply_bytes[member]));
	tl_put_u32(&writer, (uint32_t) (TL_LOG_ROW_SIZE_FIXED + row.payload.size));
	UNIT_CHECK(tl_consensus_row_encode(&writer, &row) == TL_OK);
	replies[member] = (TlSpan) {reply_bytes[member], writer.size};
	return row;
}

/* R35, R36, R38: enough replies that count, and two views beyond. */
static void
rejoins(void)
{
	const TlAction *action;
	TlRejoin	rejoin;
	TlConsensusStatus status;

	open_core(MEMBERS, 1);
	UNIT_CHECK(step((TlInput) {.kind = TL_INPUT_REJOIN,
							   .rejoin = {.cause = TL_REJOIN_ROLLED_BACK,
								   .nonce = {7}}}) == TL_OK);
	start(true);
	UNIT_CHECK(unit_action(&actions, TL_ACT_ASK_LAST_SEEN) != NULL && !signs());
	seen(2, NULL, false);
	action = unit_action(&actions, TL_ACT_REQUEST);
	UNIT_CHECK(action != NULL && action->member == 2 &&
			   action->row.nonce[0] == 7 && action->row.sequence == 0);
	UNIT_CHECK(give(TL_INPUT_REPLY, reply_of(2, 1, 7, 1, false)) == TL_OK);
	UNIT_CHECK(give(TL_INPUT_REPLY, reply_of(3, 1, 7, 1, false)) == TL_OK);
	UNIT_CHECK(unit_action(&actions, TL_ACT_APPEND) == NULL && !signs());
	UNIT_CHECK(give(TL_INPUT_REPLY, reply_of(3, 1, 7, 1, false)) == TL_OK);
	UNIT_CHECK(unit_action(&actions, TL_ACT_APPEND) == NULL);	/* the same once more */
	UNIT_CHECK(give(TL_INPUT_REPLY, reply_of(4, 1, 7, 1, true)) == TL_OK);
	UNIT_CHECK(unit_action(&actions, TL_ACT_APPEND) == NULL);	/* the members change */
	UNIT_CHECK(give(TL_INPUT_REPLY, reply_of(4, 1, 7, 2, false)) == TL_OK);
	UNIT_CHECK(unit_action(&actions, TL_ACT_APPEND) == NULL);	/* not proved */
	UNIT_CHECK(give(TL_INPUT_REPLY, reply_of(4, 2, 7, 1, false)) == TL_OK);
	UNIT_CHECK(give(TL_INPUT_REPLY, reply_of(4, 1, 8, 1, false)) == TL_OK);
	UNIT_CHECK(unit_action(&actions, TL_ACT_APPEND) == NULL);	/* to another, or before */
	UNIT_CHECK(give(TL_INPUT_REPLY, reply_of(4, 1, 7, 1, false)) == TL_OK);
	action = unit_action(&actions, TL_ACT_APPEND);
	UNIT_CHECK(action != NULL && action->row.kind == TL_LOG_REJOIN &&
			   action->row.sequence == 1 && action->row.nonce[0] == 7 &&
			   action->row.view == 3);
	if (action == NULL)
		return;
	UNIT_CHECK(tl_consensus_rejoin_decode(&rejoin, action->row.payload.data,
										  action->row.payload.size) == TL_OK &&
			   rejoin.reply_count == 3 && rejoin.nonce[0] == 7);
	tl_consensus_status(core, &status);
	UNIT_CHECK(!status.lost && status.floor == 2 && !status.numbered);
	UNIT_CHECK(!signs());		/* no batch before it has a number */
}

/* A REPLY that is against the rules convicts its author, once rows can be signed. */
static void
illegal_reply(void)
{
	unsigned	accusations = 0;
	TlEvidence	evidence;

	open_core(MORE, 1);
	UNIT_CHECK(step((TlInput) {.kind = TL_INPUT_REJOIN,
							   .rejoin = {.cause = TL_REJOIN_ROLLED_BACK,
								   .nonce = {7}}}) == TL_OK);
	start(true);
	UNIT_CHECK(give(TL_INPUT_REPLY, reply_of(5, 1, 7, 2, false)) == TL_OK);
	UNIT_CHECK(unit_action(&actions, TL_ACT_APPEND) == NULL);
	for (uint32_t member = 2; member <= 4; member++)
		UNIT_CHECK(give(TL_INPUT_REPLY, reply_of(member, 1, 7, 1, false)) == TL_OK);
	for (unsigned i = 0; i < actions.count; i++)
	{
		const TlLogRow *row = &actions.list[i].row;

		if (actions.list[i].kind != TL_ACT_APPEND || row->kind != TL_LOG_EVIDENCE)
			continue;
		UNIT_CHECK(tl_consensus_evidence_decode(&evidence, &config.chain_id,
												row->payload.data,
												row->payload.size) == TL_OK &&
				   evidence.kind == TL_EVIDENCE_ILLEGAL &&
				   evidence.rows[0].row.member == 5 && row->sequence == 2);
		accusations++;
	}
	UNIT_CHECK(accusations == 1);
}

/* R35: final blocks that more than f have come first; nobody's word is enough. */
static void
takes_final(void)
{
	const TlAction *action;

	for (unsigned ahead = 1; ahead <= 2; ahead++)
	{
		open_core(MEMBERS, 1);
		UNIT_CHECK(step((TlInput) {.kind = TL_INPUT_REJOIN,
								   .rejoin = {.cause = TL_REJOIN_ROLLED_BACK,
									   .nonce = {7}}}) == TL_OK);
		start(true);
		for (uint32_t member = 2; member <= MEMBERS; member++)
		{
			reply_height = (member > MEMBERS - ahead) ? 5 : 0;
			UNIT_CHECK(give(TL_INPUT_REPLY, reply_of(member, 1, 7, 1, false)) == TL_OK);
		}
		UNIT_CHECK((unit_action(&actions, TL_ACT_APPEND) != NULL) == (ahead == 1));
		UNIT_CHECK(unit_action(&actions, TL_ACT_CATCH_UP) == NULL);
	}
	/* The logs may bring them; later they are taken from those who have them. */
	now_us += 2 * config.pace.fetch_us - 1;
	UNIT_CHECK(step((TlInput) {.kind = TL_INPUT_TIME}) == TL_OK);
	UNIT_CHECK(unit_action(&actions, TL_ACT_CATCH_UP) == NULL);
	for (uint32_t turn = 0; turn < 3; turn++)
	{
		now_us += (turn == 0) ? 1 : config.pace.fetch_us;
		UNIT_CHECK(step((TlInput) {.kind = TL_INPUT_TIME}) == TL_OK);
		action = unit_action(&actions, TL_ACT_CATCH_UP);
		UNIT_CHECK(action != NULL && action->member == 3 + turn % 2);
		UNIT_CHECK(unit_action(&actions, TL_ACT_APPEND) == NULL);
	}
}

/* The REJOIN of that member with replies of so many others. */
static TlLogRow
rejoin_of(uint32_t author, uint8_t nonce, uint64_t view, unsigned count)
{
	static uint8_t bytes[16][4096];
	uint8_t		list[4096];
	TlRejoin	rejoin = {.cause = TL_REJOIN_ROLLED_BACK, .nonce = {nonce},
		.reply_count = (uint16_t) count};
	TlWriter	writer;

	rejoin.nonce_before[0] = rejoin_before;
	rejoin.sequence = rejoin.digest.bytes[0] = (rejoin_before != 0);
	tl_writer_init(&writer, list, sizeof(list));
	for (uint32_t member = 1; count > 0; member++)
	{
		if (member == author)
			continue;
		(void) reply_of(member, author, nonce, 1, false);
		tl_put_bytes(&writer, replies[member].data, replies[member].size);
		count--;
	}
	rejoin.replies = (TlSpan) {list, writer.size};
	tl_writer_init(&writer, bytes[nonce], sizeof(bytes[nonce]));
	UNIT_CHECK(tl_consensus_rejoin_encode(&writer, &rejoin) == TL_OK);
	return row_of(author, nonce, 1, TL_LOG_REJOIN, view,
				  (TlSpan) {bytes[nonce], writer.size});
}

static TlStatus
bring_rejoin_of(uint32_t author, uint64_t view, unsigned count)
{
	return give(TL_INPUT_ROW, rejoin_of(author, 7, view, count));
}

static TlStatus
bring_rejoin(uint64_t view, unsigned count)
{
	return bring_rejoin_of(4, view, count);
}

/* R35 to R37: which REJOIN others take, and which votes after it. */
static void
others_judge(void)
{
	TlSpan		none = {NULL, 0};
	const TlAction *action;
	TlEvidence	evidence;

	for (int i = 0; i < 3; i++)
	{
		open_core(MEMBERS, 1);
		start(false);
		/* too near, too far, too few */
		UNIT_CHECK(bring_rejoin(i == 0 ? 2 : i == 1 ? 4 : 3, i == 2 ? 2 : 3) == TL_OK);
		UNIT_CHECK(alarmed(TL_ALARM_ILLEGAL_ROW));
		UNIT_CHECK(give(TL_INPUT_ROW, row_of(4, 7, 2, TL_LOG_NULLIFY, 9, none)) == TL_BAD_ORDER);
	}
	open_core(MEMBERS, 1);
	start(false);
	UNIT_CHECK(bring_rejoin(3, 3) == TL_OK && !alarmed(TL_ALARM_ILLEGAL_ROW));
	UNIT_CHECK(give(TL_INPUT_ROW, row_of(4, 0, 1, TL_LOG_NULLIFY, 1, none)) == TL_BAD_ORDER);
	UNIT_CHECK(give(TL_INPUT_ROW, row_of(4, 7, 2, TL_LOG_NULLIFY, 3, none)) == TL_OK);
	UNIT_CHECK(!alarmed(TL_ALARM_ILLEGAL_ROW));
	UNIT_CHECK(give(TL_INPUT_ROW, row_of(4, 7, 3, TL_LOG_NULLIFY, 2, none)) == TL_OK);
	UNIT_CHECK(alarmed(TL_ALARM_ILLEGAL_ROW));
	action = unit_action(&actions, TL_ACT_APPEND);
	UNIT_CHECK(action != NULL && action->row.kind == TL_LOG_EVIDENCE &&
			   tl_consensus_evidence_decode(&evidence, &config.chain_id,
											action->row.payload.data,
											action->row.payload.size) == TL_OK &&
			   evidence.kind == TL_EVIDENCE_FLOOR);
}

/* R32: the view of an own REJOIN counts as one in which it is. */
static void
replies_with_its_floor(void)
{
	TlReply		reply;

	open_core(MEMBERS, 4);
	UNIT_CHECK(bring_rejoin(3, 3) == TL_OK);
	start(false);
	config.member = 4;
	UNIT_CHECK(request(1, 9, 0, 0) == TL_OK);
	UNIT_CHECK(unit_action(&actions, TL_ACT_REPLY) != NULL &&
			   unit_action(&actions, TL_ACT_REPLY)->row.view == 2 &&
			   tl_consensus_reply_decode(&reply,
										 unit_action(&actions, TL_ACT_REPLY)->row.payload.data,
										 unit_action(&actions, TL_ACT_REPLY)->row.payload.size) == TL_OK &&
			   reply.reason == TL_REPLY_REJOINED);
}

/* R39: no batch of a number that no final block has given. */
static void
numbers(void)
{
	open_core(MEMBERS, 1);
	start(false);
	UNIT_CHECK(bring_rejoin(3, 3) == TL_OK);
	UNIT_CHECK(give(TL_INPUT_ROW, row_of(4, 7, 2, TL_LOG_BATCH, 1, batch_of(4, 1))) == TL_OK);
	UNIT_CHECK(unit_action(&actions, TL_ACT_APPEND) == NULL);	/* no ACK */
	UNIT_CHECK(give(TL_INPUT_LOOSE_ROW, row_of(4, 0, 5, TL_LOG_BATCH, 1, batch_of(4, 0))) == TL_OK);
	UNIT_CHECK(unit_action(&actions, TL_ACT_APPEND) != NULL);
	free(memory);
	memory = NULL;
}

/* Two members: what the other shows is taken back, to the last and no further. */
static void
pair(void)
{
	TlSpan		none = {NULL, 0};
	TlLogRow	own[2] = {row_of(1, 0, 1, TL_LOG_ACK, 1, none),
	row_of(1, 0, 2, TL_LOG_NULLIFY, 1, none)};
	const TlAction *action;
	TlReply		reply = {.asker = 1, .request = {7}, .seen = true};
	uint8_t		bytes[TL_REPLY_SIZE_FIXED + TL_EVIDENCE_ROW_SIZE];
	TlWriter	writer;
	TlHash		digest;
	TlConsensusStatus status;

	open_core(2, 1);
	tl_consensus_row_digest(&digest, &config.chain_id, &own[0]);
	own[1].previous = digest;
	UNIT_CHECK(step((TlInput) {.kind = TL_INPUT_REJOIN,
							   .rejoin = {.cause = TL_REJOIN_ROLLED_BACK,
								   .nonce = {7}}}) == TL_OK);
	start(true);
	seen(2, &own[0], false);
	tl_consensus_evidence_row(&reply.last, &own[0]);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	UNIT_CHECK(tl_consensus_reply_encode(&writer, &reply) == TL_OK);
	UNIT_CHECK(give(TL_INPUT_REPLY, row_of(2, 0, 0, TL_LOG_REPLY, 1,
										   (TlSpan) {bytes, writer.size})) == TL_OK);
	UNIT_CHECK(unit_action(&actions, TL_ACT_APPEND) == NULL);
	UNIT_CHECK(give(TL_INPUT_ROW, own[0]) == TL_OK);
	UNIT_CHECK(give(TL_INPUT_ROW, own[1]) == TL_OK);
	seen(2, &own[0], true);
	action = unit_action(&actions, TL_ACT_CUT_LOG);
	UNIT_CHECK(action != NULL && unit_action(&actions, TL_ACT_APPEND) == NULL &&
			   memcmp(&action->hash, &digest, sizeof(digest)) == 0);

	open_core(2, 1);
	UNIT_CHECK(give(TL_INPUT_ROW, own[0]) == TL_OK);
	UNIT_CHECK(step((TlInput) {.kind = TL_INPUT_REJOIN,
							   .rejoin = {.cause = TL_REJOIN_ROLLED_BACK,
								   .nonce = {7}}}) == TL_OK);
	start(true);
	seen(2, &own[0], true);
	UNIT_CHECK(give(TL_INPUT_REPLY, row_of(2, 0, 0, TL_LOG_REPLY, 1,
										   (TlSpan) {bytes, writer.size})) == TL_OK);
	action = unit_action(&actions, TL_ACT_APPEND);
	UNIT_CHECK(action != NULL && action->row.kind == TL_LOG_REJOIN);
	tl_consensus_status(core, &status);
	UNIT_CHECK(status.floor == 0);	/* nobody could go on without it */
}

/*
 * Two members, and a crash while rows come back: at the start there is a vote of a view
 * that is not remembered.  It waits, and nothing is signed before the REJOIN; four members
 * do not need it.
 */
static void
interrupted(void)
{
	TlSpan		none = {NULL, 0};
	TlLogRow	within = row_of(1, 0, 1, TL_LOG_NULLIFY, 15, none);
	TlLogRow	beyond = row_of(1, 0, 2, TL_LOG_NULLIFY, 16, none);
	TlInput		wanted = {.kind = TL_INPUT_REJOIN,
	.rejoin = {.cause = TL_REJOIN_ROLLED_BACK, .nonce = {7}}};
	TlConsensusStatus status;

	for (unsigned members = 2; members <= MEMBERS; members += 2)
	{
		bool		waits = (members == 2);

		open_core(members, 1);
		UNIT_CHECK(give(TL_INPUT_ROW, within) == TL_OK);
		tl_consensus_row_digest(&beyond.previous, &config.chain_id, &within);
		UNIT_CHECK(give(TL_INPUT_ROW, beyond) == (waits ? TL_NOT_FINAL : TL_OK));
		start(false);
		UNIT_CHECK(alarmed(TL_ALARM_MEMORY) == waits);
		tl_consensus_status(core, &status);
		UNIT_CHECK(status.lost == waits && status.sequence == (waits ? 1 : 2));
		now_us += 60 * 1000000;
		UNIT_CHECK(step((TlInput) {.kind = TL_INPUT_TIME}) == TL_OK);
		UNIT_CHECK(!waits || unit_action(&actions, TL_ACT_APPEND) == NULL);
	}
	open_core(2, 1);
	UNIT_CHECK(give(TL_INPUT_ROW, within) == TL_OK);
	UNIT_CHECK(give(TL_INPUT_ROW, beyond) == TL_NOT_FINAL);
	UNIT_CHECK(step(wanted) == TL_OK);
	start(true);
	UNIT_CHECK(!alarmed(TL_ALARM_MEMORY));	/* its operator knows */
	UNIT_CHECK(unit_action(&actions, TL_ACT_ASK_LAST_SEEN) != NULL);
	UNIT_CHECK(give(TL_INPUT_ROW, beyond) == TL_NOT_FINAL);
}

/* Is an own REJOIN of that epoch and view taken although nobody has what it follows? */
static bool
begins_with(unsigned members, uint64_t epoch, uint64_t view)
{
	TlSpan		none = {NULL, 0};
	TlLogRow	row = row_of(1, 5, 1, TL_LOG_REJOIN, view, none);
	TlInput		wanted = {.kind = TL_INPUT_REJOIN,
	.rejoin = {.cause = TL_REJOIN_ROLLED_BACK, .nonce = {7}}};
	TlLogRow	other = row;

	row.epoch = epoch;
	other.member = 2;
	open_epoch(members, 1, 1, 0);
	config.base.header.view = 9;
	core = tl_consensus_init(memory, tl_consensus_size(&config), &config);
	UNIT_CHECK(core != NULL && !tl_consensus_may_begin_with(core, &row));
	UNIT_CHECK(step(wanted) == TL_OK);
	start(true);
	UNIT_CHECK(!tl_consensus_may_begin_with(core, &other));
	other = row;
	other.kind = TL_LOG_ACK;
	UNIT_CHECK(!tl_consensus_may_begin_with(core, &other));
	return tl_consensus_may_begin_with(core, &row);
}

/* Rows before a REJOIN that nobody has any more: once a final block is as far. */
static void
lost_by_both(void)
{
	UNIT_CHECK(begins_with(2, 1, 9));
	UNIT_CHECK(!begins_with(2, 1, 10));
	UNIT_CHECK(begins_with(2, 0, 10));	/* of the epoch before */
	UNIT_CHECK(!begins_with(2, 2, 9));
	UNIT_CHECK(begins_with(3, 1, 9));
	UNIT_CHECK(!begins_with(4, 1, 9));	/* there others go on without it */
}

/*
 * N9 among two: this node has forgotten the newer one of its replies.  A REJOIN
 * that holds it is taken, and stays after a restart; one with an older does not.
 */
static void
pair_forgets_reply(void)
{
	TlSpan		none = {NULL, 0};
	TlLogRow	kept;

	for (uint32_t ticket = 0; ticket < 2; ticket++)
	{
		open_core(2, 1);
		kept = reply_of(1, 2, 9, 1, false);
		UNIT_CHECK(give(TL_INPUT_REPLIED, kept) == TL_OK);
		start(false);
		reply_ticket = ticket;
		UNIT_CHECK(bring_rejoin_of(2, 3, 1) == (ticket == 1 ? TL_OK : TL_BAD_ORDER));
		UNIT_CHECK(give(TL_INPUT_ROW, row_of(2, 7, 2, TL_LOG_NULLIFY, 1, none)) ==
				   (ticket == 1 ? TL_OK : TL_BAD_ORDER));
	}
	open_core(2, 1);
	reply_ticket = 1;
	UNIT_CHECK(bring_rejoin_of(2, 3, 1) == TL_OK);
	reply_ticket = 0;
	UNIT_CHECK(give(TL_INPUT_REPLIED, reply_of(1, 2, 9, 1, false)) == TL_OK);
	start(false);
	UNIT_CHECK(give(TL_INPUT_ROW, row_of(2, 7, 2, TL_LOG_NULLIFY, 1, none)) == TL_OK);
}

/* The PROPOSE row of whoever leads view 1, for a block that orders that REJOIN. */
static TlLogRow
proposal_of(uint32_t author, TlHash *block)
{
	static uint8_t bytes[4096];

	for (uint32_t leader = 1; leader <= MEMBERS; leader++)
	{
		const TlAction *action;
		TlProposal	proposal;
		TlBlockHeader header;
		TlLogRow	row;

		open_core(MEMBERS, leader);
		start(false);
		UNIT_CHECK(give(TL_INPUT_ROW, rejoin_of(author, 7, 3, 3)) == TL_OK);
		action = unit_action(&actions, TL_ACT_APPEND);
		if (leader == author || action == NULL || action->row.kind != TL_LOG_PROPOSE)
			continue;
		row = action->row;
		memcpy(bytes, row.payload.data, row.payload.size);
		row.payload.data = bytes;
		UNIT_CHECK(tl_consensus_proposal_decode(&proposal, bytes, row.payload.size) == TL_OK &&
				   tl_chain_block_decode(&header, proposal.header.data,
										 proposal.header.size) == TL_OK);
		tl_chain_block_hash(block, &header);
		return row;
	}
	return (TlLogRow) {0};
}

/* A REJOIN that a notarized block orders keeps its place against newer ones. */
static void
ordered_rejoin_stays(void)
{
	TlHash		block;
	TlLogRow	proposal = {0};
	TlSpan		hash = {block.bytes, TL_HASH_SIZE};
	uint32_t	author = 0;
	uint32_t	me;

	while (proposal.kind == 0 && author < MEMBERS)
		proposal = proposal_of(++author, &block);
	UNIT_CHECK(proposal.kind == TL_LOG_PROPOSE);
	me = 1;
	while (me == author || me == proposal.member)
		me++;
	open_core(MEMBERS, me);
	start(false);
	UNIT_CHECK(give(TL_INPUT_LOOSE_ROW, rejoin_of(author, 7, 3, 3)) == TL_OK);
	UNIT_CHECK(give(TL_INPUT_ROW, proposal) == TL_OK);
	for (uint32_t member = 1; member <= MEMBERS; member++)
	{
		if (member != me && member != author)
			UNIT_CHECK(give(TL_INPUT_ROW, row_of(member, 0, 9, TL_LOG_NOTARIZE, 1, hash)) == TL_OK);
	}
	UNIT_CHECK(give(TL_INPUT_ROW, row_of(me, 0, 1, TL_LOG_NOTARIZE, 1, hash)) == TL_OK);
	for (uint8_t nonce = 8; nonce < 16; nonce++)
		UNIT_CHECK(give(TL_INPUT_LOOSE_ROW, rejoin_of(author, nonce, 3, 3)) == TL_OK);
	for (uint32_t member = 1; member <= MEMBERS; member++)
	{
		if (member != author)
			UNIT_CHECK(give(TL_INPUT_ROW, row_of(member, 0, member == me ? 2 : 10,
												 TL_LOG_FINALIZE, 1, hash)) == TL_OK);
		if (unit_action(&actions, TL_ACT_FINAL) != NULL)
			break;
	}
	UNIT_CHECK(unit_action(&actions, TL_ACT_FINAL) != NULL && unit_action(&actions, TL_ACT_FETCH_ROW) == NULL);
}

/* A core whose own log begins with a REJOIN of nonce 8, of epoch 0; it has followed 5. */
static void
open_rejoined(uint64_t epoch, bool fresh)
{
	TlLogRow	own;

	open_epoch(MEMBERS, 1, epoch, 0);
	rejoin_before = 5;
	own = rejoin_of(1, 8, 3, 3);
	rejoin_before = 0;
	UNIT_CHECK(give(TL_INPUT_ROW, own) == TL_OK);
	start(fresh);
}

static bool
is_missed(uint8_t nonce, uint64_t epoch)
{
	TlLogRow	row = row_of(1, nonce, 7, TL_LOG_NULLIFY, 3, (TlSpan) {NULL, 0});

	row.epoch = epoch;
	seen(2, &row, false);
	return alarmed(TL_ALARM_MEMORY);
}

/* R31: which incarnations are over, and until when. */
static void
incarnations_are_over(void)
{
	open_rejoined(0, true);
	UNIT_CHECK(!is_missed(0, 0) && !is_missed(5, 0) && is_missed(9, 0));

	open_core(MEMBERS, 1);		/* by the order of blocks */
	memcpy(config.standing.members[0].nonce, (uint8_t[TL_NONCE_SIZE]) {8}, TL_NONCE_SIZE);
	memcpy(config.standing.members[0].older[0], (uint8_t[TL_NONCE_SIZE]) {4}, TL_NONCE_SIZE);
	memcpy(config.standing.members[0].older[1], (uint8_t[TL_NONCE_SIZE]) {3}, TL_NONCE_SIZE);
	config.standing.members[0].incarnation = 3;
	for (uint8_t newest = 4; newest <= 8; newest += 4)
	{
		core = tl_consensus_init(memory, tl_consensus_size(&config), &config);
		UNIT_CHECK(core != NULL);
		rejoin_before = 1;
		UNIT_CHECK(give(TL_INPUT_ROW, rejoin_of(1, newest, 3, 3)) == TL_OK);
		rejoin_before = 0;
		start(true);
		UNIT_CHECK(!is_missed(3, 0));
		UNIT_CHECK(is_missed(newest == 8 ? 9 : 8, 0));
	}
}

/* The REJOIN was signed before it was known that the epoch had begun. */
static void
rejoined_before_the_epoch(void)
{
	TlLogRow	own = row_of(1, 8, 2, TL_LOG_NULLIFY, 4, (TlSpan) {NULL, 0});
	TlConsensusStatus status;

	open_rejoined(1, false);
	tl_consensus_status(core, &status);
	UNIT_CHECK(unit_action(&actions, TL_ACT_ASK_LAST_SEEN) != NULL && status.asking);
	UNIT_CHECK(!is_missed(0, 0) && is_missed(0, 1));

	open_epoch(MEMBERS, 1, 1, 0);
	UNIT_CHECK(give(TL_INPUT_ROW, rejoin_of(1, 8, 3, 3)) == TL_OK);
	own.epoch = 1;
	UNIT_CHECK(give(TL_INPUT_ROW, own) == TL_OK);
	start(false);				/* it has asked, and begun */
	tl_consensus_status(core, &status);
	UNIT_CHECK(unit_action(&actions, TL_ACT_ASK_LAST_SEEN) == NULL && !status.asking);
	free(memory);
	memory = NULL;
}

/* Others do not take a REJOIN that knows nothing of an epoch in which its author was. */
static void
forgets_an_epoch(void)
{
	TlLogRow	row = row_of(4, 0, 1, TL_LOG_NULLIFY, 1, (TlSpan) {NULL, 0});
	TlLogRow	again;

	for (row.epoch = 0; row.epoch < 2; row.epoch++)
	{
		open_epoch(MEMBERS, 1, 1, 0);
		start(false);
		UNIT_CHECK(give(TL_INPUT_ROW, row) == TL_OK);
		UNIT_CHECK(bring_rejoin(3, 3) == (row.epoch == 1 ? TL_BAD_ORDER : TL_OK));
		again = row_of(4, 7, 2, TL_LOG_NULLIFY, 9, (TlSpan) {NULL, 0});
		UNIT_CHECK(give(TL_INPUT_ROW, again) == (row.epoch == 1 ? TL_BAD_ORDER : TL_OK));
	}
	free(memory);
	memory = NULL;
}

/* R34, R39 across epochs: promises hold, a REJOIN of before waits for its number. */
static void
epoch_ends(void)
{
	TlSpan		none = {NULL, 0};
	TlLogRow	first = row_of(4, 0, 1, TL_LOG_NULLIFY, 1, none);
	TlLogRow	kept;
	uint8_t		bytes[1024];
	TlReply		reply;
	TlConsensusStatus status;

	open_core(MEMBERS, 1);
	start(false);
	UNIT_CHECK(give(TL_INPUT_ROW, first) == TL_OK);
	UNIT_CHECK(request(4, 7, 0, 0) == TL_OK && replied(&reply, 1));
	kept = unit_action(&actions, TL_ACT_REPLY)->row;
	memcpy(bytes, kept.payload.data, kept.payload.size);
	kept.payload.data = bytes;

	open_epoch(MEMBERS, 1, 1, 0);
	UNIT_CHECK(give(TL_INPUT_ROW, first) == TL_OK);
	UNIT_CHECK(give(TL_INPUT_REPLIED, kept) == TL_OK);
	start(false);
	UNIT_CHECK(give(TL_INPUT_ROW, row_of(4, 0, 2, TL_LOG_NULLIFY, 2, none)) == TL_BAD_ORDER);
	UNIT_CHECK(request(4, 7, 0, 0) == TL_OK && unit_action(&actions, TL_ACT_REPLY) == NULL);
	UNIT_CHECK(bring_rejoin(3, 3) == TL_OK && !alarmed(TL_ALARM_ILLEGAL_ROW));
	tl_consensus_status(core, &status);
	UNIT_CHECK(status.entries == 1);
	free(memory);
	memory = NULL;
}

/* Approvals that the own log lacks and a block has ordered are not given again. */
static void
approvals_go_on(void)
{
	TlConsensusStatus status;

	open_epoch(MEMBERS, 1, 0, 2);
	start(false);
	tl_consensus_status(core, &status);
	UNIT_CHECK(status.approvals == 2);
	free(memory);
	memory = NULL;
}

/* R38: where everybody is needed the block that changes them waits as well. */
static void
pair_changes(void)
{
	const TlAction *action;

	open_core(2, 1);
	UNIT_CHECK(step((TlInput) {.kind = TL_INPUT_REJOIN,
							   .rejoin = {.cause = TL_REJOIN_ROLLED_BACK,
								   .nonce = {7}}}) == TL_OK);
	start(true);
	seen(2, NULL, false);
	UNIT_CHECK(give(TL_INPUT_REPLY, reply_of(2, 1, 7, 1, true)) == TL_OK);
	action = unit_action(&actions, TL_ACT_APPEND);
	UNIT_CHECK(action != NULL && action->row.kind == TL_LOG_REJOIN);
	free(memory);
	memory = NULL;
}

UNIT_MAIN(UNIT_CASE(asks_first), UNIT_CASE(signs_although_refused),
		  UNIT_CASE(asks_participants), UNIT_CASE(memory_is_lost),
		  UNIT_CASE(old_key_says_nothing), UNIT_CASE(epochs_do_not_go_back),
		  UNIT_CASE(replies_and_closes), UNIT_CASE(says_nothing),
		  UNIT_CASE(rejoins), UNIT_CASE(illegal_reply), UNIT_CASE(takes_final),
		  UNIT_CASE(ordered_rejoin_stays), UNIT_CASE(others_judge),
		  UNIT_CASE(replies_with_its_floor), UNIT_CASE(pair),
		  UNIT_CASE(interrupted),
		  UNIT_CASE(lost_by_both), UNIT_CASE(numbers),
		  UNIT_CASE(pair_forgets_reply), UNIT_CASE(asks_ahead),
		  UNIT_CASE(epoch_ends), UNIT_CASE(approvals_go_on),
		  UNIT_CASE(pair_changes), UNIT_CASE(incarnations_are_over),
		  UNIT_CASE(rejoined_before_the_epoch), UNIT_CASE(forgets_an_epoch))
