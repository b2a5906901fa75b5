/*-------------------------------------------------------------------------
 *
 * sim_offer.c
 *	  Final blocks that a member shows another one who asks for them (P17).
 *
 * He shows what his disk has, each block with the finalization that he was given
 * for it, and behind a block that ends an epoch the carriers that made it final.
 * A liar shows something else.
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include "consensus_epoch.h"
#include "consensus_offer.h"

#include <stdlib.h>
#include <string.h>

#define PART_MAX		16384
#define STUCK_US		(2000 * SIM_MS)

/* What an offer's blocks point to. */
typedef struct SimOffer
{
	TlOffer		offer;
	size_t		used;
	uint8_t		data[TL_OFFER_SIZE_MAX];
} SimOffer;

static SimOffer made;
static uint8_t encoded[TL_OFFER_SIZE_MAX + PART_MAX];

static bool add_block(const TlConsensusBlock *block, TlSpan certificate);
static bool put(TlSpan *out, const TlWriter *writer);
static void add_carriers(SimWorld *world, const TlConsensusBlock *founding,
						 uint64_t epoch);
static size_t encode(SimWorld *world, const SimNode *peer);

/* The certificate handed over with a block, if it is its own. */
void
sim_offer_keep(SimNode *node, unsigned place, TlSpan certificate)
{
	SimBytes   *kept = &node->certificates[place];
	TlCertificate own;

	free(kept->bytes);
	memset(kept, 0, sizeof(*kept));
	if (tl_consensus_certificate_decode(&own, certificate.data,
										certificate.size) != TL_OK ||
		!sim_same(&own.block, &node->chain[place].hash))
		return;
	kept->bytes = malloc(certificate.size);
	kept->size = certificate.size;
	memcpy(kept->bytes, certificate.data, certificate.size);
}

void
sim_offer_free(SimNode *node)
{
	for (unsigned i = 0; i < node->chain_capacity; i++)
		free(node->certificates[i].bytes);
	free(node->certificates);
}

/* An answer is here; the core takes it in its next turn. */
void
sim_offer_deliver(SimWorld *world, SimNode *node, unsigned peer)
{
	node->offers |= UINT64_C(1) << peer;
	sim_node_ask(world, node);
}

/* What they keep now, which is as good. */
void
sim_offer_read(SimWorld *world, SimNode *node)
{
	for (unsigned i = 0; i < world->node_count; i++)
	{
		const SimNode *peer = &world->nodes[i];
		TlInput		input = {.kind = TL_INPUT_OFFER, .member = peer->number};

		if ((node->offers >> i & 1) == 0 || peer->chain_count <= node->chain_count ||
			peer->number == node->number)
			continue;
		made.offer.count = 0;
		made.used = 0;
		for (unsigned j = node->chain_count; j < peer->chain_count; j++)
		{
			const TlConsensusBlock *block = &peer->chain[j];
			TlSpan		certificate = {peer->certificates[j].bytes, peer->certificates[j].size};

			if (block->header.epoch != node->epoch || !add_block(block, certificate))
				break;
			if (node->epoch + 1 < world->epoch_count &&
				sim_same(&world->epochs[node->epoch + 1].founding, &block->hash))
				add_carriers(world, block, node->epoch + 1);
		}
		if (made.offer.count == 0)
			continue;
		input.payload.data = encoded;
		input.payload.size = encode(world, peer);
		input.certificates_valid = tl_consensus_judge_offer(node->core, input.payload,
															sim_check_signature, NULL) == TL_OK;
		world->seen[SIM_SEEN_CATCH_UP] += input.certificates_valid;
		node->took |= input.certificates_valid;
		sim_node_step(world, node, &input, true);
	}
	node->offers = 0;
}

/*
 * Rows wait that lie beyond the memory, and no block becomes final: what leads there may
 * be gone from the logs, and the core does not know of it.  Anybody is asked.
 */
void
sim_offer_look(SimWorld *world, SimNode *node)
{
	const SimNode *peer = &world->nodes[sim_random(world, world->node_count)];

	if (world->now_us < node->stuck_us + STUCK_US)
		return;
	node->stuck_us = world->now_us;
	if (peer->up && peer->role != SIM_SILENT && peer->chain_count > node->chain_count &&
		sim_wire_linked(world, peer->id, node->id))
		sim_later(world, 2 * sim_wire_delay(world, peer->id, node->id),
				  (SimEvent) {.kind = SIM_CATCH_UP, .node = node->id,
				  .life = node->life, .peer = peer->id});
}

static bool
add_block(const TlConsensusBlock *block, TlSpan certificate)
{
	TlOfferedBlock *out = &made.offer.blocks[made.offer.count];
	TlWriter	writer;

	if (made.offer.count == TL_OFFER_BLOCKS_MAX ||
		made.used + 2 * PART_MAX > sizeof(made.data))
		return false;
	tl_writer_init(&writer, made.data + made.used, PART_MAX);
	(void) tl_chain_block_encode(&writer, &block->header);
	if (!put(&out->header, &writer))
		return false;
	tl_writer_init(&writer, made.data + made.used, PART_MAX);
	(void) tl_chain_cut_encode(&writer, block->cut, block->lane_count);
	if (!put(&out->cut, &writer))
		return false;
	tl_writer_init(&writer, made.data + made.used, PART_MAX);
	(void) tl_chain_entries_encode(&writer, block->entries, block->entry_count);
	if (!put(&out->entries, &writer))
		return false;
	out->certificate = certificate;
	made.used += certificate.size;	/* in the encoded form */
	made.offer.count++;
	return true;
}

static bool
put(TlSpan *out, const TlWriter *writer)
{
	out->data = writer->data;
	out->size = writer->size;
	made.used += writer->size;
	return tl_writer_finish(writer) == TL_OK;
}

/* Blocks with the cut of the founding one and nothing else; the last one is final. */
static void
add_carriers(SimWorld *world, const TlConsensusBlock *founding, uint64_t epoch)
{
	const SimBytes *proof = &world->proofs[epoch];
	TlConsensusBlock carrier = *founding;
	TlEpochCertificate out;
	TlReader	reader;
	static const TlSpan none = {NULL, 0};

	if (tl_consensus_epoch_decode(&out, proof->bytes, proof->size) != TL_OK)
		sim_fail(world, "V15: the proof of an epoch is none");
	carrier.entry_count = 0;
	tl_reader_init(&reader, out.carriers.data, out.carriers.size);
	for (unsigned i = 0; i < out.carrier_count; i++)
	{
		TlSpan		header = tl_get_span(&reader, TL_BLOCK_HEADER_SIZE);

		if (tl_chain_block_decode(&carrier.header, header.data, header.size) != TL_OK ||
			!add_block(&carrier, none))
			return;
	}
	made.offer.blocks[made.offer.count - 1].certificate = out.certificate;
}

static size_t
encode(SimWorld *world, const SimNode *peer)
{
	TlWriter	writer;
	size_t		size;

	tl_writer_init(&writer, encoded, sizeof(encoded));
	while (tl_consensus_offer_encode(&writer, &made.offer) == TL_TOO_LARGE &&
		   --made.offer.count > 0)
		tl_writer_init(&writer, encoded, sizeof(encoded));
	size = writer.size;
	if (peer->role != SIM_LIAR || sim_chance(world, 20))
		return size;
	world->seen[SIM_SEEN_FALSE_OFFER]++;
	if (sim_chance(world, 50))
		encoded[sim_random(world, size)] ^= 1;
	else if (sim_chance(world, 50))
		size = (size_t) sim_random(world, size);
	else
		encoded[size - 1] ^= 1; /* in a signature, if it ends with a finalization */
	return size;
}
