/*-------------------------------------------------------------------------
 *
 * node_order_decision.c
 *	  Which motion a final block decides.
 *
 * The core decides (R21, R22), and names an approval of the motion with the
 * block (TL_ACT_FINAL).  The motion is kept in ledger_internal.decision, in the
 * transaction that stores the block; so is, in ledger_internal.skip, the call or
 * deployment that it passes over.
 *
 * The caller is in a transaction and has connected SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "chain_pending.h"
#include "chain_statement.h"
#include "consensus_govern.h"
#include "node_order_decision.h"
#include "tl_error.h"

static TlStatement insert_decision = {
	"INSERT INTO ledger_internal.decision (height, motion) VALUES ($1, $2)", 2, {INT8OID, BYTEAOID}
};
static TlStatement insert_skip = {
	"INSERT INTO ledger_internal.skip AS s (height, ref, decided_at)"
	" SELECT m.height, m.ref, $1 FROM ledger_internal.skip_motion($2) AS m WHERE m.height < $1"
	" ON CONFLICT (height, ref) DO UPDATE SET decided_at = coalesce(s.decided_at, $1)",
	2, {INT8OID, BYTEAOID}
};

/*
 * row_digest: of an approval of the motion; zeros if the block decides none.  Does it
 * pass over a call?
 */
bool
tl_node_order_decision_store(const TlConsensusBlock *block, const TlHash *row_digest)
{
	static const TlHash none;
	Datum		values[2];
	TlSpan		message;
	TlLogRow	row;
	TlGovern	govern;

	if (memcmp(row_digest, &none, sizeof(none)) == 0)
		return false;
	if (!tl_chain_pending_row(&message, row_digest, false))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("an approval that final block %lld orders is not stored",
					   (long long) block->header.height),
				tl_error_hint_damaged());
	tl_error_check(tl_consensus_row_decode(&row, message.data, message.size), "stored log row");
	tl_error_check(tl_consensus_govern_decode(&govern, row.payload.data, row.payload.size),
				   "stored approval");
	values[0] = Int64GetDatum((int64) block->header.height);
	values[1] = tl_chain_bytes(govern.motion.data, govern.motion.size);
	tl_chain_execute(&insert_decision, values, NULL, false);
	return tl_chain_execute(&insert_skip, values, NULL, false) > 0;
}
