/*-------------------------------------------------------------------------
 *
 * node_skip.c
 *	  Calls and deployments that the members pass over, since they cannot be executed.
 *
 * A motion of kind skip names a call and its block.  Where a quorum approves, the
 * block that has the last approval decides it: from then on nobody executes the
 * call, and its outcome says so.  What is said of calls here holds for handled rows,
 * timers and the deployment of a contract as well, each under its ref (node_call.c,
 * node_deploy.c).  The decision stands in a later block than the
 * call, so it is noted when that block is stored (node_order_decision.c), which
 * waits for no applying, and looked at when the call's own block is applied.
 *
 * Whoever approves has not executed the call, and does not until it is decided, or
 * the epoch ends and the motion with it.  What binds him is his own approval: one that
 * ledger.skip() has asked for, under a lock that waits for the attempt which runs, or
 * that is in the own log.  So it binds him after a restore as well: nothing is applied
 * until the rejoin is over, and the own log is back.  So no quorum can sign a state in
 * which a call that is passed over was executed: q who approve and q who sign would
 * share an honest member.
 *
 * Who has executed it, before it was decided, has another state than the others: it
 * stops in front of the block that decides (apply_stop, executed).  If that was a
 * script which has made tables, nobody's rows help.  Who applies old
 * blocks anew, a newcomer or a member that was restored, may come to the call
 * before it knows the decision.  So an invitation names the calls that are passed
 * over, and ledger.expect_skip() tells them to a database that was restored.
 *
 * Invariants
 *	  K1  a call that this member has approved to pass over is not executed while
 *		  that can be decided
 *	  K2  no block is applied above one that passes over a call which was executed here
 *
 * Lock: ShareUpdateExclusiveLock on ledger_internal.skip, from the look at a block to the
 * end of its transaction, and from ledger.skip(), ledger.take_state() and
 * ledger.cancel_take() to the end of theirs.  Who notes a decision waits for none of them.
 *
 * SPI is connected.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "chain_state_store.h"
#include "chain_statement.h"
#include "chain_stored.h"
#include "node_skip.h"
#include "tl_error.h"

/*
 * K1: does a rejoin go on, or an own approval name a call of this height?  There is nothing
 * to find unless may_be_open() is true.
 */
static TlStatement select_open = {
	"SELECT WHERE EXISTS (SELECT FROM ledger_internal.rejoin WHERE numbered_at IS NULL)"
	" AND EXISTS (SELECT FROM ledger_internal.members() AS m JOIN ledger_internal.node AS n USING (member)"
	" WHERE m.left_height IS NULL)"
	" UNION ALL"
	" SELECT FROM (SELECT a.motion FROM ledger_internal.approval_asked AS a UNION ALL"
	" SELECT substring(o.message FROM 156 FOR greatest(octet_length(o.message) - 219, 0))"
	" FROM ledger_internal.own_log AS o WHERE o.kind = 9 AND position('skip call '::bytea IN o.message) > 0"
	" AND o.epoch = (SELECT coalesce(max(epoch), 0) FROM ledger_internal.epoch)) AS a (motion),"
	" LATERAL ledger_internal.motion_parts(a.motion) AS p, LATERAL ledger_internal.skip_motion(a.motion) AS m"
	" WHERE position('skip call '::bytea IN a.motion) > 0 AND m.height = $1"
	" AND p.epoch = (SELECT coalesce(max(epoch), 0) FROM ledger_internal.epoch)"
	" AND NOT EXISTS (SELECT FROM ledger_internal.skip AS s WHERE s.height = m.height AND s.ref = m.ref)",
	1, {INT8OID}
};
/* Of this height, and what the block at it decides; was that executed here, and deployed? */
static TlStatement select_skips = {
	"SELECT s.ref, s.height, s.height < $1 AND (coalesce(c.state <> 'skipped', false) OR EXISTS"
	" (SELECT FROM ledger_internal.call_outcome AS o"
	" WHERE o.ref = s.ref AND o.height = s.height AND o.sqlstate <> $2)),"
	" coalesce(c.state = 'deployed', false), c.height IS NOT NULL"
	" FROM ledger_internal.skip AS s LEFT JOIN ledger_internal.contract AS c"
	" ON c.height = s.height AND s.ref = ledger_internal.deployment_ref(s.height)"
	" WHERE $1 IN (s.height, s.decided_at)",
	2, {INT8OID, TEXTOID}
};
enum
{
	SKIP_REF,
	SKIP_HEIGHT,
	SKIP_EXECUTED,
	SKIP_DEPLOYED,
	SKIP_IS_DEPLOYMENT
};

typedef struct Skip
{
	TlRefBytes	ref;
	int64_t		height;			/* of its block */
	bool		is_deployment;
	bool		deployed;		/* its script has run here, to its end */
} Skip;

/* Those of the block that is being applied, in the context of the transaction. */
static TlRefBytes *skipped = NULL;
static int	skipped_count = 0;

static bool may_be_open(void);
static void stop(const Skip *skip);
static void warn_of_executed(const char *kind, const char *ref, int64_t height);
static void warn_of_deployment(const char *ref, int64_t height);

/* Can that block be applied, and without which calls?  Those are known all the same. */
TlSkipVerdict
tl_node_skip_look(int64_t height)
{
	Datum		values[] = {Int64GetDatum(height), CStringGetTextDatum(tl_status_sqlstate(TL_SKIPPED))};
	Skip		late = {.height = 0};
	uint64		count;

	LockRelationOid(tl_chain_stored_oid("skip"), ShareUpdateExclusiveLock);
	if (may_be_open() && tl_chain_execute(&select_open, values, NULL, false) > 0)
		return TL_SKIP_OPEN;
	count = tl_chain_stored_has("skip", NULL) ? tl_chain_execute(&select_skips, values, NULL, false) : 0;
	skipped_count = 0;
	skipped = count == 0 ? NULL : MemoryContextAlloc(TopTransactionContext, count * sizeof(TlRefBytes));
	for (uint64 i = 0; i < count; i++)
	{
		Skip		skip;

		skip.ref = *DatumGetTlRefBytes(tl_chain_result(i, SKIP_REF, NULL));
		skip.height = DatumGetInt64(tl_chain_result(i, SKIP_HEIGHT, NULL));
		skip.deployed = DatumGetBool(tl_chain_result(i, SKIP_DEPLOYED, NULL));
		skip.is_deployment = DatumGetBool(tl_chain_result(i, SKIP_IS_DEPLOYMENT, NULL));
		if (DatumGetBool(tl_chain_result(i, SKIP_EXECUTED, NULL)))
			late = skip;
		if (skip.height == height)
			skipped[skipped_count++] = skip.ref;
	}
	if (late.height == 0)
		return TL_SKIP_NONE;
	stop(&late);
	return TL_SKIP_LATE;
}

/*
 * Few members ever pass over anything, so what select_open begins with is looked at before,
 * behind the lock.  In this order: who ends a rejoin has the own log back, who begins one
 * loses it, and an approval goes into the log in the transaction that takes it away from
 * those asked for.
 */
static bool
may_be_open(void)
{
	return tl_chain_stored_has("rejoin", "rejoin_under_way") || tl_chain_stored_has("approval_asked", NULL) ||
		tl_chain_stored_has("own_log", "own_log_skip") || tl_chain_stored_has("rejoin", "rejoin_under_way");
}

/* Is this call of the block passed over? */
bool
tl_node_skip_has(const TlRefBytes *ref)
{
	for (int i = 0; i < skipped_count; i++)
		if (tl_table_ref_compare(&skipped[i], ref) == 0)
			return true;
	return false;
}

/* K2 */
static void
stop(const Skip *skip)
{
	TlRef		ref;

	if (!tl_chain_state_stop(skip->height, "executed"))
		return;
	tl_table_ref_unpack(&ref, &skip->ref);
	if (skip->deployed)
		warn_of_deployment(tl_table_ref_text(&ref), skip->height);
	else
		warn_of_executed(skip->is_deployment ? "deployment" : "call", tl_table_ref_text(&ref), skip->height);
}

/* Or of a script that was refused here, and has left nothing. */
static void
warn_of_executed(const char *kind, const char *ref, int64_t height)
{
	ereport(WARNING,
			errcode(TL_ERRCODE(TL_SKIPPED)),
			errmsg("the members have passed over %s %s of block %lld, which this node has executed",
				   kind, ref, (long long) height),
			errdetail("Its state is not that of the others.  It applies no more blocks; it goes on ordering them."),
			errhint("SELECT ledger.take_state('reason') takes the state of a later block from the others.  Or restore a backup from before that block, run SELECT ledger.expect_skip(%lld, '%s') in it, and then SELECT ledger.accept_restore('reason').",
					(long long) height, ref));
}

/* The same as in ledger.take_state(). */
static void
warn_of_deployment(const char *ref, int64_t height)
{
	ereport(WARNING,
			errcode(TL_ERRCODE(TL_SKIPPED)),
			errmsg("the members have passed over deployment %s, which this node has run", ref),
			errdetail("It has a version of a contract that the others do not have.  It applies no more blocks; it goes on ordering them."),
			errhint("Restore a backup from before block %lld, run SELECT ledger.expect_skip(%lld, '%s') in it, and then SELECT ledger.accept_restore('reason').  Or have this member removed and let it join anew.",
					(long long) height, (long long) height, ref));
}
