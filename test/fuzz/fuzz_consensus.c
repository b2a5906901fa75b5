/*-------------------------------------------------------------------------
 *
 * fuzz_consensus.c
 *	  Payloads of log rows, and a core that is given arbitrary rows.
 *
 * The first byte chooses.  0 to 9, 250 to 253: a decoder; what it accepts is
 * canonical, and an epoch certificate is read.
 * Otherwise the rest is a list of rows (member, kind, view with the bits loose
 * and second incarnation, size u16, payload)
 * for a core of four members; every signature counts as valid, so that there
 * is nothing which these bytes cannot claim.  The core must bear it.
 *
 *-------------------------------------------------------------------------
 */
#include "consensus_core.h"
#include "consensus_epoch.h"
#include "consensus_evidence.h"
#include "consensus_offer.h"
#include "consensus_payload.h"
#include "consensus_rejoin.h"
#include "consensus_reply.h"
#include "consensus_restart.h"

#include <stdlib.h>
#include <string.h>

#define MEMBERS		4

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const TlHash chain_id = {{1}};

static void
require(bool condition)
{
	if (!condition)
		abort();
}

static bool
believe(void *context, const uint8_t signature[TL_SIGNATURE_SIZE],
		const TlHash *digest, const uint8_t row_key[TL_XONLY_KEY_SIZE])
{
	return true;
}

/* Motions, approvals, epochs. */
static TlStatus
decode_governance(uint8_t which, TlWriter *writer, const uint8_t *data,
				  size_t size)
{
	TlMotion	motion;
	TlGovern	govern;
	TlEpochCertificate epoch;
	TlCertificate certificate;
	TlHash		founding;
	TlHash		members_hash;
	TlStatus	status;

	switch (which)
	{
		case 250:
			status = tl_consensus_motion_decode(&motion, data, size);
			if (status == TL_OK)
				require(tl_consensus_motion_encode(writer, &motion) == TL_OK);
			break;
		case 251:
			status = tl_consensus_govern_decode(&govern, data, size);
			if (status == TL_OK)
				require(tl_consensus_govern_encode(writer, &govern) == TL_OK);
			break;
		default:
			status = tl_consensus_epoch_decode(&epoch, data, size);
			if (status != TL_OK)
				break;
			require(tl_consensus_epoch_encode(writer, &epoch) == TL_OK);
			(void) tl_consensus_epoch_read(&epoch, &founding, &members_hash,
										   &certificate);
			break;
	}
	return status;
}

/* What a member says, and hears, who has lost memory. */
static TlStatus
decode_memory(uint8_t which, const uint8_t *data, size_t size, TlWriter *writer)
{
	TlRequest	request;
	TlReply		reply;
	TlRejoin	rejoin;
	TlStatus	status;

	if (which == 7)
	{
		status = tl_consensus_request_decode(&request, data, size);
		if (status == TL_OK)
			require(tl_consensus_request_encode(writer, &request) == TL_OK);
		return status;
	}
	if (which == 8)
	{
		status = tl_consensus_reply_decode(&reply, data, size);
		if (status == TL_OK)
			require(tl_consensus_reply_encode(writer, &reply) == TL_OK);
		return status;
	}
	status = tl_consensus_rejoin_decode(&rejoin, data, size);
	if (status == TL_OK)
		require(tl_consensus_rejoin_encode(writer, &rejoin) == TL_OK);
	return status;
}

/* Final blocks of somebody else. */
static TlStatus
decode_offer(const uint8_t *data, size_t size, TlWriter *writer)
{
	TlOffer		offer;
	TlConsensusBlock block;
	TlStatus	status = tl_consensus_offer_decode(&offer, data, size);

	if (status == TL_OK)
		require(tl_consensus_offer_encode(writer, &offer) == TL_OK);
	for (unsigned i = 0; status == TL_OK && i < offer.count; i++)
		(void) tl_consensus_offered_read(&block, &offer.blocks[i]);
	return status;
}

static void
decode_one(uint8_t which, const uint8_t *data, size_t size)
{
	uint8_t    *again = malloc(size + 1);
	TlWriter	writer;
	TlLogRow	row;
	TlCertificate certificate;
	TlProposal	proposal;
	TlAck		ack;
	TlEvidence	evidence;
	TlState		state;
	TlRestart	restart;
	TlStatus	status = TL_BUG;

	tl_writer_init(&writer, again, size);
	switch (which)
	{
		case 0:
			status = tl_consensus_row_decode(&row, data, size);
			if (status == TL_OK)
				require(tl_consensus_row_encode(&writer, &row) == TL_OK);
			break;
		case 1:
			status = tl_consensus_certificate_decode(&certificate, data, size);
			if (status == TL_OK)
				require(tl_consensus_certificate_encode(&writer, &certificate) == TL_OK);
			break;
		case 2:
			status = tl_consensus_proposal_decode(&proposal, data, size);
			if (status == TL_OK)
				require(tl_consensus_proposal_encode(&writer, &proposal) == TL_OK);
			break;
		case 3:
			status = tl_consensus_ack_decode(&ack, data, size);
			if (status == TL_OK)
				require(tl_consensus_ack_encode(&writer, &ack) == TL_OK);
			break;
		case 4:
			status = tl_consensus_state_decode(&state, data, size);
			if (status == TL_OK)
				require(tl_consensus_state_encode(&writer, &state) == TL_OK);
			break;
		case 5:
			status = tl_consensus_restart_decode(&restart, data, size);
			if (status == TL_OK)
				require(tl_consensus_restart_encode(&writer, &restart) == TL_OK);
			break;
		case 253:
			status = decode_offer(data, size, &writer);
			break;
		case 250:
		case 251:
		case 252:
			status = decode_governance(which, &writer, data, size);
			break;
		case 7:
		case 8:
		case 9:
			status = decode_memory(which, data, size, &writer);
			break;
		default:
			status = tl_consensus_evidence_decode(&evidence, &chain_id, data, size);
			if (status == TL_OK)
				require(tl_consensus_evidence_encode(&writer, &evidence) == TL_OK);
			break;
	}
	if (status == TL_OK)
		require(writer.size == size && memcmp(again, data, size) == 0);
	free(again);
}

static void
configure(TlConsensusConfig *config)
{
	TlConsensusBlock *genesis = &config->base;

	memset(config, 0, sizeof(*config));
	config->member = 1;
	config->member_count = MEMBERS;
	for (unsigned i = 0; i < MEMBERS; i++)
	{
		config->members[i].number = i + 1;
		config->members[i].row_key[0] = (uint8_t) i;
		config->members[i].validator = true;
	}
	config->drift_us = 1000000;
	config->checkpoint_interval = 2;
	config->view_count = 8;
	config->lane_length = 4;
	config->pace.timer_us = 100000;
	config->pace.timer_max_us = 1000000;
	config->pace.dead_us = 50000;
	config->pace.active_us = 1000000;
	config->pace.fetch_us = 100000;
	genesis->header.proposer = 1;
	(void) tl_chain_cut_hash(&genesis->header.cut_hash, NULL, 0);
	tl_chain_block_hash(&genesis->hash, &genesis->header);
	tl_merkle_range_init(&genesis->history);
	(void) tl_merkle_range_append(&genesis->history, &genesis->hash);
	config->chain_id = genesis->hash;
	config->founding = genesis->hash;
}

static void
drive_core(const uint8_t *data, size_t size)
{
	static TlActions actions;
	TlConsensusConfig config;
	TlInput		input = {.kind = TL_INPUT_START, .now_us = 1};
	TlConsensus *core;
	void	   *memory;
	TlReader	reader;

	configure(&config);
	memory = malloc(tl_consensus_size(&config));
	core = tl_consensus_init(memory, tl_consensus_size(&config), &config);
	require(core != NULL);
	(void) tl_consensus_step(core, &actions, &input);
	tl_reader_init(&reader, data, size);
	while (tl_reader_left(&reader) > 0)
	{
		memset(&input.row, 0, sizeof(input.row));
		input.row.member = 2 + tl_get_u8(&reader) % 3;
		input.row.kind = (uint8_t) (1 + tl_get_u8(&reader) % TL_LOG_REQUEST);
		input.row.view = tl_get_u8(&reader);
		input.row.sequence = 1;
		input.row.payload = tl_get_span(&reader, tl_get_u16(&reader));
		if (reader.truncated)
			break;
		input.kind = (input.row.view & 0x80) ? TL_INPUT_LOOSE_ROW : TL_INPUT_ROW;
		input.row.nonce[0] = (input.row.view & 0x40) ? 7 : 0;
		input.row.view &= 0x3f;
		if (input.row.kind == TL_LOG_REQUEST || input.row.kind == TL_LOG_REPLY)
			input.row.sequence = 0;
		if (input.row.kind == TL_LOG_REQUEST)
			input.kind = TL_INPUT_REQUEST;
		if (input.row.kind == TL_LOG_REPLY)
			input.kind = TL_INPUT_REPLY;
		input.now_us += 10000;
		input.clock_us += 10000;
		require(tl_consensus_judge(core, &input.row, believe, NULL,
								   &input.certificates_valid) == TL_OK);
		(void) tl_consensus_step(core, &actions, &input);
		require(actions.count <= TL_CONSENSUS_ACTIONS_MAX);
	}
	free(memory);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] <= 9 || (data[0] >= 250 && data[0] <= 253))
		decode_one(data[0], data + 1, size - 1);
	else
		drive_core(data + 1, size - 1);
	return 0;
}
