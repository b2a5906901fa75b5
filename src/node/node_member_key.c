/*-------------------------------------------------------------------------
 *
 * node_member_key.c
 *	  Row keys of members, epoch by epoch, and motions that change them, for SQL.
 *
 * Like the members themselves (node_member.c) their keys are those of genesis and
 * of the decided motions in ledger_internal.epoch; nothing else is kept of them.
 *
 * A member's own key is nobody else's business: the process of the wire approves
 * of a motion that changes nothing but the proposer's own keys, or that bears a
 * signature by the recovery key of whom it is about (sql/94_key.sql has the rule).
 * What the recovery key signs is
 *
 *		Hash("telco_ledger/1/recover" || chain id || member u32 || row key of
 *			 now 32 || next row key 32)
 *
 * and since no row key ever comes back (W4 of src/consensus/README.md), it is
 * of no use a second time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "chain_genesis.h"
#include "chain_statement.h"
#include "consensus_epoch.h"
#include "crypto_curve.h"
#include "crypto_hash.h"
#include "node_identity.h"
#include "node_order_epoch.h"
#include "node_order_store.h"
#include "tl_compat.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_row_keys);
PG_FUNCTION_INFO_V1(tl_keeps_parameters);
PG_FUNCTION_INFO_V1(tl_recovery_digest);
PG_FUNCTION_INFO_V1(tl_differs_in_keys);

#define RECOVER_TAG		"telco_ledger/1/recover"

static TlStatement select_genesis = {
	"SELECT genesis_body FROM ledger_internal.node", 0, {0}
};
static TlStatement select_motions = {
	"SELECT motion FROM ledger_internal.epoch ORDER BY epoch", 0, {0}
};

/* The newest key of a member. */
typedef struct Newest
{
	uint32_t	number;
	uint8_t		key[TL_XONLY_KEY_SIZE];
} Newest;

static bool keys_are_some(const TlMember *member);
static bool is_same(TlSpan one, TlSpan other);
static List *note_key(List *newest, ReturnSetInfo *result, int64 epoch, const TlMember *member);

/* ledger_internal.row_keys(): each key with the epoch from which on it signs */
Datum
tl_row_keys(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	TlGenesis  *genesis = palloc(sizeof(TlGenesis));
	List	   *newest = NIL;
	TlSpan		body;
	uint64		count;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	if (tl_chain_execute(&select_genesis, NULL, NULL, true) == 0)
	{
		SPI_finish();
		return (Datum) 0;		/* no node */
	}
	body = tl_chain_span(tl_chain_result(0, 0, NULL));
	tl_error_check(tl_chain_genesis_decode(genesis, body.data, body.size), "genesis");
	for (unsigned i = 0; i < genesis->member_count; i++)
		newest = note_key(newest, result, 0, &genesis->members[i]);
	count = tl_chain_execute(&select_motions, NULL, NULL, true);
	for (uint64 i = 0; i < count; i++)
	{
		TlMotion	motion;
		TlReader	reader;
		TlSpan		bytes = tl_chain_span(tl_chain_result(i, 0, NULL));

		tl_error_check(tl_consensus_motion_decode(&motion, bytes.data, bytes.size),
					   "stored motion");
		tl_reader_init(&reader, motion.set.data, motion.set.size);
		for (unsigned j = 0; j < motion.set_count; j++)
		{
			TlSpan		leaf = tl_get_span(&reader, tl_get_u16(&reader));
			TlMember	member;

			tl_error_check(tl_chain_member_decode(&member, leaf.data, leaf.size), "member");
			newest = note_key(newest, result, (int64) i + 1, &member);
		}
	}
	SPI_finish();
	return (Datum) 0;
}

/* A row of the result, if the key is another one than before. */
static List *
note_key(List *newest, ReturnSetInfo *result, int64 epoch, const TlMember *member)
{
	Newest	   *known = NULL;
	Datum		values[3];
	bool		nulls[3] = {false};
	ListCell   *cell;

	foreach(cell, newest)
		if (((Newest *) lfirst(cell))->number == member->number)
			known = lfirst(cell);
	if (known != NULL && memcmp(known->key, member->row_key, TL_XONLY_KEY_SIZE) == 0)
		return newest;
	if (known == NULL)
	{
		known = palloc(sizeof(Newest));
		known->number = member->number;
		newest = lappend(newest, known);
	}
	memcpy(known->key, member->row_key, TL_XONLY_KEY_SIZE);
	values[0] = Int64GetDatum((int64) member->number);
	values[1] = Int64GetDatum(epoch);
	values[2] = tl_chain_bytes(member->row_key, TL_XONLY_KEY_SIZE);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	return newest;
}

/*
 * ledger_internal.keeps_parameters(motion bytea) -> boolean: a change that can be
 * decided now, and leaves the parameters of the ledger as they are?
 */
Datum
tl_keeps_parameters(PG_FUNCTION_ARGS)
{
	TlSpan		bytes = tl_chain_span(PG_GETARG_DATUM(0));
	TlConsensusConfig *config = palloc0(sizeof(TlConsensusConfig));
	TlMotion	motion;
	TlHash		members;

	if (tl_consensus_motion_decode(&motion, bytes.data, bytes.size) != TL_OK ||
		motion.kind != TL_MOTION_CHANGE)
		PG_RETURN_BOOL(false);
	SPI_connect();
	tl_node_order_load_genesis(config);
	tl_node_order_epochs(config);
	SPI_finish();
	PG_RETURN_BOOL(tl_consensus_epoch_check(config, &motion, &members) == TL_OK &&
				   motion.quorum_of_three == config->quorum_of_three &&
				   motion.drift_ms == (uint32_t) (config->drift_us / 1000) &&
				   motion.checkpoint_interval == config->checkpoint_interval &&
				   motion.protocol == Max(config->protocol, 1));
}

/* ledger_internal.recovery_digest(member bigint, row_key bytea, next_key bytea) -> bytea */
Datum
tl_recovery_digest(PG_FUNCTION_ARGS)
{
	const TlNodeIdentity *identity = tl_node_identity();
	TlSpan		key = tl_chain_span(PG_GETARG_DATUM(1));
	TlSpan		next = tl_chain_span(PG_GETARG_DATUM(2));
	uint8_t		bytes[256];
	TlWriter	writer;
	TlHash		digest;

	if (key.size != TL_XONLY_KEY_SIZE || next.size != TL_XONLY_KEY_SIZE)
		elog(ERROR, "a row key has 32 bytes");
	tl_writer_init(&writer, bytes, sizeof(bytes));
	tl_put_bytes(&writer, RECOVER_TAG, strlen(RECOVER_TAG));
	tl_put_hash(&writer, &identity->chain_id);
	tl_put_u32(&writer, (uint32_t) PG_GETARG_INT64(0));
	tl_put_bytes(&writer, key.data, key.size);
	tl_put_bytes(&writer, next.data, next.size);
	tl_crypto_sha256(&digest, bytes, writer.size);
	PG_RETURN_DATUM(tl_chain_bytes(digest.bytes, TL_HASH_SIZE));
}

/*
 * ledger_internal.differs_in_keys(leaf bytea, before bytea) -> boolean: whoever made
 * the leaf may have put anything into it, so this says false, and raises no error.
 */
Datum
tl_differs_in_keys(PG_FUNCTION_ARGS)
{
	TlSpan		leaf = tl_chain_span(PG_GETARG_DATUM(0));
	TlSpan		other = tl_chain_span(PG_GETARG_DATUM(1));
	TlMember	member;
	TlMember	before;

	PG_RETURN_BOOL(tl_chain_member_decode(&member, leaf.data, leaf.size) == TL_OK &&
				   tl_chain_member_decode(&before, other.data, other.size) == TL_OK &&
				   member.number == before.number && member.kind == before.kind &&
				   member.role_count == before.role_count &&
				   is_same(member.name, before.name) && is_same(member.roles, before.roles) &&
				   keys_are_some(&member));
}

/* As node_member.c makes them: approvals by the row key, nothing sealed yet. */
static bool
keys_are_some(const TlMember *member)
{
	static const uint8_t none[TL_XONLY_KEY_SIZE];

	if (tl_crypto_xonly_key_check(member->row_key) != TL_OK)
		return false;
	return !member->has_keys ||
		(memcmp(member->governance_key, member->row_key, TL_XONLY_KEY_SIZE) == 0 &&
		 memcmp(member->sealing_key, none, TL_XONLY_KEY_SIZE) == 0 &&
		 memcmp(member->recovery_key, member->row_key, TL_XONLY_KEY_SIZE) != 0 &&
		 tl_crypto_xonly_key_check(member->recovery_key) == TL_OK);
}

static bool
is_same(TlSpan one, TlSpan other)
{
	return one.size == other.size && (one.size == 0 || memcmp(one.data, other.data, one.size) == 0);
}
