/*-------------------------------------------------------------------------
 *
 * node_take.c
 *	  The state of a checkpoint, taken from the other members.
 *
 * ledger.take_state() leaves a row in ledger_internal.state_take.  From then on this
 * member executes nothing, and
 *
 *	1	the process of the wire chooses a stable checkpoint at or above what is applied
 *		here, the newest one that is known, and asks one member after the other for the
 *		state after it, piece by piece (replication_piece.c, node_show.c);
 *	2	when all pieces are here the worker applies the blocks up to it: rows, and contracts
 *		that are new, and no calls and timers (node_apply.c, node_call.c);
 *	3	then it computes what root the pieces give, together with the
 *		shared tables here, and if that is the one which a quorum has signed it
 *		puts them in the place of what the state tables had (node_replace.c).
 *
 * A newcomer, who has applied no block, does the same, and so begins with the state of a
 * checkpoint.  If contracts have got new versions below it, whose scripts change state,
 * he executes the blocks up to the last of these as ever.
 *
 * Who shows something has said so to its own server (telco_ledger.show_state).  While he
 * writes it he says that, and is asked for the same one, for MAKING_MS where others may
 * be asked: nobody keeps another one from having a turn.
 *
 * Nothing is believed but that root.  A member whose pieces give another one, are
 * not of the form that node_show.c says, or too many, is named in the log and not asked
 * again, until all have been asked, and some time has passed, more after each refusal.
 * What is in the state tables stays until the one transaction that replaces it, so a crash
 * leaves the one state or the other.
 *
 * Blocks are passed over before the root is compared (2, 3), as it cannot be known sooner:
 * it is one root over the set hashes of state tables and shared tables.  What the shared
 * tables are after the checkpoint comes of applying the blocks up to it, which may reject
 * rows, and make tables whose rows the pieces have; and nothing signed tells the set
 * hashes one by one.
 *
 * Whichever member made this one's pieces is noted here, in this process; after a start
 * it begins with the first piece.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "chain_applied.h"
#include "chain_state_store.h"
#include "chain_statement.h"
#include "node_shared.h"
#include "node_show.h"
#include "node_take.h"
#include "tl_limits.h"

PG_FUNCTION_INFO_V1(tl_agreed_height);

#define QUESTIONS_MAX	3		/* to one member, for a piece that does not come */
#define LOOK_MS			1000	/* while something is waited for that another process does */
#define MAKING_MS		600000	/* for one member who says that he is making the pieces */
#define PAUSE_MS_MIN	1000	/* after a round of all members in vain */
#define PAUSE_MS_MAX	8000
#define FORGIVE_MS_MAX	300000	/* before somebody who was refused is asked again: each time all pieces may come */

static TlStatement select_take = {
	"SELECT height, received, pieces, bytes, max_mb, source,"
	" received = pieces AND EXISTS (SELECT FROM ledger_internal.taken_piece), left_out, asked_of, asked_at"
	" FROM ledger_internal.state_take WHERE done_at IS NULL"
};
enum
{
	TAKE_HEIGHT,
	TAKE_RECEIVED,
	TAKE_PIECES,
	TAKE_BYTES,
	TAKE_MAX_MB,
	TAKE_SOURCE,
	TAKE_COMPLETE,
	TAKE_LEFT_OUT,
	TAKE_ASKED_OF,
	TAKE_ASKED_AT
};

/*
 * The newest one of which there is a certificate here, or that the last header names: after a
 * change of the members there may be no other for long, as STATE is of blocks of an epoch.
 * Below a new version of a contract, which cannot be run without the state.  Who has
 * applied nothing yet has that: he executes the blocks up to the last such version.
 */
static TlStatement choose = {
	"UPDATE ledger_internal.state_take AS t SET height = n.height,"
	" unknown_after = CASE WHEN n.whole THEN coalesce((SELECT max(d.height) FROM ledger_internal.decision AS d,"
	" LATERAL ledger_internal.contract_motion(d.motion) AS m WHERE d.height <= n.height AND m.version > 1), 0)"
	" ELSE t.unknown_after END FROM"
	" (SELECT w.whole, (SELECT c.height FROM (SELECT k.height FROM ledger_internal.checkpoint AS k"
	" JOIN ledger_internal.block AS b ON b.height = k.height AND b.hash = k.block"
	" UNION ALL (SELECT n.height FROM (SELECT " TL_CHAIN_NAMED_CHECKPOINT " AS height"
	" FROM ledger_internal.block AS b ORDER BY b.height DESC LIMIT 1) AS n WHERE n.height > 0)) AS c"
	" WHERE c.height >= w.applied AND c.height >= coalesce((SELECT max(b.height) FROM ledger_internal.trusted_block AS b), 0)"
	" AND (w.whole OR c.height < coalesce((SELECT v.height FROM ledger_internal.version_in_the_way() AS v), 9223372036854775807))"
	" ORDER BY c.height DESC LIMIT 1) AS height"
	" FROM (SELECT a.height AS applied, s.begins AND NOT s.passes_over AS whole"
	" FROM ledger_internal.state_take AS s, ledger_internal.applied AS a WHERE s.done_at IS NULL) AS w) AS n"
	" WHERE t.done_at IS NULL AND n.height > coalesce(t.height, -1)"
};
static TlStatement delete_pieces = {"DELETE FROM ledger_internal.taken_piece"};
static TlStatement begin_again = {
	"UPDATE ledger_internal.state_take SET source = NULL, pieces = NULL, received = 0, bytes = 0,"
	" refused = CASE WHEN $1 IS NULL OR $1 = ANY (refused) THEN refused ELSE array_append(refused, $1) END,"
	" left_out = CASE WHEN $1 IS NULL THEN left_out ELSE array_append(left_out, $1) END WHERE done_at IS NULL",
	1, {INT8OID}
};
static TlStatement forgive = {"UPDATE ledger_internal.state_take SET left_out = '{}' WHERE done_at IS NULL AND left_out <> '{}'"};
static TlStatement insert_piece = {
	"INSERT INTO ledger_internal.taken_piece (number, piece) VALUES ($1, $2)", 2, {INT4OID, BYTEAOID}
};
static TlStatement note_piece = {
	"UPDATE ledger_internal.state_take SET source = $1, pieces = $2, received = received + 1, bytes = bytes + $3"
	" WHERE done_at IS NULL",
	3, {INT8OID, INT8OID, INT8OID}
};

/* The last checkpoint after which the state was the certified one here. */
static TlStatement select_agreed = {
	"SELECT c.height, c.outcome_root, " TL_CHAIN_NAMED_CHECKPOINT
	" FROM ledger_internal.checkpoint AS c JOIN ledger_internal.block AS b ON b.height = c.height AND b.hash = c.block"
	" WHERE c.height <= $1 AND c.state_root = " TL_CHAIN_STATE_ROOT("c.height")
	" AND " TL_CHAIN_STATE_IS_KNOWN("c.height")
	" ORDER BY c.height DESC LIMIT 1",
	1, {INT8OID}
};

/* So it is after a block whose state was taken; what it was before is not known in any case. */
static TlStatement select_last_take = {
	"SELECT coalesce(max(t.height), 0) FROM ledger_internal.state_take AS t WHERE t.done_at IS NOT NULL AND t.height <= $1"
	" AND " TL_CHAIN_STATE_IS_KNOWN("t.height"),
	1, {INT8OID}
};

/* What this process knows of the state that is being taken. */
typedef struct Take
{
	bool		unsure;			/* whether there is one is to be read */
	TimestampTz asked_at;		/* of which one pieces were received by this process; 0: none */
	bool		asked;			/* a piece is on its way */
	TimestampTz due;
	int64_t		height;
	uint32_t	number;			/* of the piece that is asked for */
	uint32_t	source;			/* the member who is asked */
	int			peer;			/* its place in the wire, -1: nobody */
	int			asked_count;	/* members whose turn has come in this round */
	uint32_t	first;			/* who begins the round, by his place; another one for each take and start */
	TimestampTz making_until;	/* no longer can this member make the pieces */
	int			questions;		/* for that piece, in vain */
	int			pause_ms;
	int			forgive_ms;		/* from one time that who was refused may be asked again to the next */
	TimestampTz forgive_at;
	uint8_t		making[TL_SHOWN_MAKING_SIZE];
} Take;

static Take take = {.unsure = true,.due = DT_NOEND,.peer = -1};

static void look(TlWire *wire, TimestampTz now);
static bool is_same(void);
static void begin(int64_t refused);
static void next_member(TlWire *wire, TimestampTz now);
static void forgive_some(TimestampTz now);
static bool may_be_asked(uint32_t member);
static bool is_among(Datum members, uint32_t member);
static bool is_alone_asked(void);
static bool is_being_made(const uint8_t *data, size_t size);
static bool is_another_making(const uint8_t *data, size_t size);
static const char *judge(const uint8_t *data, size_t size, uint32_t *pieces);
static void keep(const uint8_t *data, size_t size, uint32_t pieces);
static void came_in_vain(void);
static void refuse(const char *reason);

/*
 * ledger_internal.agreed_height(height): the last checkpoint up to it after which state
 * and outcomes were here what a quorum has signed, or the state was taken from the
 * others; 0 if there is none.
 */
Datum
tl_agreed_height(PG_FUNCTION_ARGS)
{
	Datum		value = PG_GETARG_DATUM(0);
	int64		height = 0;
	int64		taken;

	SPI_connect();
	tl_chain_execute(&select_last_take, &value, NULL, false);
	taken = DatumGetInt64(tl_chain_result(0, 0, NULL));
	while (height == 0 && tl_chain_execute(&select_agreed, &value, NULL, false) > 0)
	{
		TlOutcomes	outcomes = {0};
		int64		at = DatumGetInt64(tl_chain_result(0, 0, NULL));
		TlSpan		stored = tl_chain_result_span(0, 1);
		int64		after = DatumGetInt64(tl_chain_result(0, 2, NULL));
		TlHash		signed_root;
		TlHash		root;

		if (stored.size != sizeof(signed_root))
			elog(ERROR, "a checkpoint's outcome root has %zu bytes", stored.size);
		memcpy(&signed_root, stored.data, sizeof(signed_root));
		tl_chain_outcome_root(&root, &outcomes, after, at);
		if (memcmp(&signed_root, &root, sizeof(root)) == 0)
			height = at;
		value = Int64GetDatum(at - 1);
	}
	SPI_finish();
	PG_RETURN_INT64(Max(height, taken));
}

void
tl_node_take_wake(void)
{
	take.unsure = true;
}

TimestampTz
tl_node_take_due(const TlWire *wire)
{
	return !tl_replication_piece_is_idle(wire) ? DT_NOEND : take.unsure ? 0 : take.due;
}

/* Outside of transactions. */
void
tl_node_take_poll(TlWire *wire, TimestampTz now)
{
	if (now < tl_node_take_due(wire))
		return;
	take.unsure = false;
	take.due = DT_NOEND;
	tl_replication_wire_begin(wire);
	if (tl_chain_execute(&select_take, NULL, NULL, false) > 0)
		look(wire, now);
	else
		take.asked_at = 0;
	tl_replication_wire_end(wire);
}

/* There is one: who is asked for what? */
static void
look(TlWire *wire, TimestampTz now)
{
	bool		no_height;
	bool		none;
	bool		complete = DatumGetBool(tl_chain_result(0, TAKE_COMPLETE, &none)) && !none;

	take.due = TimestampTzPlusMilliseconds(now, LOOK_MS);
	if (complete)
	{
		tl_node_shared_tell_worker(MyDatabaseId, TL_NEWS_ORDERED);
		return;
	}
	if (DatumGetInt64(tl_chain_result(0, TAKE_RECEIVED, NULL)) == 0)
		take.number = 0;		/* what was here is gone, as the worker could not use it */
	if (!is_same())
	{
		take.asked_at = DatumGetTimestampTz(tl_chain_result(0, TAKE_ASKED_AT, NULL));
		take.peer = -1;
		take.asked_count = 0;
		take.first = (uint32_t) (take.asked_at + MyProcPid);
		take.pause_ms = 0;
		take.forgive_ms = 0;
		take.forgive_at = 0;
		begin(0);
	}
	if (take.peer < 0 && tl_chain_execute(&choose, NULL, NULL, false) > 0)
		tl_node_shared_tell_worker(MyDatabaseId, TL_NEWS_ORDERED);
	tl_chain_execute(&select_take, NULL, NULL, false);
	take.height = DatumGetInt64(tl_chain_result(0, TAKE_HEIGHT, &no_height));
	if (no_height)
		return;					/* no checkpoint yet */
	if (take.peer >= 0 && take.number > 0 && !may_be_asked(take.source))
	{
		begin(0);				/* somebody else is to be asked since */
		tl_chain_execute(&select_take, NULL, NULL, false);
	}
	if (take.peer < 0 || take.questions == QUESTIONS_MAX || !may_be_asked(take.source))
		next_member(wire, now);
	if (take.peer < 0)
		return;
	tl_replication_piece_ask(wire, take.source, (uint64_t) take.height, take.number);
	take.due = 0;				/* as soon as that is over */
}

/* One may have ended, or been cancelled, and another one begun, since this process has looked. */
static bool
is_same(void)
{
	return take.asked_at == DatumGetTimestampTz(tl_chain_result(0, TAKE_ASKED_AT, NULL));
}

/* With the first piece. */
static void
begin(int64_t refused)
{
	Datum		value = Int64GetDatum(refused);

	tl_chain_execute(&delete_pieces, NULL, NULL, false);
	tl_chain_execute(&begin_again, &value, refused == 0 ? "n" : " ", false);
	take.number = 0;
}

/*
 * The next one who may be asked; behind the last one a pause, and a newer checkpoint.
 * Another one begins the next round, so that nobody is always first.
 */
static void
next_member(TlWire *wire, TimestampTz now)
{
	take.questions = 0;
	take.making_until = TimestampTzPlusMilliseconds(now, MAKING_MS);
	while (take.asked_count < wire->peer_count)
	{
		take.peer = (int) ((take.first + take.asked_count++) % wire->peer_count);
		take.source = wire->peers[take.peer].member;
		if (may_be_asked(take.source))
			return;
	}
	take.peer = -1;
	take.asked_count = 0;
	take.first++;
	take.pause_ms = Min(Max(2 * take.pause_ms, PAUSE_MS_MIN), PAUSE_MS_MAX);
	take.due = TimestampTzPlusMilliseconds(now, take.pause_ms);
	forgive_some(now);
}

/* Later each time: what cannot be used costs as much as what can, here and at who shows it. */
static void
forgive_some(TimestampTz now)
{
	if (now < take.forgive_at || tl_chain_execute(&forgive, NULL, NULL, false) == 0)
		return;
	take.forgive_ms = Min(Max(2 * take.forgive_ms, PAUSE_MS_MIN), FORGIVE_MS_MAX);
	take.forgive_at = TimestampTzPlusMilliseconds(now, take.forgive_ms);
}

/* As the result says. */
static bool
may_be_asked(uint32_t member)
{
	bool		all;
	Datum		asked_of = tl_chain_result(0, TAKE_ASKED_OF, &all);

	return (all || DatumGetInt64(asked_of) == member) &&
		!is_among(tl_chain_result(0, TAKE_LEFT_OUT, NULL), member);
}

static bool
is_among(Datum members, uint32_t member)
{
	Datum	   *numbers;
	int			count;

	deconstruct_array(DatumGetArrayTypeP(members), INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &numbers, NULL, &count);
	for (int i = 0; i < count; i++)
		if (DatumGetInt64(numbers[i]) == member)
			return true;
	return false;
}

/* Then nobody else's turn is to come. */
static bool
is_alone_asked(void)
{
	bool		all;

	(void) tl_chain_result(0, TAKE_ASKED_OF, &all);
	return !all;
}

/* Sink: the piece that was asked for, or NULL; in a transaction. */
void
tl_node_take_piece(void *context, const void *data, size_t size)
{
	uint32_t	pieces;
	const char *reason;

	take.due = 0;
	if (tl_chain_execute(&select_take, NULL, NULL, false) == 0 || !is_same())
		return;
	if (data != NULL && is_being_made(data, size) &&
		(is_alone_asked() || GetCurrentTimestamp() < take.making_until))
	{
		take.questions = 0;
		take.due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_MS);
		return;
	}
	if (data == NULL || is_being_made(data, size))
	{
		came_in_vain();
		return;
	}
	if (is_another_making(data, size))
	{
		begin(0);
		take.peer = -1;			/* of the newest checkpoint, as others may ask for that */
		return;
	}
	reason = judge(data, size, &pieces);
	if (reason != NULL)
		refuse(reason);
	else
		keep(data, size, pieces);
}

/* He says that there will be pieces. */
static bool
is_being_made(const uint8_t *data, size_t size)
{
	static const uint8_t none[TL_SHOWN_HEADER_SIZE - TL_SHOWN_MAKING_SIZE];

	return size == TL_SHOWN_HEADER_SIZE && memcmp(data + TL_SHOWN_MAKING_SIZE, none, sizeof(none)) == 0;
}

/* Somebody else has had a turn there, or he has started anew: no lie, but these pieces go with no others. */
static bool
is_another_making(const uint8_t *data, size_t size)
{
	return take.number > 0 && size >= TL_SHOWN_HEADER_SIZE && memcmp(take.making, data, sizeof(take.making)) != 0;
}

/* What is wrong with it, as far as that can be seen. */
static const char *
judge(const uint8_t *data, size_t size, uint32_t *pieces)
{
	int64_t		bytes = DatumGetInt64(tl_chain_result(0, TAKE_BYTES, NULL));
	int64_t		bytes_max = (int64_t) DatumGetInt32(tl_chain_result(0, TAKE_MAX_MB, NULL)) * 1024 * 1024;
	bool		none;
	int64_t		before = DatumGetInt64(tl_chain_result(0, TAKE_PIECES, &none));

	if (size < TL_SHOWN_HEADER_SIZE || size > TL_SHOWN_HEADER_SIZE + TL_STATE_PIECE_SIZE_MAX)
		return "it has a piece of another size than pieces have";
	memcpy(pieces, data + TL_SHOWN_MAKING_SIZE, sizeof(*pieces));
	*pieces = pg_ntoh32(*pieces);
	if (*pieces <= take.number)
		return "it has fewer pieces than were asked for";
	if (size < TL_SHOWN_HEADER_SIZE + TL_STATE_PIECE_SIZE_MIN && take.number + 1 < *pieces)
		return "it has a piece that is too small";
	if (bytes + (int64_t) size > bytes_max || *pieces - 1 > bytes_max / TL_STATE_PIECE_SIZE_MIN)
		return "it is larger than max_mb of ledger.take_state() allows";
	if (take.number > 0 && before != *pieces)
		return "it has another number of pieces than before";
	return NULL;
}

static void
keep(const uint8_t *data, size_t size, uint32_t pieces)
{
	Datum		values[3];

	memcpy(take.making, data, sizeof(take.making));
	values[0] = Int32GetDatum((int32) take.number);
	values[1] = tl_chain_bytes(data + TL_SHOWN_HEADER_SIZE, size - TL_SHOWN_HEADER_SIZE);
	tl_chain_execute(&insert_piece, values, NULL, false);
	values[0] = Int64GetDatum((int64) take.source);
	values[1] = Int64GetDatum((int64) pieces);
	values[2] = Int64GetDatum((int64) size);
	tl_chain_execute(&note_piece, values, NULL, false);
	take.questions = 0;
	take.pause_ms = 0;
	take.number++;
}

/* He is asked again, and then another one. */
static void
came_in_vain(void)
{
	if (++take.questions >= QUESTIONS_MAX && take.number > 0)
		begin(0);
	take.questions = Min(take.questions, QUESTIONS_MAX);
}

static void
refuse(const char *reason)
{
	ereport(WARNING,
			errmsg("the state after block %lld is not taken from member %u", (long long) take.height, take.source),
			errdetail("What the member shows cannot be that state: %s.", reason),
			errhint("Another member is asked, if ledger.take_state() has named none: SELECT * FROM ledger.state_take shows what is waited for."));
	begin(take.source);
	take.questions = QUESTIONS_MAX;
}
