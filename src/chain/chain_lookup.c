/*-------------------------------------------------------------------------
 *
 * chain_lookup.c
 *	  Where a ref is on the chain: its batch, its block, its time.
 *
 * Not stored per row, but computed: the first snapshot that sees the ref's
 * transaction names the difference, and in it the first batch whose last ref
 * is not smaller.  Rows of a table that could not be locked in time are the
 * exception: ledger_internal.late_rows has them, and while a table lags the
 * batch's manifest is asked whether it really holds the ref.
 *
 * The answer for a ref never changes once there is one, so a backend keeps the
 * differences that it has met.  The tables are read directly, without SPI and
 * without the caller's privileges: which block a row is in is no secret.
 *
 * A ref that no table has (its row was rolled back, say) may get an answer;
 * who must know asks ledger.finality.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "chain_lookup.h"
#include "chain_manifest.h"
#include "chain_snapshot.h"
#include "chain_store.h"
#include "tl_error.h"

/* Differences kept by a backend, and batches kept of each. */
#define CACHED_DIFFERENCES	64
#define CACHED_BATCHES_MAX	4096

/* One batch of a difference. */
typedef struct CachedBatch
{
	TlRefBytes	last_ref;
	TlPlace		place;
} CachedBatch;

/* All that was batched between two snapshots. */
typedef struct Difference
{
	bool		valid;
	uint64_t	used;			/* for replacement */
	TlSnapshot	before;			/* snapshot number - 1 */
	TlSnapshot	after;			/* snapshot number */
	int			batch_count;
	CachedBatch *batches;		/* by last_ref */
	MemoryContext context;
} Difference;

static Difference differences[CACHED_DIFFERENCES];
static Difference *last_difference = NULL;
static uint64_t use_counter = 0;
static Oid	internal_schema = InvalidOid;

static void reset_at_inval(Datum arg, int cache, uint32 hash);
static Oid	internal_relation(const char *name);
static bool cached(const TlRefBytes *ref, uint64_t xid, TlPlace *out);
static bool place_in(const Difference *difference, const TlRefBytes *ref,
					 TlPlace *out);
static bool difference_has(const Difference *difference, uint64_t xid);
static int64_t first_seeing(uint64_t xid);
static bool load_snapshot(TlSnapshot *out, int64_t number);
static int64_t last_snapshot(void);
static bool find_late(const TlRefBytes *ref, TlPlace *out, bool *any);
static bool any_lagging(void);
static bool load_difference(int64_t number, const TlRefBytes *ref,
							TlPlace *out, bool keep);
static void place_from_batch(TlPlace *out, HeapTuple row, TupleDesc description);
static bool manifest_has(int64_t batch, const TlRefBytes *ref);
static TimestampTz block_time(int64_t height);
static HeapTuple fetch_one(Relation relation, const char *index_name,
						   ScanKey keys, int key_count,
						   ScanDirection direction);
static Datum value_of(HeapTuple row, TupleDesc description, const char *column);

/* Where the ref is; false if it is in no batch yet. */
bool
tl_chain_lookup(const TlRefBytes *ref, TlPlace *out)
{
	TlRef		unpacked;
	int64_t		number;
	bool		any_late;
	bool		lagging;

	tl_table_ref_unpack(&unpacked, ref);
	if (cached(ref, unpacked.transaction, out))
		return true;
	if (find_late(ref, out, &any_late))
		return true;
	number = first_seeing(unpacked.transaction);
	if (number <= 0)
		return false;
	lagging = any_lagging();
	if (!load_difference(number, ref, out, !lagging && !any_late))
		return false;
	return !(lagging || any_late) || manifest_has(out->batch, ref);
}
