/*-------------------------------------------------------------------------
 *
 * replication_offer.c
 *	  Final blocks: that a member asks for, and that he is asked for.
 *
 * Where the logs do not bring blocks that another member has, he is asked for those
 * beyond a height, in a message of ledger_wire.request in his wire:
 *
 *		0		1		3
 *		1		8		height, big-endian
 *		9		8		random, so that an answer is known from an older one
 *
 * The wire tells by which role it came, so nobody asks in another's name.  He
 * shows what he has in ledger_wire.offer of his own wire, one row for each who
 * asks, which is not published.  There it is read, a few times: he may have
 * nothing to show.
 *
 * What is in it is for the consensus core to believe (consensus_offer.h).  An
 * offer that is refused stands in quarantine, and its author is asked again after
 * a pause that doubles.  A member is answered ten times a second at most.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/pg_bswap.h"
#include "utils/timestamp.h"

#include "consensus_offer.h"
#include "replication_setting.h"
#include "replication_wire.h"

#define FORMAT				3	/* rows of a log begin with 1, questions for bodies with 2 */
#define MESSAGE_SIZE		(1 + TL_OFFER_QUESTION_SIZE)
#define SHOW_PAUSE_MS		100
#define LOOK_MS				50	/* from the question to the first look */
#define LOOK_PAUSE_MS		200
#define LOOKS_MAX			10
#define REFUSED_MS_MIN		1000
#define REFUSED_MS_MAX		60000

static void on_asked(void *context, PGresult *result);
static void on_read(void *context, PGresult *result);
static const char *take(TlWire *wire, const TlPeer *peer, PGresult *result);
static void refuse(TlWire *wire, TlPeer *peer, const char *reason, PGresult *result);

/* Is this message such a question? */
bool
tl_replication_offer_is_asked(const void *data, size_t size)
{
	return size == MESSAGE_SIZE && *(const uint8_t *) data == FORMAT;
}

/* It came by that role; the newest question of a member counts. */
void
tl_replication_offer_asked(TlWire *wire, const char *role, const void *data)
{
	for (int i = 0; i < wire->peer_count; i++)
	{
		TlPeer	   *peer = &wire->peers[i];

		if (strcmp(role, tl_replication_setting_role(&wire->chain_id, peer->member)) != 0)
			continue;
		peer->offer_wanted = true;
		memcpy(peer->offer_question, (const uint8_t *) data + 1, TL_OFFER_QUESTION_SIZE);
	}
}

/* Ask that member for final blocks beyond that height. */
void
tl_replication_offer_ask(TlWire *wire, uint32_t member, uint64_t after)
{
	uint64_t	height = pg_hton64(after);

	for (int i = 0; i < wire->peer_count; i++)
	{
		TlPeer	   *peer = &wire->peers[i];

		if (peer->member != member || GetCurrentTimestamp() < peer->take_due ||
			(peer->take_state != TL_TAKE_NOTHING && peer->take_after == after))
			continue;
		memcpy(peer->take_question, &height, sizeof(height));
		if (!pg_strong_random(peer->take_question + sizeof(height), TL_OFFER_QUESTION_SIZE - sizeof(height)))
			elog(ERROR, "could not generate random bytes for a question");
		peer->take_state = TL_TAKE_ASK;
		peer->take_after = after;
	}
}

/* When there is something to do. */
TimestampTz
tl_replication_offer_due(const TlWire *wire)
{
	TimestampTz due = DT_NOEND;

	for (int i = 0; i < wire->peer_count && wire->identified; i++)
	{
		const TlPeer *peer = &wire->peers[i];

		if (peer->offer_wanted && wire->reader.state == TL_CONNECTION_IDLE)
			due = Min(due, peer->offer_due);
		if (peer->take_state != TL_TAKE_NOTHING && peer->wire.state == TL_CONNECTION_IDLE)
			due = Min(due, peer->take_due);
	}
	return due;
}

/* The connection to the own wire is idle: show what somebody has asked for. */
bool
tl_replication_offer_show(TlWire *wire, TimestampTz now)
{
	for (int i = 0; i < wire->peer_count; i++)
	{
		TlPeer	   *peer = &wire->peers[i];
		TlSpan		offer = {NULL, 0};
		uint64_t	after;
		bool		sent = false;

		if (!peer->offer_wanted || now < peer->offer_due)
			continue;
		peer->offer_wanted = false;
		peer->offer_due = TimestampTzPlusMilliseconds(now, SHOW_PAUSE_MS);
		memcpy(&after, peer->offer_question, sizeof(after));
		after = pg_ntoh64(after);
		tl_replication_wire_begin(wire);
		if (wire->sink.offer != NULL && after <= PG_INT64_MAX)
			offer = wire->sink.offer(wire->sink.context, after);
		if (offer.size > 0)
			sent = tl_replication_request_show(wire, "offer", peer->member, peer->offer_question,
											   sizeof(peer->offer_question), offer);
		tl_replication_wire_end(wire);
		if (sent)
			return true;
	}
	return false;
}

/* This peer's connection is idle.  False if he is asked for nothing. */
bool
tl_replication_offer_take(TlWire *wire, int source, TimestampTz now)
{
	TlPeer	   *peer = &wire->peers[source];
	uint8_t		message[MESSAGE_SIZE] = {FORMAT};

	if (peer->take_state == TL_TAKE_NOTHING || now < peer->take_due)
		return false;
	if (peer->take_state == TL_TAKE_READ)
		return tl_replication_request_look(wire, source, on_read, "offer", peer->take_question, sizeof(peer->take_question),
										   TL_OFFER_SIZE_MAX);
	memcpy(message + 1, peer->take_question, TL_OFFER_QUESTION_SIZE);
	if (!tl_replication_request_put(wire, source, on_asked, message, sizeof(message)))
		return false;
	peer->take_state = TL_TAKE_ASKED;
	return true;
}

static void
on_asked(void *context, PGresult *result)
{
	TlAsked    *asked = context;
	TlPeer	   *peer = &asked->wire->peers[asked->source];

	pfree(asked);
	if (peer->take_state != TL_TAKE_ASKED)
		return;					/* something else is to be asked for by now */
	peer->take_tries = 0;
	peer->take_due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_MS);
	peer->take_state = result != NULL && tl_replication_result_ok(result) ?
		TL_TAKE_READ : TL_TAKE_NOTHING; /* the core asks again */
}

static void
on_read(void *context, PGresult *result)
{
	TlAsked    *asked = context;
	TlWire	   *wire = asked->wire;
	TlPeer	   *peer = &wire->peers[asked->source];
	const char *reason;

	pfree(asked);
	if (peer->take_state != TL_TAKE_READ)
		return;					/* something else is to be asked for by now */
	if (result == NULL || !tl_replication_result_ok(result) || PQnfields(result) != 1)
	{
		peer->take_state = TL_TAKE_NOTHING;
		return;
	}
	if (PQntuples(result) == 0)
	{
		peer->take_due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_PAUSE_MS);
		if (++peer->take_tries == LOOKS_MAX)
			peer->take_state = TL_TAKE_NOTHING;
		return;
	}
	peer->take_state = TL_TAKE_NOTHING;
	reason = take(wire, peer, result);
	if (reason != NULL)
		refuse(wire, peer, reason, result);
	else
		peer->take_pause_ms = 0;
}

/* NULL, or what is wrong with it. */
static const char *
take(TlWire *wire, const TlPeer *peer, PGresult *result)
{
	int			size = PQgetlength(result, 0, 0);

	if (PQntuples(result) != 1 || size > TL_OFFER_SIZE_MAX)
		return "final blocks in more bytes than an offer may have";
	return wire->sink.offered == NULL ? NULL :
		wire->sink.offered(wire->sink.context, peer->member, peer->take_after,
						   PQgetvalue(result, 0, 0), (size_t) size);
}

static void
refuse(TlWire *wire, TlPeer *peer, const char *reason, PGresult *result)
{
	peer->take_pause_ms = Min(Max(2 * peer->take_pause_ms, REFUSED_MS_MIN), REFUSED_MS_MAX);
	peer->take_due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), peer->take_pause_ms);
	tl_replication_wire_begin(wire);
	tl_replication_store_refused(peer->member, reason, PQgetvalue(result, 0, 0),
								 (size_t) PQgetlength(result, 0, 0));
	tl_replication_wire_end(wire);
}
