/*-------------------------------------------------------------------------
 *
 * replication_piece.c
 *	  Pieces of the state after a block: that a member asks for, and that he is asked for.
 *
 * A member who takes the state of a checkpoint from the others (src/node/node_take.c)
 * asks one of them for one piece after the other, in a message of ledger_wire.request:
 *
 *		0		1		4
 *		1		8		height, big-endian
 *		9		4		number of the piece, from 0
 *		13		8		random, so that an answer is known from an older one
 *
 * Who is asked shows the piece in ledger_wire.piece of his own wire, one row for each
 * who asks, which is not published; if he has it.  What is in it is for the callers to
 * believe: here its size is bounded, and the time in which it has to come.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/pg_bswap.h"
#include "utils/timestamp.h"

#include "replication_setting.h"
#include "replication_wire.h"

#define FORMAT				4	/* rows of a log begin with 1, other questions with 2 and 3 */
#define MESSAGE_SIZE		(1 + TL_PIECE_QUESTION_SIZE)
#define MESSAGE_SIZE_MAX	18874368
#define SHOW_PAUSE_MS		20
#define MAKE_PAUSE_MS		200 /* while it is being made */
#define LOOK_MS				30	/* from the question to the first look */
#define LOOK_PAUSE_MS		100
#define WAIT_MS				5000	/* for one piece, from the question on */

static void on_asked(void *context, PGresult *result);
static void on_read(void *context, PGresult *result);
static void end(TlWire *wire, const void *data, size_t size);

/* Is this message such a question? */
bool
tl_replication_piece_is_asked(const void *data, size_t size)
{
	return size == MESSAGE_SIZE && *(const uint8_t *) data == FORMAT;
}

/* It came by that role; the newest question of a member counts. */
void
tl_replication_piece_asked(TlWire *wire, const char *role, const void *data)
{
	for (int i = 0; i < wire->peer_count; i++)
	{
		TlPeer	   *peer = &wire->peers[i];

		if (strcmp(role, tl_replication_setting_role(&wire->chain_id, peer->member)) != 0)
			continue;
		peer->piece_wanted = true;
		peer->piece_until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), WAIT_MS);
		memcpy(peer->piece_question, (const uint8_t *) data + 1, TL_PIECE_QUESTION_SIZE);
	}
}

/* Ask that member; sink.piece_came says what became of it. */
void
tl_replication_piece_ask(TlWire *wire, uint32_t member, uint64_t height, uint32_t number)
{
	height = pg_hton64(height);
	number = pg_hton32(number);
	memcpy(wire->piece_question, &height, sizeof(height));
	memcpy(wire->piece_question + sizeof(height), &number, sizeof(number));
	if (!pg_strong_random(wire->piece_question + sizeof(height) + sizeof(number),
						  TL_PIECE_QUESTION_SIZE - sizeof(height) - sizeof(number)))
		elog(ERROR, "could not generate random bytes for a question");
	wire->piece_member = member;
	wire->piece_state = TL_TAKE_ASK;
	wire->piece_due = 0;
	wire->piece_until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), WAIT_MS);
}

bool
tl_replication_piece_is_idle(const TlWire *wire)
{
	return wire->piece_state == TL_TAKE_NOTHING;
}

/* When there is something to do. */
TimestampTz
tl_replication_piece_poll(TlWire *wire, TimestampTz now)
{
	TimestampTz due = DT_NOEND;

	if (wire->piece_state != TL_TAKE_NOTHING && now >= wire->piece_until)
		end(wire, NULL, 0);
	if (wire->piece_state != TL_TAKE_NOTHING)
		due = wire->piece_until;
	for (int i = 0; i < wire->peer_count && wire->identified; i++)
	{
		const TlPeer *peer = &wire->peers[i];

		if (peer->piece_wanted && wire->reader.state == TL_CONNECTION_IDLE)
			due = Min(due, peer->piece_due);
		if (wire->piece_state != TL_TAKE_NOTHING && peer->member == wire->piece_member &&
			peer->wire.state == TL_CONNECTION_IDLE)
			due = Min(due, wire->piece_due);
	}
	return due;
}

/* The connection to the own wire is idle: show what somebody has asked for. */
bool
tl_replication_piece_show(TlWire *wire, TimestampTz now)
{
	for (int i = 0; i < wire->peer_count; i++)
	{
		TlPeer	   *peer = &wire->peers[i];
		TlSpan		piece = {NULL, 0};
		uint64_t	height;
		uint32_t	number;
		bool		sent = false;

		if (!peer->piece_wanted || now < peer->piece_due)
			continue;
		peer->piece_wanted = false;
		peer->piece_due = TimestampTzPlusMilliseconds(now, SHOW_PAUSE_MS);
		memcpy(&height, peer->piece_question, sizeof(height));
		memcpy(&number, peer->piece_question + sizeof(height), sizeof(number));
		height = pg_ntoh64(height);
		number = pg_ntoh32(number);
		tl_replication_wire_begin(wire);
		if (wire->sink.piece != NULL && height <= PG_INT64_MAX && number <= PG_INT32_MAX)
			piece = wire->sink.piece(wire->sink.context, peer->member, height, number);
		if (piece.size == 0 && now < peer->piece_until)
		{
			peer->piece_wanted = true;	/* it may be made meanwhile */
			peer->piece_due = TimestampTzPlusMilliseconds(now, MAKE_PAUSE_MS);
		}
		if (piece.size > 0)
			sent = tl_replication_request_show(wire, "piece", peer->member, peer->piece_question,
											   sizeof(peer->piece_question), piece);
		tl_replication_wire_end(wire);
		if (sent)
			return true;
	}
	return false;
}

/* This peer's connection is idle.  False if he is asked for nothing. */
bool
tl_replication_piece_take(TlWire *wire, int source, TimestampTz now)
{
	uint8_t		message[MESSAGE_SIZE] = {FORMAT};

	if (wire->piece_state == TL_TAKE_NOTHING || wire->piece_state == TL_TAKE_ASKED ||
		wire->peers[source].member != wire->piece_member || now < wire->piece_due)
		return false;
	if (wire->piece_state == TL_TAKE_READ)
		return tl_replication_request_look(wire, source, on_read, "piece", wire->piece_question, sizeof(wire->piece_question),
										   MESSAGE_SIZE_MAX);
	memcpy(message + 1, wire->piece_question, TL_PIECE_QUESTION_SIZE);
	if (!tl_replication_request_put(wire, source, on_asked, message, sizeof(message)))
		return false;
	wire->piece_state = TL_TAKE_ASKED;
	return true;
}

static void
on_asked(void *context, PGresult *result)
{
	TlAsked    *asked = context;
	TlWire	   *wire = asked->wire;
	bool		stale = wire->peers[asked->source].member != wire->piece_member;

	pfree(asked);
	if (wire->piece_state != TL_TAKE_ASKED || stale)
		return;					/* something else is to be asked for by now */
	wire->piece_due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_MS);
	wire->piece_state = result != NULL && tl_replication_result_ok(result) ? TL_TAKE_READ : TL_TAKE_ASK;
	if (wire->piece_state == TL_TAKE_ASK)
		wire->piece_due = TimestampTzPlusMilliseconds(wire->piece_due, LOOK_PAUSE_MS);
}

/* An answer to an older question has no row, or comes when another member is asked. */
static void
on_read(void *context, PGresult *result)
{
	TlAsked    *asked = context;
	TlWire	   *wire = asked->wire;
	bool		stale = wire->peers[asked->source].member != wire->piece_member;

	pfree(asked);
	if (wire->piece_state != TL_TAKE_READ || stale)
		return;
	if (result == NULL || !tl_replication_result_ok(result) || PQnfields(result) != 1 ||
		PQntuples(result) != 1 || PQgetlength(result, 0, 0) > MESSAGE_SIZE_MAX)
		wire->piece_due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_PAUSE_MS);
	else
		end(wire, PQgetvalue(result, 0, 0), (size_t) PQgetlength(result, 0, 0));
}

static void
end(TlWire *wire, const void *data, size_t size)
{
	StaticAssertStmt(MESSAGE_SIZE_MAX >= TL_STATE_PIECE_SIZE_MAX + 64, "a piece and what stands before it");
	wire->piece_state = TL_TAKE_NOTHING;
	tl_replication_wire_begin(wire);
	if (wire->sink.piece_came != NULL)
		wire->sink.piece_came(wire->sink.context, data, size);
	tl_replication_wire_end(wire);
}
