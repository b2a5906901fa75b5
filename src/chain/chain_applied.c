/*-------------------------------------------------------------------------
 *
 * chain_applied.c
 *	  How far the final blocks are applied here.
 *
 * Where several members order, ordering runs ahead of applying, and a row is
 * final on a node when its block is applied there (src/node/node_apply.c).  The
 * height stands in ledger_internal.applied, one row, written in the transaction
 * that applies the block.  A ledger of one member has no row there: each of its
 * blocks is applied as soon as it is stored.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "catalog/pg_type.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "chain_applied.h"
#include "chain_statement.h"
#include "chain_stored.h"

static TlStatement update_applied = {
	"UPDATE ledger_internal.applied SET height = $1 WHERE height = $1 - 1", 1, {INT8OID}
};

static TlStatement select_time = {
	"SELECT time FROM ledger_internal.block WHERE height = $1", 1, {INT8OID}
};

/* As it is now; the greatest integer where nothing has to be applied. */
int64_t
tl_chain_applied_height(void)
{
	return tl_chain_applied_seen(NULL);
}

/* The same, as that snapshot sees it. */
int64_t
tl_chain_applied_seen(Snapshot snapshot)
{
	Relation	relation = tl_chain_stored_open("applied");
	SysScanDesc scan = systable_beginscan(relation, InvalidOid, false, snapshot, 0, NULL);
	HeapTuple	row = systable_getnext(scan);
	int64_t		height = PG_INT64_MAX;

	if (row != NULL)
		height = DatumGetInt64(tl_chain_stored_value(row, RelationGetDescr(relation),
													 "height"));
	systable_endscan(scan);
	tl_chain_stored_close(relation);
	return height;
}

/* The block behind the applied ones has been applied; SPI is connected. */
void
tl_chain_applied_store(int64_t height)
{
	Datum		value = Int64GetDatum(height);

	if (tl_chain_execute(&update_applied, &value, NULL, false) != 1)
		elog(ERROR, "block %lld is not the next one to be applied", (long long) height);
}

/* What its leader has said, which others have found near their clocks; SPI is connected. */
TimestampTz
tl_chain_block_time(int64_t height)
{
	Datum		value = Int64GetDatum(height);
	TimestampTz time;

	if (tl_chain_execute(&select_time, &value, NULL, false) == 0)
		elog(ERROR, "block %lld is not here", (long long) height);
	time = DatumGetTimestampTz(tl_chain_result(0, 0, NULL));
	SPI_freetuptable(SPI_tuptable);
	return time;
}
