/*-------------------------------------------------------------------------
 *
 * chain_snapshot.c
 *	  Snapshots as values: which transactions a batch has seen.
 *
 * A batch is the difference between two snapshots (DESIGN.md, idea 2), so
 * they must outlive the transaction that took them.  Stored in the text form
 * of pg_snapshot, xmin:xmax:xip,xip,...
 *
 * Invariant: of two snapshots taken one after the other, the later one sees
 * every transaction that the earlier one saw.  Hence "the first snapshot that
 * sees a transaction" is found by binary search, and each row belongs to
 * exactly one difference.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "lib/stringinfo.h"

#include "chain_snapshot.h"
#include "table_ref.h"
#include "tl_error.h"

static int	compare_xids(const void *left, const void *right);
static uint64_t widen_xid(TransactionId xid, FullTransactionId next);
static uint64_t parse_xid(const char **cursor);

/* Had this transaction finished when the snapshot was taken? */
bool
tl_chain_snapshot_sees(const TlSnapshot *snapshot, uint64_t xid)
{
	if (xid >= snapshot->xmax)
		return false;
	if (snapshot->in_progress_count == 0 || xid < snapshot->in_progress[0])
		return true;
	return bsearch(&xid, snapshot->in_progress, snapshot->in_progress_count,
				   sizeof(uint64_t), compare_xids) == NULL;
}

bool
tl_chain_snapshot_equal(const TlSnapshot *left, const TlSnapshot *right)
{
	return left->xmax == right->xmax &&
		left->in_progress_count == right->in_progress_count &&
		memcmp(left->in_progress, right->in_progress,
			   sizeof(uint64_t) * left->in_progress_count) == 0;
}

/* The oldest transaction in progress, or xmax. */
uint64_t
tl_chain_snapshot_xmin(const TlSnapshot *snapshot)
{
	return snapshot->in_progress_count > 0 ? snapshot->in_progress[0] : snapshot->xmax;
}

static int
compare_xids(const void *left, const void *right)
{
	uint64_t	a = *(const uint64_t *) left;
	uint64_t	b = *(const uint64_t *) right;

	return (a > b) - (a < b);
}

/* Give a 32-bit xid of a current snapshot its epoch. */
static uint64_t
widen_xid(TransactionId xid, FullTransactionId next)
{
	uint32_t	epoch = EpochFromFullTransactionId(next);

	if (xid > XidFromFullTransactionId(next))
		epoch--;
	return U64FromFullTransactionId(FullTransactionIdFromEpochAndXid(epoch, xid));
}

/*
 * The value of an MVCC snapshot, in the current memory context.  Its top-level
 * list is complete even when subtransactions overflowed.  On a standby, which
 * cannot tell the two apart, that list is the one of subtransactions.
 */
void
tl_chain_snapshot_take(TlSnapshot *out, Snapshot mvcc, uint16_t incarnation)
{
	FullTransactionId next = ReadNextFullTransactionId();
	const TransactionId *xids = mvcc->xip;
	int			count = mvcc->xcnt;

	if (mvcc->takenDuringRecovery)
	{
		xids = mvcc->subxip;
		count = mvcc->subxcnt;
	}
	out->xmax = tl_table_ref_word(incarnation, widen_xid(mvcc->xmax, next));
	out->in_progress_count = count;
	out->in_progress = palloc(sizeof(uint64_t) * (count + 1));
	for (int i = 0; i < count; i++)
		out->in_progress[i] = tl_table_ref_word(incarnation,
												widen_xid(xids[i], next));
	qsort(out->in_progress, out->in_progress_count, sizeof(uint64_t), compare_xids);
}

void
tl_chain_snapshot_copy(TlSnapshot *out, const TlSnapshot *source,
					   MemoryContext context)
{
	out->xmax = source->xmax;
	out->in_progress_count = source->in_progress_count;
	out->in_progress = MemoryContextAlloc(context,
										  sizeof(uint64_t) * (source->in_progress_count + 1));
	memcpy(out->in_progress, source->in_progress,
		   sizeof(uint64_t) * source->in_progress_count);
}

/* The text of the pg_snapshot value. */
char *
tl_chain_snapshot_text(const TlSnapshot *snapshot)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, UINT64_FORMAT ":" UINT64_FORMAT ":",
					 tl_chain_snapshot_xmin(snapshot), snapshot->xmax);
	for (int i = 0; i < snapshot->in_progress_count; i++)
		appendStringInfo(&text, "%s" UINT64_FORMAT, i > 0 ? "," : "",
						 snapshot->in_progress[i]);
	return text.data;
}

static uint64_t
parse_xid(const char **cursor)
{
	char	   *end;
	uint64_t	xid = strtou64(*cursor, &end, 10);

	if (end == *cursor)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("a stored snapshot cannot be read"),
				tl_error_hint_damaged());
	*cursor = end;
	return xid;
}

/* Read the text form back, into the current memory context. */
void
tl_chain_snapshot_parse(TlSnapshot *out, const char *text)
{
	const char *cursor = text;
	int			count = 0;

	for (const char *p = text; *p != '\0'; p++)
		count += (*p == ',');
	out->in_progress = palloc(sizeof(uint64_t) * (count + 1));
	out->in_progress_count = 0;
	(void) parse_xid(&cursor);	/* xmin follows from the rest */
	if (*cursor == ':')
		cursor++;
	out->xmax = parse_xid(&cursor);
	if (*cursor == ':')
		cursor++;
	while (*cursor != '\0')
	{
		out->in_progress[out->in_progress_count++] = parse_xid(&cursor);
		if (*cursor == ',')
			cursor++;
	}
}
