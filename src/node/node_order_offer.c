/*-------------------------------------------------------------------------
 *
 * node_order_offer.c
 *	  Final blocks for a member who asks, and from one who is asked.
 *
 * The core asks where the logs do not bring blocks that somebody has
 * (TL_ACT_CATCH_UP).  So does this file, of one member after the other, while no block
 * becomes final and there are rows that the core does not know of: those of a log
 * whose next row nobody has any more, and those that wait, as they lie beyond what
 * the core remembers or in an epoch to come.
 *
 * What is shown are blocks as they are stored.  A finalization stands with a block
 * that it names; a block that is final by a descendant's has none.  Behind a block
 * that ends an epoch come the carriers in the certificate of the next one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "chain_statement.h"
#include "consensus_epoch.h"
#include "consensus_offer.h"
#include "node_order_state.h"
#include "replication_signature.h"
#include "tl_compat.h"
#include "tl_error.h"

#define NEXT_MS			100		/* after blocks that were shown */
#define STUCK_MS_MIN	2000	/* without a final block, while a log goes on elsewhere */
#define STUCK_MS_MAX	60000

/* What a member has shown. */
typedef struct TlOffered
{
	uint32_t	member;
	TlSpan		bytes;
} TlOffered;

static TlStatement select_blocks = {
	"SELECT b.header, b.cut, b.entries, b.certificate, e.certificate"
	" FROM ledger_internal.ordered_block AS b LEFT JOIN ledger_internal.epoch AS e ON e.height = b.height"
	" WHERE b.height > $1 ORDER BY b.height LIMIT " CppAsString2(TL_OFFER_BLOCKS_MAX),
	1, {INT8OID}
};

static TlOfferedBlock read_block(uint64 row);
static bool is_own(const TlOfferedBlock *block);
static bool add(TlOffer *offer, size_t *size, const TlOfferedBlock *block);
static bool add_carriers(TlOffer *offer, size_t *size, TlSpan epoch);
static void ask_next(TlOrder *order);
static bool is_behind(const TlOrder *order);

/* As many as there is room for, in this transaction; empty: none. */
TlSpan
tl_node_order_offer_make(void *context, uint64_t after)
{
	Datum		value = Int64GetDatum((int64) after);
	uint64		count = tl_chain_execute(&select_blocks, &value, NULL, true);
	TlOffer    *offer = palloc0(sizeof(TlOffer));
	size_t		size = TL_OFFER_SIZE_FIXED;
	TlSpan		out = {NULL, 0};
	TlWriter	writer;
	bool		more = true;

	for (uint64 i = 0; i < count && more; i++)
	{
		TlOfferedBlock block = read_block(i);
		bool		is_null;

		more = add(offer, &size, &block);
		(void) tl_chain_result(i, 4, &is_null);
		if (!more || is_null)
			continue;
		if (!add_carriers(offer, &size, tl_chain_result_span(i, 4)))
			offer->count--;		/* of use together only */
		break;
	}
	if (offer->count == 0)
		return out;
	tl_writer_init(&writer, palloc(size), size);
	tl_error_check(tl_consensus_offer_encode(&writer, offer), "final blocks for another member");
	out.data = writer.data;
	out.size = writer.size;
	return out;
}

static TlOfferedBlock
read_block(uint64 row)
{
	TlOfferedBlock block;

	block.header = tl_chain_result_span(row, 0);
	block.cut = tl_chain_result_span(row, 1);
	block.entries = tl_chain_result_span(row, 2);
	block.certificate = tl_chain_result_span(row, 3);
	if (!is_own(&block))
		block.certificate.size = 0;
	return block;
}

/* Is the finalization one of this block? */
static bool
is_own(const TlOfferedBlock *block)
{
	TlCertificate certificate;
	TlBlockHeader header;
	TlHash		hash;

	if (tl_chain_block_decode(&header, block->header.data, block->header.size) != TL_OK ||
		tl_consensus_certificate_decode(&certificate, block->certificate.data,
										block->certificate.size) != TL_OK)
		return false;
	tl_chain_block_hash(&hash, &header);
	return memcmp(&hash, &certificate.block, sizeof(TlHash)) == 0;
}

static bool
add(TlOffer *offer, size_t *size, const TlOfferedBlock *block)
{
	size_t		more = tl_consensus_offered_size(block);

	if (offer->count == TL_OFFER_BLOCKS_MAX || *size + more > TL_OFFER_SIZE_MAX)
		return false;
	offer->blocks[offer->count++] = *block;
	*size += more;
	return true;
}

/* That made the last block of the offer final, if it was not by itself. */
static bool
add_carriers(TlOffer *offer, size_t *size, TlSpan epoch)
{
	TlOfferedBlock carrier = offer->blocks[offer->count - 1];
	unsigned	before = offer->count;
	TlEpochCertificate certificate;
	TlReader	reader;

	tl_error_check(tl_consensus_epoch_decode(&certificate, epoch.data, epoch.size),
				   "certificate of an epoch");
	carrier.entries.size = carrier.certificate.size = 0;
	tl_reader_init(&reader, certificate.carriers.data, certificate.carriers.size);
	for (unsigned i = 0; i < certificate.carrier_count; i++)
	{
		carrier.header = tl_get_span(&reader, TL_BLOCK_HEADER_SIZE);
		if (i + 1 == certificate.carrier_count)
			carrier.certificate = certificate.certificate;
		if (!add(offer, size, &carrier))
		{
			offer->count = before;
			return false;
		}
	}
	return true;
}

/*
 * That member shows these, as he was asked for those beyond that height.  NULL, or what
 * is wrong with them.  Several are asked, and not all at the same height.
 */
const char *
tl_node_order_offer_on(void *context, uint32_t member, uint64_t after, const void *data, size_t size)
{
	TlOrder    *order = context;
	TlSpan		bytes = {data, size};
	MemoryContext caller;
	TlOffered  *offered;
	uint8_t    *copy;
	TlStatus	status;

	if (order->walk != NULL || order->core == NULL)
		return NULL;
	status = tl_consensus_judge_offer(order->core, bytes, tl_replication_signature_check, NULL);
	/* the logs were faster; or what makes them final lies beyond the memory */
	if ((status == TL_BAD_ORDER && order->height > after) || status == TL_NOT_FINAL)
		return NULL;
	if (status != TL_OK)
		return psprintf("final blocks that are not taken: %s", tl_status_text(status));
	caller = MemoryContextSwitchTo(order->news);
	offered = palloc(sizeof(TlOffered));
	copy = palloc(size);
	memcpy(copy, data, size);
	offered->member = member;
	offered->bytes.data = copy;
	offered->bytes.size = size;
	order->offered = lappend(order->offered, offered);
	MemoryContextSwitchTo(caller);
	return NULL;
}

/* In a turn; the core may have gone on since. */
void
tl_node_order_offer_give(TlOrder *order)
{
	ListCell   *cell;

	foreach(cell, order->offered)
	{
		const TlOffered *offered = lfirst(cell);
		TlInput		input = {.kind = TL_INPUT_OFFER, .more = true};

		input.member = offered->member;
		input.payload = offered->bytes;
		input.certificates_valid = tl_consensus_judge_offer(order->core, offered->bytes,
															tl_replication_signature_check,
															NULL) == TL_OK;
		order->took |= input.certificates_valid;
		tl_error_check(tl_node_order_step(order, &input), "final blocks of another member");
	}
	order->offered = NIL;
}

/* Beyond the last block that is final here. */
void
tl_node_order_offer_ask(TlOrder *order, uint32_t member)
{
	tl_replication_offer_ask(order->wire, member, order->height);
}

/*
 * Everybody: who has final blocks beyond that one shows them, and with them that there
 * are any (TL_ACT_ASK_TIP).
 */
void
tl_node_order_offer_ask_all(TlOrder *order)
{
	for (unsigned i = 0; i < order->config->member_count; i++)
	{
		uint32_t	member = order->config->members[i].number;

		if (member != order->log.member)
			tl_node_order_offer_ask(order, member);
	}
}

/* Is one asked because logs go on and blocks do not?  When to look again, monotonic; 0: never. */
int64_t
tl_node_order_offer_look(TlOrder *order)
{
	int64_t		now_us = tl_node_order_now_us();

	if (!order->started || !is_behind(order))
	{
		order->stuck_us = 0;
		return 0;
	}
	if (order->stuck_us == 0 || order->stuck_height != order->height)
	{
		order->stuck_height = order->height;
		order->stuck_pause_us = STUCK_MS_MIN * INT64CONST(1000);
		order->stuck_us = now_us + (order->took ? NEXT_MS * INT64CONST(1000) : order->stuck_pause_us);
		order->took = false;
	}
	if (now_us < order->stuck_us)
		return order->stuck_us;
	ask_next(order);
	order->stuck_us = now_us + order->stuck_pause_us;
	return order->stuck_us;
}

/* One member after the other; after a round the pauses are longer. */
static void
ask_next(TlOrder *order)
{
	uint32_t	member;

	if (order->stuck_turn >= order->config->member_count)
	{
		order->stuck_turn = 0;
		order->stuck_pause_us = Min(2 * order->stuck_pause_us, STUCK_MS_MAX * INT64CONST(1000));
	}
	member = order->given[order->stuck_turn++].member;
	if (member == order->log.member && order->stuck_turn < order->config->member_count)
		member = order->given[order->stuck_turn++].member;
	if (member != order->log.member)
		tl_node_order_offer_ask(order, member);
}

/* Does somebody's log go on, here or elsewhere? */
static bool
is_behind(const TlOrder *order)
{
	bool		behind = tl_replication_fetch_watch(order->wire, GetCurrentTimestamp());

	for (unsigned i = 0; i < order->config->member_count; i++)
		for (unsigned j = 0; j < order->given[i].log_count; j++)
			behind |= order->given[i].logs[j].waits;
	return behind;
}
