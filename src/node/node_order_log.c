/*-------------------------------------------------------------------------
 *
 * node_order_log.c
 *	  Stored log rows, given to the core of consensus in their order.
 *
 * The own log is given first, all incarnations one after the other; then those
 * of each other member in the order in which they came.  A log whose rows the
 * core refuses (TL_BAD_ORDER: a REJOIN has ended it, or opened one that does not
 * stand) is read no further.  Of the rows below the first one that the summary of a
 * log names (node_order_summary.c) few kinds are given.
 *
 * A core remembers a number of views from its last final block on, and would
 * forget votes beyond.  A log that goes on beyond them waits until the next
 * blocks are final: so a member that was away follows the stored logs from
 * block to block, however many there are.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "chain_batch.h"
#include "node_order_state.h"
#include "node_order_store.h"
#include "tl_compat.h"
#include "tl_error.h"

#define READ_ROWS			256		/* of one log in one turn */
#define READ_ROWS_WAITED	32		/* of one that had to wait */

static bool is_observer(const TlOrder *order);
static bool give_own(TlOrder *order);
static TlOwnRow *read_own_before(TlOrder *order, uint64 *count);
static void note_own(TlOrder *order, const TlLogRow *row);
static bool give_member(TlOrder *order, TlGiven *given);
static bool give_log(TlOrder *order, const TlGiven *given, TlGivenLog *log);
static bytea **read_log(const TlOrder *order, const TlGiven *given, TlGivenLog *log, int limit,
						uint64 *count);
static void give_summary(TlOrder *order, TlGivenLog *log, const TlLogRow *row);
static bool is_to_skip(const TlOrder *order, const TlGiven *given, TlGivenLog *log,
					   int *limit);
static bool is_closed(const TlGiven *given, const TlLogRow *row);
static bool is_beyond(const TlOrder *order, const TlLogRow *row);
static TlGivenLog *find_log(TlGiven *given, const uint8_t *nonce);

/* A new core was given nothing yet.  In a transaction with SPI. */
void
tl_node_order_log_open(TlOrder *order)
{
	memset(order->given, 0, sizeof(order->given));
	order->rows_read = 0;
	order->own_incarnation = 0;
	order->own_sequence = 0;
	order->own_more = true;
	order->own_waits = false;
	for (unsigned i = 0; i < order->config->member_count; i++)
	{
		TlGiven    *given = &order->given[i];
		uint8_t		nonces[TL_PEER_LOGS_MAX][TL_NONCE_SIZE];
		unsigned	count;

		given->member = order->config->members[i].number;
		if (given->member == order->log.member)
			continue;
		count = tl_node_order_nonces(nonces, given->member);
		for (unsigned j = 0; j < count; j++)
			(void) find_log(given, nonces[j]);
	}
	tl_node_order_rejoin_load_closed(order);
	tl_node_order_summary_open(order);
}

/* Rows that the core was not given yet: own ones first.  True if there are more. */
bool
tl_node_order_log_give(TlOrder *order)
{
	bool		more = order->own_more && give_own(order);

	if (more && !order->started)
		return true;			/* R5: it is read before anything else counts */
	for (unsigned i = 0; i < order->config->member_count; i++)
		more |= give_member(order, &order->given[i]);
	return more;
}

/* The wire has kept a row. */
void
tl_node_order_log_arrived(TlOrder *order, const TlLogRow *row)
{
	for (unsigned i = 0; i < order->config->member_count; i++)
	{
		TlGivenLog *log;

		if (order->given[i].member != row->member)
			continue;
		log = find_log(&order->given[i], row->nonce);
		if (log != NULL && !log->waits && !log->over)
			log->more = true;
	}
}

/* A block is final: what waited for it goes on. */
void
tl_node_order_log_moved(TlOrder *order)
{
	order->own_more |= order->own_waits;
	order->own_waits = false;
	for (unsigned i = 0; i < order->config->member_count; i++)
		for (unsigned j = 0; j < order->given[i].log_count; j++)
			order->given[i].logs[j].more |= order->given[i].logs[j].waits;
}

/* Is there something to give? */
bool
tl_node_order_log_waits(const TlOrder *order)
{
	for (unsigned i = 0; i < order->config->member_count; i++)
		for (unsigned j = 0; j < order->given[i].log_count; j++)
			if (order->given[i].logs[j].more)
				return true;
	return order->own_more;
}

/* All of the own log, as it has grown by rows that came back. */
void
tl_node_order_log_give_own(TlOrder *order)
{
	while (order->own_more)
		(void) give_own(order);
}

/* Is the next own row one of those of which few kinds are given? */
bool
tl_node_order_own_is_before(const TlOrder *order)
{
	return order->own_incarnation < order->own_first_incarnation ||
		(order->own_incarnation == order->own_first_incarnation &&
		 order->own_sequence + 1 < order->own_first_sequence);
}

/* What an observer signed before it was one the core takes from nobody. */
static bool
is_observer(const TlOrder *order)
{
	for (unsigned i = 0; i < order->config->member_count; i++)
		if (order->config->members[i].number == order->log.member)
			return order->config->members[i].observer;
	return false;
}

static bool
give_own(TlOrder *order)
{
	bool		before = tl_node_order_own_is_before(order);
	TlOwnRow   *rows;
	uint64		count;

	if (is_observer(order))
	{
		order->own_more = false;
		return false;
	}
	if (order->own_incarnation == 0 && order->own_sequence == 0 && !before &&
		order->alone.count > 0 && order->alone.member == order->log.member)
		tl_node_order_alone_give_own(order);
	rows = before ? read_own_before(order, &count) :
		tl_node_order_read_own(order->own_incarnation, order->own_sequence,
							   READ_ROWS, &count, &order->own_more);
	for (uint64 i = 0; i < count; i++)
	{
		TlLogRow	row;
		TlStatus	status;

		tl_error_check(tl_consensus_row_decode(&row, VARDATA_ANY(rows[i].message),
											   VARSIZE_ANY_EXHDR(rows[i].message)),
					   "own log row");
		status = tl_node_order_give(order, TL_INPUT_ROW, &row);
		if (status == TL_NOT_FINAL && order->has_key)
		{
			/* it came back, and final blocks have to come nearer first */
			order->own_waits = true;
			order->own_more = false;
			return false;
		}
		if (order->has_key)		/* otherwise they are like anybody's */
			tl_error_check(status, "own log row");
		order->own_incarnation = rows[i].incarnation;
		order->own_sequence = row.sequence;
		note_own(order, &row);
	}
	if (before && !order->own_more)
	{
		order->own_incarnation = order->own_first_incarnation;
		order->own_sequence = order->own_first_sequence - 1;
		order->own_more = true;
	}
	return order->own_more;
}

/* Those that a start needs of the own rows before the first that is given in any case. */
static TlOwnRow *
read_own_before(TlOrder *order, uint64 *count)
{
	TlOwnPlace	after = {order->own_incarnation, order->own_sequence};
	TlOwnPlace	first = {order->own_first_incarnation, order->own_first_sequence};

	return tl_node_order_read_own_before(order->log.member, &after, &first, order->config,
										 READ_ROWS, count, &order->own_more);
}

/* Where the own lane is: batches of an incarnation begin with 1. */
static void
note_own(TlOrder *order, const TlLogRow *row)
{
	TlBatchHeader header;

	if (row->kind == TL_LOG_REJOIN)
		memset(&order->lane, 0, sizeof(order->lane));
	if (row->kind != TL_LOG_BATCH)
		return;
	tl_error_check(tl_chain_batch_decode(&header, row->payload.data, row->payload.size),
				   "own batch");
	order->lane.batch = header.batch;
	tl_chain_batch_digest(&order->lane.digest, row->payload.data, row->payload.size);
}

/* Its incarnations, in order: one is read to its end before the next. */
static bool
give_member(TlOrder *order, TlGiven *given)
{
	for (unsigned i = 0; i < given->log_count; i++)
		if (given->logs[i].more &&
			give_log(order, given, &given->logs[i]))
			return true;
	return false;
}

/* True if there are more. */
static bool
give_log(TlOrder *order, const TlGiven *given, TlGivenLog *log)
{
	int			limit = log->waits ? READ_ROWS_WAITED : READ_ROWS;
	bool		before = log->sequence + 1 < log->first;
	uint64		count;
	bytea	  **messages;

	if (log->first == 0 && is_to_skip(order, given, log, &limit))
		return false;
	messages = read_log(order, given, log, limit, &count);
	log->waits = false;
	for (uint64 i = 0; i < count; i++)
	{
		TlLogRow	row;
		TlStatus	status;

		tl_error_check(tl_consensus_row_decode(&row, VARDATA_ANY(messages[i]),
											   VARSIZE_ANY_EXHDR(messages[i])),
					   "stored log row");
		status = is_closed(given, &row) ? TL_BAD_ORDER :
			is_beyond(order, &row) ? TL_NOT_FINAL :
			tl_node_order_give(order, TL_INPUT_ROW, &row);
		log->waits = status == TL_NOT_FINAL;
		log->over = status == TL_BAD_ORDER;
		if (log->waits || log->over)
		{
			log->more = false;
			break;
		}
		log->sequence = row.sequence;
		give_summary(order, log, &row);
		if (row.kind == TL_LOG_REJOIN)
			tl_node_order_log_moved(order); /* another may rest on it */
	}
	if (before && !log->more && !log->waits && !log->over)
	{
		log->sequence = log->first - 1;
		log->more = true;
	}
	return log->more;
}

/* The next rows; below the first that is given in any case those that a start needs. */
static bytea **
read_log(const TlOrder *order, const TlGiven *given, TlGivenLog *log, int limit, uint64 *count)
{
	if (log->sequence + 1 < log->first)
		return tl_node_order_read_before(given->member, log->nonce, log->sequence, log->first,
										 order->config, limit, count, &log->more);
	return tl_node_order_read(given->member, log->nonce, log->sequence, limit, count, &log->more);
}

/* If the summary is of that row; the core refuses it if it has not taken the row. */
static void
give_summary(TlOrder *order, TlGivenLog *log, const TlLogRow *row)
{
	TlInput		input = {.kind = TL_INPUT_SUMMARY, .more = true, .summary = log->summary};

	if (log->summary == NULL || row->sequence != log->summary->sequence)
		return;
	(void) tl_node_order_step(order, &input);
	log->summary = NULL;
}

/*
 * Of what the founder wrote while it was alone the core is given the REJOIN of
 * each incarnation, and the last row (node_order_alone.c).  True if there is
 * nothing more of this log.
 */
static bool
is_to_skip(const TlOrder *order, const TlGiven *given, TlGivenLog *log, int *limit)
{
	const TlAloneLogs *alone = &order->alone;
	int			place = tl_node_order_alone_find(alone, given->member, log->nonce);

	if (place < 0 || log->sequence >= alone->sequences[place])
		return false;
	if (log->sequence == 0 && place > 0)
	{
		*limit = 1;				/* its REJOIN */
		return false;
	}
	if (place + 1 < (int) alone->count)
	{
		log->over = true;
		log->more = false;
		return true;
	}
	log->sequence = alone->sequences[place] - 1;
	return false;
}

/* R34: this member has told its author that it counts no more. */
static bool
is_closed(const TlGiven *given, const TlLogRow *row)
{
	return given->closed && row->sequence > given->closed_sequence &&
		memcmp(row->nonce, given->closed_nonce, TL_NONCE_SIZE) == 0;
}

/* Would the core forget it, as it is too many views ahead? */
static bool
is_beyond(const TlOrder *order, const TlLogRow *row)
{
	switch (row->kind)
	{
		case TL_LOG_PROPOSE:
		case TL_LOG_NOTARIZE:
		case TL_LOG_FINALIZE:
		case TL_LOG_NULLIFY:
		case TL_LOG_CERT:
			return row->epoch == order->config->epoch &&
				row->view >= order->base_view + order->config->view_count;
		default:
			return false;
	}
}

/* The log of that nonce, a new one if need be; NULL if there are too many. */
static TlGivenLog *
find_log(TlGiven *given, const uint8_t *nonce)
{
	TlGivenLog *log;

	for (unsigned i = 0; i < given->log_count; i++)
		if (memcmp(given->logs[i].nonce, nonce, TL_NONCE_SIZE) == 0)
			return &given->logs[i];
	if (given->log_count == TL_PEER_LOGS_MAX)
		return NULL;
	log = &given->logs[given->log_count++];
	memcpy(log->nonce, nonce, TL_NONCE_SIZE);
	log->more = true;
	return log;
}

