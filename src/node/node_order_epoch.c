/*-------------------------------------------------------------------------
 *
 * node_order_epoch.c
 *	  From one set of members to the next, as tables keep it.
 *
 * ledger_internal.epoch has, for each epoch but the first, the height of the
 * block that founded it, the motion that was decided, and the epoch certificate
 * (src/consensus/consensus_epoch.c).  The members of now are those of genesis
 * and what the motions have made of them, one after the other; so a row of that
 * table is all that a change leaves, and a start finds what a running process
 * had.  The row is stored in the transaction of TL_ACT_EPOCH.
 *
 * ledger_internal.approval_asked holds motions of which a session wants this
 * member's approval.  They are signed here, since the process of the wire has
 * the key and the order of the own log.
 *
 * Invariants
 *	  E1  a motion that cannot be decided in this epoch any more is not signed
 *		  but an address is said in the epoch that is, as it concerns no vote
 *	  E2  a block at a height that the invitation named has the hash that it
 *		  named, or this node goes no further
 *
 * The caller is in a transaction and has connected SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/inval.h"

#include "chain_pending.h"
#include "chain_statement.h"
#include "consensus_epoch.h"
#include "node_identity.h"
#include "node_order_epoch.h"
#include "node_order_store.h"
#include "tl_compat.h"
#include "tl_error.h"

static TlStatement select_epochs = {
	"SELECT e.motion, b.header, b.standing FROM ledger_internal.epoch AS e"
	" JOIN ledger_internal.ordered_block AS b ON b.height = e.height ORDER BY e.epoch",
	0, {0}
};
static TlStatement insert_epoch = {
	"INSERT INTO ledger_internal.epoch (epoch, height, motion, certificate) VALUES ($1, $2, $3, $4)",
	4, {INT8OID, INT8OID, BYTEAOID, BYTEAOID}
};
static TlStatement follow_members = {
	"SELECT ledger_internal.follow_members()", 0, {0}
};
static TlStatement follow_keys = {
	"SELECT ledger_internal.follow_keys()", 0, {0}
};
static TlStatement follow_addresses = {
	"SELECT ledger_internal.follow_addresses()", 0, {0}
};
static TlStatement approve_keys = {
	"SELECT ledger_internal.approve_keys()", 0, {0}
};
static TlStatement select_asked = {
	"SELECT a.number, a.motion FROM ledger_internal.approval_asked AS a WHERE a.source IS NULL"
	" OR EXISTS (SELECT FROM ledger_internal.ordered_chunk AS o WHERE o.digest = a.source)"
	" ORDER BY a.number LIMIT 1",
	0, {0}
};
static TlStatement delete_asked = {
	"DELETE FROM ledger_internal.approval_asked WHERE number = $1", 1, {INT8OID}
};
static TlStatement select_trusted = {
	"SELECT hash FROM ledger_internal.trusted_block WHERE height = $1", 1, {INT8OID}
};

static bool is_address(const TlMotion *motion);
static TlSpan in_epoch(TlMotion *motion, uint64_t epoch);
static void sign_approval(TlApprovalAsked *out, const TlConsensusConfig *config,
						  uint32_t number, TlSpan motion,
						  const uint8_t secret[TL_SECRET_SIZE]);

/* The members of now, from those of genesis; the base is the last founding block. */
void
tl_node_order_epochs(TlConsensusConfig *config)
{
	TlConsensusBlock *founding = palloc0(sizeof(TlConsensusBlock));
	TlStanding *standing = palloc0(sizeof(TlStanding));
	TlMerkleRange history = config->base.history;
	uint64		count = tl_chain_execute(&select_epochs, NULL, NULL, false);

	for (uint64 i = 0; i < count; i++)
	{
		TlSpan		header = tl_chain_result_span(i, 1);

		tl_error_check(tl_chain_block_decode(&founding->header, header.data, header.size),
					   "founding block");
		tl_chain_block_hash(&founding->hash, &founding->header);
		tl_node_order_standing(standing, tl_chain_result_span(i, 2), config->member_count);
		tl_error_check(tl_consensus_epoch_next(config, founding, standing, tl_chain_result_span(i, 0)),
					   "stored change of the members");
	}
	config->base.history = history;
	pfree(standing);
	pfree(founding);
}

/* The epoch has ended with the block at that height (TL_ACT_EPOCH). */
void
tl_node_order_epoch_store(const TlConsensusConfig *config, const TlAction *action,
						  uint64_t height)
{
	Datum		values[4];
	TlLogRow	row;
	TlGovern	govern;
	TlSpan		message;

	if (!tl_chain_pending_row(&message, &action->hash, false))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("the row that changes the members after block %lld is not stored",
					   (long long) height),
				tl_error_hint_damaged());
	tl_error_check(tl_consensus_row_decode(&row, message.data, message.size), "stored log row");
	tl_error_check(tl_consensus_govern_decode(&govern, row.payload.data, row.payload.size),
				   "stored approval");
	values[0] = Int64GetDatum((int64) config->epoch + 1);
	values[1] = Int64GetDatum((int64) height);
	values[2] = tl_chain_bytes(govern.motion.data, govern.motion.size);
	values[3] = tl_chain_bytes(action->certificate.data, action->certificate.size);
	tl_chain_execute(&insert_epoch, values, NULL, false);
	tl_chain_execute(&follow_members, NULL, NULL, false);
	tl_chain_execute(&follow_keys, NULL, NULL, false);
	/* sessions ask whether this member is one any more */
	CacheInvalidateRelcacheByRelid(tl_node_relation("node", false));
	ereport(LOG,
			errmsg("the members change after block %lld", (long long) height),
			errdetail("Epoch %lld begins.", (long long) config->epoch + 1));
}

/*
 * The oldest approval that is asked for, as the next of this member's, which
 * has given so many in this epoch.  False if there is none.
 */
bool
tl_node_order_approval(TlApprovalAsked *out, const TlConsensusConfig *config,
					   uint32_t approvals, const uint8_t secret[TL_SECRET_SIZE])
{
	while (tl_chain_execute(&select_asked, NULL, NULL, false) > 0)
	{
		TlSpan		bytes = tl_chain_result_span(0, 1);
		TlMotion	motion;
		TlHash		members;
		TlStatus	status = tl_consensus_motion_decode(&motion, bytes.data, bytes.size);

		out->number = DatumGetInt64(tl_chain_result(0, 0, NULL));
		if (status == TL_OK && motion.kind == TL_MOTION_CHANGE)
			status = tl_consensus_epoch_check(config, &motion, &members);
		else if (status == TL_OK && motion.epoch != config->epoch && is_address(&motion))
			bytes = in_epoch(&motion, config->epoch);
		else if (status == TL_OK && motion.epoch != config->epoch)
			status = TL_BAD_FORMAT;
		if (status == TL_OK)
		{
			sign_approval(out, config, approvals + 1, bytes, secret);
			return true;
		}
		/* E1: others were faster */
		ereport(LOG,
				errmsg("an approval that was asked for is not given"),
				errdetail("In epoch %lld it can decide nothing: %s.",
						  (long long) config->epoch, tl_status_text(status)));
		tl_node_order_approved(out);
	}
	return false;
}

/* Does it say where a wire is (ledger_internal.announce_to_members)? */
static bool
is_address(const TlMotion *motion)
{
	static const char begin[] = "address ";

	return motion->kind == TL_MOTION_DEPLOY && motion->text.size >= sizeof(begin) - 1 &&
		memcmp(motion->text.data, begin, sizeof(begin) - 1) == 0;
}

/* The same, said in another epoch than when it was asked for. */
static TlSpan
in_epoch(TlMotion *motion, uint64_t epoch)
{
	uint8_t    *bytes = palloc(TL_MOTION_SIZE_MAX);
	TlSpan		span = {bytes, 0};
	TlWriter	writer;

	motion->epoch = epoch;
	tl_writer_init(&writer, bytes, TL_MOTION_SIZE_MAX);
	tl_error_check(tl_consensus_motion_encode(&writer, motion), "motion");
	span.size = writer.size;
	return span;
}

/* It is in the own log, or comes to nothing. */
void
tl_node_order_approved(const TlApprovalAsked *asked)
{
	Datum		value = Int64GetDatum(asked->number);

	tl_chain_execute(&delete_asked, &value, NULL, false);
}

/* Members may have said where their wires are. */
void
tl_node_order_follow_addresses(void)
{
	tl_chain_execute(&follow_addresses, NULL, NULL, false);
}

/* Members may have asked for other keys. */
void
tl_node_order_follow_keys(void)
{
	tl_chain_execute(&approve_keys, NULL, NULL, false);
}

/* E2 */
void
tl_node_order_check_trusted(const TlConsensusBlock *block)
{
	Datum		value = Int64GetDatum((int64) block->header.height);
	TlSpan		hash;

	if (tl_chain_execute(&select_trusted, &value, NULL, false) == 0)
		return;
	hash = tl_chain_result_span(0, 0);
	if (hash.size != TL_HASH_SIZE || memcmp(hash.data, &block->hash, TL_HASH_SIZE) != 0)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("block %lld is not the one that the invitation names",
					   (long long) block->header.height),
				errdetail("This node follows another ledger than the member who invited it."),
				errhint("Ask that member for the hash of the block, and for a new invitation."));
}

static void
sign_approval(TlApprovalAsked *out, const TlConsensusConfig *config, uint32_t number,
			  TlSpan motion, const uint8_t secret[TL_SECRET_SIZE])
{
	TlGovern	govern = {.number = number, .motion = motion};
	size_t		size = TL_GOVERN_SIZE_FIXED + motion.size;
	uint8_t    *bytes = palloc(size);
	uint8_t		aux[32];
	TlHash		digest;
	TlHash		approval;
	TlWriter	writer;

	tl_consensus_motion_digest(&digest, motion);
	tl_consensus_approval_digest(&approval, &config->chain_id, config->member,
								 config->epoch, number, &digest);
	if (!pg_strong_random(aux, sizeof(aux)))
		elog(ERROR, "could not generate random bytes for a signature");
	tl_error_check(tl_crypto_schnorr_sign(govern.approval, approval.bytes, TL_HASH_SIZE,
										  secret, aux), "approval");
	tl_writer_init(&writer, bytes, size);
	tl_error_check(tl_consensus_govern_encode(&writer, &govern), "approval");
	out->payload.data = bytes;
	out->payload.size = writer.size;
}
