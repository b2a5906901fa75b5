/*-------------------------------------------------------------------------
 *
 * node_restart.c
 *	  RESTART, for SQL: the document with which a ledger ends, and another begins.
 *
 * With fewer than a quorum left nothing becomes final any more.  Those who are
 * left say where the ledger ends and with whom it goes on, sign that with keys
 * that they keep offline, and begin a ledger with another chain id in databases
 * of their own (sql/94_restart.sql).  Bytes and rules X1 to X5 are those of
 * consensus_restart.c and chain_restart.c; what is here turns them into values
 * and says in sentences what does not hold.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/timestamp.h"

#include "chain_restart.h"
#include "chain_statement.h"
#include "chain_store.h"
#include "node_identity.h"
#include "node_worker.h"
#include "tl_compat.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_make_restart);
PG_FUNCTION_INFO_V1(tl_restart_parts);
PG_FUNCTION_INFO_V1(tl_add_restart_signature);
PG_FUNCTION_INFO_V1(tl_judge_restart);
PG_FUNCTION_INFO_V1(tl_stop_node);

#define PART_COLUMNS	12

/* The set that signs. */
typedef struct LastSet
{
	TlMember	members[TL_MEMBER_COUNT_MAX];
	int			count;
	TlRecoveryMember validators[TL_MEMBER_COUNT_MAX];
	unsigned	validator_count;
	TlHash		hash;
} LastSet;

static void read_document(TlRestart *out, bytea *document);
static void put_members(TlGenesis *genesis, ArrayType *leaves);
static Datum *elements(ArrayType *leaves, int *count);
static Datum signers_of(const TlRestart *restart);
static Datum leaves_of(const TlGenesis *genesis);
static void read_last_set(LastSet *out, ArrayType *leaves);
static void check_signers(const TlRestart *restart, const LastSet *last);
static Datum encoded(const TlRestart *restart);

/*
 * ledger_internal.make_restart(chain, last bytea, old genesis_body, leaves
 *		bytea[], founder bigint, at timestamptz, reason text) -> bytea
 * Unsigned.  The new ledger has the old one's purpose and parameters.
 */
Datum
tl_make_restart(PG_FUNCTION_ARGS)
{
	TlSpan		chain = tl_chain_span(PG_GETARG_DATUM(0));
	TlSpan		body = tl_chain_span(PG_GETARG_DATUM(2));
	TlGenesis  *genesis = palloc0(sizeof(TlGenesis));
	uint8_t    *bytes = palloc(TL_GENESIS_BODY_SIZE_MAX);
	TlRestart	restart = {.last = tl_chain_span(PG_GETARG_DATUM(1)),
	.founder = (uint32_t) PG_GETARG_INT64(4),
	.time = tl_chain_time_to_unix(PG_GETARG_TIMESTAMPTZ(5)),
	.reason = tl_chain_span(PG_GETARG_DATUM(6))};
	TlBlockHeader header;
	TlWriter	writer;
	TlStatus	status;

	if (chain.size != TL_HASH_SIZE)
		elog(ERROR, "a chain id has %zu bytes", chain.size);
	memcpy(restart.chain_id.bytes, chain.data, TL_HASH_SIZE);
	tl_error_check(tl_chain_genesis_decode(genesis, body.data, body.size), "genesis");
	put_members(genesis, PG_GETARG_ARRAYTYPE_P(3));
	tl_writer_init(&writer, bytes, TL_GENESIS_BODY_SIZE_MAX);
	tl_error_check(tl_chain_genesis_encode(&writer, genesis), "genesis of the new ledger");
	restart.genesis.data = bytes;
	restart.genesis.size = writer.size;
	if (restart.reason.size > TL_RESTART_REASON_SIZE_MAX)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("the reason has %zu bytes", restart.reason.size),
				errdetail("It can have %d.", TL_RESTART_REASON_SIZE_MAX),
				errhint("Say it in fewer words."));
	status = tl_chain_restart_open(genesis, &header, &restart, 0);
	if (status == TL_BAD_ORDER)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("the last block is later than this server's clock"),
				errhint("Set the clock right."));
	tl_error_check(status, "genesis of the new ledger");
	PG_RETURN_DATUM(encoded(&restart));
}

/* ledger_internal.restart_parts(document bytea): what it says */
Datum
tl_restart_parts(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	TlGenesis  *genesis = palloc0(sizeof(TlGenesis));
	Datum		values[PART_COLUMNS];
	bool		nulls[PART_COLUMNS] = {false};
	uint8_t		bytes[TL_BLOCK_HEADER_SIZE];
	TlRestart	restart;
	TlBlockHeader last;
	TlBlockHeader first;
	TlHash		last_hash;
	TlHash		digest;
	TlHash		chain_id;
	TlWriter	writer;

	InitMaterializedSRF(fcinfo, 0);
	read_document(&restart, PG_GETARG_BYTEA_PP(0));
	tl_error_check(tl_chain_block_decode(&last, restart.last.data, restart.last.size), "last block");
	tl_error_check(tl_chain_restart_open(genesis, &first, &restart, 0), "genesis of the new ledger");
	tl_error_check(tl_consensus_restart_digest(&digest, &restart), "document of a restart");
	tl_chain_block_hash(&last_hash, &last);
	tl_chain_block_hash(&chain_id, &first);
	tl_writer_init(&writer, bytes, sizeof(bytes));
	tl_error_check(tl_chain_block_encode(&writer, &first), "genesis of the new ledger");
	values[0] = tl_chain_bytes(restart.chain_id.bytes, TL_HASH_SIZE);
	values[1] = Int64GetDatum((int64) last.height);
	values[2] = tl_chain_bytes(last_hash.bytes, TL_HASH_SIZE);
	values[3] = TimestampTzGetDatum(tl_chain_time_from_unix(last.time));
	values[4] = PointerGetDatum(cstring_to_text_with_len((const char *) restart.reason.data,
														 (int) restart.reason.size));
	values[5] = tl_chain_bytes(digest.bytes, TL_HASH_SIZE);
	values[6] = signers_of(&restart);
	values[7] = tl_chain_bytes(chain_id.bytes, TL_HASH_SIZE);
	values[8] = TimestampTzGetDatum(tl_chain_time_from_unix(restart.time));
	values[9] = leaves_of(genesis);
	values[10] = tl_chain_bytes(bytes, writer.size);
	values[11] = tl_chain_bytes(restart.genesis.data, restart.genesis.size);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	return (Datum) 0;
}

/* ledger_internal.add_restart_signature(document, member bigint, signature) -> bytea */
Datum
tl_add_restart_signature(PG_FUNCTION_ARGS)
{
	uint32_t	member = (uint32_t) PG_GETARG_INT64(1);
	TlSpan		signature = tl_chain_span(PG_GETARG_DATUM(2));
	uint8_t		list[TL_MEMBER_COUNT_MAX * TL_RESTART_SIGNATURE_SIZE];
	bool		put = false;
	TlRestart	restart;
	TlWriter	writer;

	read_document(&restart, PG_GETARG_BYTEA_PP(0));
	if (signature.size != TL_SIGNATURE_SIZE)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("a signature has %d bytes", TL_SIGNATURE_SIZE),
				errdetail("This one has %zu.", signature.size),
				errhint("It is a BIP-340 signature of the document's digest."));
	tl_writer_init(&writer, list, sizeof(list));
	for (unsigned i = 0; i < restart.signature_count; i++)
	{
		uint8_t		other[TL_SIGNATURE_SIZE];
		uint32_t	signer;

		tl_error_check(tl_consensus_restart_get_signature(&signer, other, &restart, i),
					   "document of a restart");
		if (signer == member)
			PG_RETURN_DATUM(PG_GETARG_DATUM(0));
		if (signer > member && !put)
			tl_consensus_restart_put_signature(&writer, member, signature.data);
		put |= signer > member;
		tl_consensus_restart_put_signature(&writer, signer, other);
	}
	if (!put)
		tl_consensus_restart_put_signature(&writer, member, signature.data);
	tl_error_check(tl_writer_finish(&writer), "signatures of a restart");
	restart.signature_count++;
	restart.signatures.data = list;
	restart.signatures.size = writer.size;
	PG_RETURN_DATUM(encoded(&restart));
}

/*
 * ledger_internal.judge_restart(document, leaves bytea[], quorum_of_three integer)
 * An error unless those leaves are the set of its last block, and enough of them
 * have signed: X1 to X4.
 */
Datum
tl_judge_restart(PG_FUNCTION_ARGS)
{
	LastSet    *last = palloc0(sizeof(LastSet));
	TlGenesis  *genesis = palloc0(sizeof(TlGenesis));
	unsigned	quorum_of_three = (unsigned) PG_GETARG_INT32(2);
	TlBlockHeader header;
	TlRestart	restart;
	TlStatus	status;
	unsigned	needed;

	read_document(&restart, PG_GETARG_BYTEA_PP(0));
	read_last_set(last, PG_GETARG_ARRAYTYPE_P(1));
	check_signers(&restart, last);
	needed = tl_consensus_restart_quorum(last->validator_count, quorum_of_three);
	if (restart.signature_count < needed)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("the restart has %u of %u signatures", restart.signature_count, needed),
				errhint("SELECT digest FROM ledger.restart_contents(document) is what the others sign with their recovery keys; ledger.add_restart_signature() takes it."));
	status = tl_consensus_restart_judge(&restart, &restart.chain_id, &last->hash,
										last->validators, last->validator_count,
										quorum_of_three, tl_consensus_check_signature, NULL);
	if (status == TL_CHAIN_DAMAGED)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("the restart's last block is not of the members who sign it"),
				errhint("Prepare it anew: ledger.propose_restart()."));
	tl_error_check(status, "restart");
	status = tl_chain_restart_open(genesis, &header, &restart, last->validator_count);
	if (status == TL_BAD_ORDER)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("the new ledger is not one that these signatures may begin"),
				errdetail("It is older than the last block, or the one of two members who has signed is no validator of it."),
				errhint("Prepare it anew: ledger.propose_restart()."));
	tl_error_check(status, "genesis of the new ledger");
	PG_RETURN_VOID();
}

/*
 * ledger_internal.stop_node(): before a RESTART that ends this ledger is stored.
 * Waits for the worker's round; its processes leave at commit.
 */
Datum
tl_stop_node(PG_FUNCTION_ARGS)
{
	Oid			node = tl_node_relation("node", false);

	LockRelationOid(node, AccessExclusiveLock);
	CacheInvalidateRelcacheByRelid(node);
	tl_node_worker_end_at_commit();
	ForceSyncCommit();			/* others rely on it */
	PG_RETURN_VOID();
}

static void
read_document(TlRestart *out, bytea *document)
{
	TlSpan		bytes = tl_chain_span(PointerGetDatum(document));

	/* its reason becomes text */
	if (tl_consensus_restart_decode(out, bytes.data, bytes.size) != TL_OK ||
		!pg_verify_mbstr(PG_UTF8, (const char *) out->reason.data, (int) out->reason.size, true))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_BAD_FORMAT)),
				errmsg("this is no document of a restart"),
				errhint("Copy the whole text that ledger.propose_restart() has returned."));
}

/* In place of the old ledger's. */
static void
put_members(TlGenesis *genesis, ArrayType *leaves)
{
	int			count;
	Datum	   *leaf = elements(leaves, &count);

	genesis->member_count = (uint16_t) count;
	for (int i = 0; i < count; i++)
	{
		TlSpan		bytes = tl_chain_span(leaf[i]);

		tl_error_check(tl_chain_member_decode(&genesis->members[i], bytes.data, bytes.size),
					   "leaf of a member");
	}
}

/* From 1 to as many as a ledger can have members. */
static Datum *
elements(ArrayType *leaves, int *count)
{
	Datum	   *list;

	*count = ArrayGetNItems(ARR_NDIM(leaves), ARR_DIMS(leaves));
	if (array_contains_nulls(leaves) || *count == 0 || *count > TL_MEMBER_COUNT_MAX)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("a ledger has 1 to %d members", TL_MEMBER_COUNT_MAX),
				errdetail("There are %d leaves, or one of them is null.", *count),
				errhint("Name the members who stay: ledger.propose_restart()."));
	deconstruct_array(leaves, BYTEAOID, -1, false, TYPALIGN_INT, &list, NULL, count);
	return list;
}

static Datum
signers_of(const TlRestart *restart)
{
	Datum		numbers[TL_MEMBER_COUNT_MAX];

	for (unsigned i = 0; i < restart->signature_count; i++)
	{
		uint8_t		signature[TL_SIGNATURE_SIZE];
		uint32_t	member;

		tl_error_check(tl_consensus_restart_get_signature(&member, signature, restart, i),
					   "document of a restart");
		numbers[i] = Int64GetDatum((int64) member);
	}
	return PointerGetDatum(construct_array(numbers, restart->signature_count, INT8OID,
										   sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static Datum
leaves_of(const TlGenesis *genesis)
{
	Datum		leaves[TL_MEMBER_COUNT_MAX];

	for (int i = 0; i < genesis->member_count; i++)
	{
		uint8_t		bytes[TL_MEMBER_LEAF_SIZE_MAX];
		TlWriter	writer;

		tl_writer_init(&writer, bytes, sizeof(bytes));
		tl_error_check(tl_chain_member_encode(&writer, &genesis->members[i]), "leaf of a member");
		leaves[i] = tl_chain_bytes(bytes, writer.size);
	}
	return PointerGetDatum(construct_array(leaves, genesis->member_count, BYTEAOID, -1, false,
										   TYPALIGN_INT));
}

/* Their hash is in the header of the last block, so the keys are theirs. */
static void
read_last_set(LastSet *out, ArrayType *leaves)
{
	Datum	   *leaf = elements(leaves, &out->count);

	for (int i = 0; i < out->count; i++)
	{
		TlSpan		bytes = tl_chain_span(leaf[i]);
		TlMember   *member = &out->members[i];
		TlRecoveryMember *validator = &out->validators[out->validator_count];

		tl_error_check(tl_chain_member_decode(member, bytes.data, bytes.size), "leaf of a member");
		if (member->kind != TL_MEMBER_VALIDATOR)
			continue;
		validator->member = member->number;
		memcpy(validator->recovery_key, member->recovery_key, TL_XONLY_KEY_SIZE);
		out->validator_count++;
	}
	tl_error_check(tl_chain_members_hash(&out->hash, out->members, (unsigned) out->count),
				   "leaves of the members");
}

/* Each is a validator of that set, and has a recovery key. */
static void
check_signers(const TlRestart *restart, const LastSet *last)
{
	for (unsigned i = 0; i < restart->signature_count; i++)
	{
		uint8_t		signature[TL_SIGNATURE_SIZE];
		const TlMember *member;
		uint32_t	number;

		tl_error_check(tl_consensus_restart_get_signature(&number, signature, restart, i),
					   "document of a restart");
		member = tl_chain_member_find(last->members, (unsigned) last->count, number);
		if (member == NULL || member->kind != TL_MEMBER_VALIDATOR || !member->has_keys)
			ereport(ERROR,
					errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("member %u cannot sign a restart", number),
					errdetail("It was no validator of the last set, or has no recovery key there."),
					errhint("SELECT name, kind, recovery_key FROM ledger.member shows who can."));
	}
}

static Datum
encoded(const TlRestart *restart)
{
	size_t		size = 64 + TL_HASH_SIZE + restart->last.size + restart->genesis.size +
		restart->reason.size + restart->signatures.size;
	bytea	   *out = palloc(VARHDRSZ + size);
	TlWriter	writer;

	tl_writer_init(&writer, (uint8_t *) VARDATA(out), size);
	tl_error_check(tl_consensus_restart_encode(&writer, restart), "document of a restart");
	SET_VARSIZE(out, VARHDRSZ + writer.size);
	return PointerGetDatum(out);
}
