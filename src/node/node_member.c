/*-------------------------------------------------------------------------
 *
 * node_member.c
 *	  Who belongs to this ledger, and motions that change it, for SQL.
 *
 * Members are those of genesis and what the decided motions in
 * ledger_internal.epoch have made of them; nothing else is kept of them, so
 * nothing else can be wrong.  What is decided is checked by the core
 * (src/consensus); the functions here only read and write its bytes, and say in
 * words what the core would refuse.
 *
 * Behind ledger.admit(), ledger.remove(), ledger.member and their like
 * (sql/92_member.sql).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "chain_genesis.h"
#include "chain_statement.h"
#include "consensus_epoch.h"
#include "node_key.h"
#include "node_order_epoch.h"
#include "node_order_store.h"
#include "tl_compat.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_members);
PG_FUNCTION_INFO_V1(tl_quorum);
PG_FUNCTION_INFO_V1(tl_leaf_parts);
PG_FUNCTION_INFO_V1(tl_motion_parts);
PG_FUNCTION_INFO_V1(tl_make_leaf);
PG_FUNCTION_INFO_V1(tl_make_change);
PG_FUNCTION_INFO_V1(tl_make_notice);
PG_FUNCTION_INFO_V1(tl_make_skip);

/* number, name, kind, roles, row key, recovery key */
#define LEAF_COLUMNS	6
#define RECOVERY_COLUMN	5

static const char *const kinds[] = {"validator", "participant", "observer"};

static TlStatement select_genesis = {
	"SELECT genesis_body FROM ledger_internal.node", 0, {0}
};
static TlStatement select_motions = {
	"SELECT height, motion FROM ledger_internal.epoch ORDER BY epoch", 0, {0}
};

/* A member that is or was. */
typedef struct Known
{
	uint32_t	number;
	uint8_t		leaf[TL_MEMBER_LEAF_SIZE_MAX];
	size_t		leaf_size;
	int64		since;			/* height */
	int64		left;			/* height, -1 if he is still there */
} Known;

static void load_config(TlConsensusConfig *config);
static List *known_of_genesis(TlSpan body);
static List *known_after(List *known, const TlMotion *motion, int64 height);
static Known *find_known(List *known, uint32_t number);
static void leaf_values(Datum *values, bool *nulls, const void *leaf, size_t size);
static Datum text_of(TlSpan span);
static Datum roles_of(const TlMember *member);
static void put_keys(TlMember *member, TlSpan row_key, const bytea *recovery_key);
static void put_roles(TlWriter *writer, TlMember *member, ArrayType *roles);
static void put_removed(TlWriter *writer, TlMotion *motion, ArrayType *numbers);
static void put_leaves(TlWriter *writer, TlMotion *motion, ArrayType *leaves);
static Datum make_motion(TlMotionKind kind, text *words, TlSpan subject);
static void check_change(const TlConsensusConfig *config, const TlMotion *motion);

/*
 * ledger_internal.members(): all that are or were, by number.  With a height: as
 * the block at it finds them.
 */
Datum
tl_members(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	List	   *known;
	ListCell   *cell;
	uint64		count;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	if (tl_chain_execute(&select_genesis, NULL, NULL, false) == 0)
	{
		SPI_finish();
		return (Datum) 0;		/* no node */
	}
	known = known_of_genesis(tl_chain_span(tl_chain_result(0, 0, NULL)));
	count = tl_chain_execute(&select_motions, NULL, NULL, false);
	for (uint64 i = 0; i < count; i++)
	{
		TlMotion	motion;
		TlSpan		bytes = tl_chain_span(tl_chain_result(i, 1, NULL));
		int64		height = DatumGetInt64(tl_chain_result(i, 0, NULL));

		if (PG_NARGS() > 0 && height >= PG_GETARG_INT64(0))
			break;
		tl_error_check(tl_consensus_motion_decode(&motion, bytes.data, bytes.size),
					   "stored motion");
		known = known_after(known, &motion, height);
	}
	foreach(cell, known)
	{
		const Known *one = lfirst(cell);
		Datum		values[LEAF_COLUMNS + 3];
		bool		nulls[LEAF_COLUMNS + 3] = {false};

		leaf_values(values, nulls, one->leaf, one->leaf_size);
		values[LEAF_COLUMNS] = Int64GetDatum(one->since);
		values[LEAF_COLUMNS + 1] = Int64GetDatum(one->left);
		nulls[LEAF_COLUMNS + 1] = one->left < 0;
		values[LEAF_COLUMNS + 2] = tl_chain_bytes(one->leaf, one->leaf_size);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	SPI_finish();
	return (Datum) 0;
}

/* ledger_internal.quorum(): NULL where there is no node */
Datum
tl_quorum(PG_FUNCTION_ARGS)
{
	TlConsensusConfig *config = palloc0(sizeof(TlConsensusConfig));
	unsigned	validators = 0;
	bool		found;

	SPI_connect();
	found = tl_chain_execute(&select_genesis, NULL, NULL, false) > 0;
	if (found)
	{
		tl_node_order_load_genesis(config);
		tl_node_order_epochs(config);
	}
	SPI_finish();
	if (!found)
		PG_RETURN_NULL();
	for (unsigned i = 0; i < config->member_count; i++)
		validators += config->members[i].validator;
	PG_RETURN_INT32((int32) tl_consensus_quorum(validators, config->quorum_of_three));
}

/* ledger_internal.leaf_parts(bytea) */
Datum
tl_leaf_parts(PG_FUNCTION_ARGS)
{
	TlSpan		leaf = tl_chain_span(PG_GETARG_DATUM(0));
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[LEAF_COLUMNS];
	bool		nulls[LEAF_COLUMNS] = {false};

	InitMaterializedSRF(fcinfo, 0);
	leaf_values(values, nulls, leaf.data, leaf.size);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	return (Datum) 0;
}

/* ledger_internal.motion_parts(bytea): no row if it is none */
Datum
tl_motion_parts(PG_FUNCTION_ARGS)
{
	TlSpan		bytes = tl_chain_span(PG_GETARG_DATUM(0));
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[7];
	bool		nulls[7] = {false};
	Datum	   *parts = palloc(sizeof(Datum) * (TL_MEMBER_COUNT_MAX + 1));
	TlMotion	motion;
	TlHash		digest;
	TlReader	reader;

	InitMaterializedSRF(fcinfo, 0);
	if (tl_consensus_motion_decode(&motion, bytes.data, bytes.size) != TL_OK ||
		!pg_verify_mbstr(PG_UTF8, (const char *) motion.text.data, (int) motion.text.size, true))
		return (Datum) 0;
	tl_consensus_motion_digest(&digest, bytes);
	values[0] = CStringGetTextDatum(motion.kind == TL_MOTION_CHANGE ? "change" :
									motion.kind == TL_MOTION_DEPLOY ? "deploy" : "skip");
	values[1] = Int64GetDatum((int64) motion.epoch);
	values[2] = text_of(motion.text);
	values[3] = tl_chain_bytes(digest.bytes, TL_HASH_SIZE);
	tl_reader_init(&reader, motion.removed.data, motion.removed.size);
	for (unsigned i = 0; i < motion.removed_count; i++)
		parts[i] = Int64GetDatum((int64) tl_get_u32(&reader));
	values[4] = PointerGetDatum(construct_array(parts, motion.removed_count, INT8OID, sizeof(int64),
												FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	tl_reader_init(&reader, motion.set.data, motion.set.size);
	for (unsigned i = 0; i < motion.set_count; i++)
	{
		TlSpan		leaf = tl_get_span(&reader, tl_get_u16(&reader));

		parts[i] = tl_chain_bytes(leaf.data, leaf.size);
	}
	values[5] = PointerGetDatum(construct_array(parts, motion.set_count, BYTEAOID, -1, false,
												TYPALIGN_INT));
	nulls[6] = motion.kind == TL_MOTION_CHANGE;
	values[6] = tl_chain_bytes(motion.subject.bytes, TL_HASH_SIZE);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	return (Datum) 0;
}

/* ledger_internal.make_leaf(member, name, kind, roles text[], row_key, recovery_key) -> bytea */
Datum
tl_make_leaf(PG_FUNCTION_ARGS)
{
	text	   *name;
	char	   *kind;
	uint8_t		roles[TL_MEMBER_ROLE_COUNT_MAX * (1 + TL_NAME_SIZE_MAX)];
	uint8_t		leaf[TL_MEMBER_LEAF_SIZE_MAX];
	TlMember	member = {.kind = 0};
	TlWriter	writer;
	TlStatus	status;

	for (int i = 0; i < RECOVERY_COLUMN; i++)
		if (PG_ARGISNULL(i))
			PG_RETURN_NULL();
	member.number = (uint32_t) PG_GETARG_INT64(0);
	name = PG_GETARG_TEXT_PP(1);
	kind = text_to_cstring(PG_GETARG_TEXT_PP(2));
	for (int i = 0; i < lengthof(kinds); i++)
		if (strcmp(kind, kinds[i]) == 0)
			member.kind = (uint8_t) (i + 1);
	if (member.kind == 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("unknown kind of member \"%s\"", kind),
				errhint("Use validator, participant or observer."));
	put_keys(&member, tl_chain_span(PG_GETARG_DATUM(4)),
			 PG_ARGISNULL(RECOVERY_COLUMN) ? NULL : DatumGetByteaPP(PG_GETARG_DATUM(RECOVERY_COLUMN)));
	member.name.data = (const uint8_t *) VARDATA_ANY(name);
	member.name.size = VARSIZE_ANY_EXHDR(name);
	tl_writer_init(&writer, roles, sizeof(roles));
	put_roles(&writer, &member, PG_GETARG_ARRAYTYPE_P(3));
	tl_writer_init(&writer, leaf, sizeof(leaf));
	status = tl_chain_member_encode(&writer, &member);
	if (status != TL_OK)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("no member can be called or described like this: %s", tl_status_text(status)),
				errdetail("A name has 1 to %d bytes and no control characters; a member has at most %d roles, each of 1 to %d bytes.",
						  TL_MEMBER_NAME_SIZE_MAX, TL_MEMBER_ROLE_COUNT_MAX, TL_NAME_SIZE_MAX),
				errhint("Choose a shorter name, without control characters, and other roles."));
	PG_RETURN_DATUM(tl_chain_bytes(leaf, writer.size));
}

/* A leaf holds more than the row key only if there is a recovery key. */
static void
put_keys(TlMember *member, TlSpan row_key, const bytea *recovery_key)
{
	if (row_key.size != TL_XONLY_KEY_SIZE)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("a row key has 32 bytes"),
				errdetail("This one has %zu.", row_key.size),
				errhint("ledger_internal.key_of(fingerprint) returns the key of a fingerprint."));
	memcpy(member->row_key, row_key.data, TL_XONLY_KEY_SIZE);
	if (recovery_key != NULL)
		tl_node_key_put_recovery(member, recovery_key);
}

/*
 * ledger_internal.make_change(text, removed bigint[], leaves bytea[]) -> bytea:
 * a motion for this epoch, both lists ascending; parameters stay as they are.
 */
Datum
tl_make_change(PG_FUNCTION_ARGS)
{
	text	   *why = PG_GETARG_TEXT_PP(0);
	TlConsensusConfig *config = palloc0(sizeof(TlConsensusConfig));
	TlMotion	motion = {.kind = TL_MOTION_CHANGE};
	uint8_t    *bytes = palloc(TL_MOTION_SIZE_MAX);
	uint8_t		numbers[4 * TL_MEMBER_COUNT_MAX];
	uint8_t    *leaves = palloc(TL_MOTION_SIZE_MAX);
	TlWriter	writer;

	load_config(config);
	motion.epoch = config->epoch;
	motion.text.data = (const uint8_t *) VARDATA_ANY(why);
	motion.text.size = VARSIZE_ANY_EXHDR(why);
	motion.quorum_of_three = config->quorum_of_three;
	motion.drift_ms = (uint32_t) (config->drift_us / 1000);
	motion.checkpoint_interval = config->checkpoint_interval;
	motion.protocol = Max(config->protocol, 1);
	tl_writer_init(&writer, numbers, sizeof(numbers));
	put_removed(&writer, &motion, PG_GETARG_ARRAYTYPE_P(1));
	tl_writer_init(&writer, leaves, TL_MOTION_SIZE_MAX);
	put_leaves(&writer, &motion, PG_GETARG_ARRAYTYPE_P(2));
	check_change(config, &motion);
	tl_writer_init(&writer, bytes, TL_MOTION_SIZE_MAX);
	tl_error_check(tl_consensus_motion_encode(&writer, &motion), "motion");
	PG_RETURN_DATUM(tl_chain_bytes(bytes, writer.size));
}

/* ledger_internal.make_notice(text, bytea) -> bytea: a motion of kind deploy */
Datum
tl_make_notice(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(make_motion(TL_MOTION_DEPLOY, PG_GETARG_TEXT_PP(0), tl_chain_span(PG_GETARG_DATUM(1))));
}

/* ledger_internal.make_skip(text, bytea) -> bytea: one of kind skip */
Datum
tl_make_skip(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(make_motion(TL_MOTION_SKIP, PG_GETARG_TEXT_PP(0), tl_chain_span(PG_GETARG_DATUM(1))));
}

static Datum
make_motion(TlMotionKind kind, text *words, TlSpan subject)
{
	TlConsensusConfig *config = palloc0(sizeof(TlConsensusConfig));
	TlMotion	motion = {.kind = kind};
	uint8_t    *bytes = palloc(TL_MOTION_SIZE_MAX);
	TlWriter	writer;

	if (subject.size != TL_HASH_SIZE)
		elog(ERROR, "a subject has %zu bytes", subject.size);
	load_config(config);
	motion.epoch = config->epoch;
	motion.text.data = (const uint8_t *) VARDATA_ANY(words);
	motion.text.size = VARSIZE_ANY_EXHDR(words);
	memcpy(motion.subject.bytes, subject.data, TL_HASH_SIZE);
	tl_writer_init(&writer, bytes, TL_MOTION_SIZE_MAX);
	tl_error_check(tl_consensus_motion_encode(&writer, &motion), "motion");
	return tl_chain_bytes(bytes, writer.size);
}

/* The members of now. */
static void
load_config(TlConsensusConfig *config)
{
	SPI_connect();
	tl_node_order_load_genesis(config);
	tl_node_order_epochs(config);
	SPI_finish();
}

static List *
known_of_genesis(TlSpan body)
{
	TlGenesis  *genesis = palloc(sizeof(TlGenesis));
	List	   *known = NIL;

	tl_error_check(tl_chain_genesis_decode(genesis, body.data, body.size), "genesis");
	for (unsigned i = 0; i < genesis->member_count; i++)
	{
		Known	   *one = palloc0(sizeof(Known));
		TlWriter	writer;

		tl_writer_init(&writer, one->leaf, sizeof(one->leaf));
		tl_error_check(tl_chain_member_encode(&writer, &genesis->members[i]), "member");
		one->number = genesis->members[i].number;
		one->leaf_size = writer.size;
		one->left = -1;
		known = lappend(known, one);
	}
	return known;
}

/* What a decided motion has made of them. */
static List *
known_after(List *known, const TlMotion *motion, int64 height)
{
	TlReader	reader;

	tl_reader_init(&reader, motion->removed.data, motion->removed.size);
	for (unsigned i = 0; i < motion->removed_count; i++)
	{
		Known	   *one = find_known(known, tl_get_u32(&reader));

		if (one != NULL)
			one->left = height;
	}
	tl_reader_init(&reader, motion->set.data, motion->set.size);
	for (unsigned i = 0; i < motion->set_count; i++)
	{
		TlSpan		leaf = tl_get_span(&reader, tl_get_u16(&reader));
		TlMember	member;
		Known	   *one;

		tl_error_check(tl_chain_member_decode(&member, leaf.data, leaf.size), "member");
		one = find_known(known, member.number);
		if (one == NULL)
		{
			one = palloc0(sizeof(Known));
			one->number = member.number;
			one->since = height;
			one->left = -1;
			known = lappend(known, one);
		}
		memcpy(one->leaf, leaf.data, leaf.size);
		one->leaf_size = leaf.size;
	}
	return known;
}

static Known *
find_known(List *known, uint32_t number)
{
	ListCell   *cell;

	foreach(cell, known)
		if (((Known *) lfirst(cell))->number == number)
			return lfirst(cell);
	return NULL;
}

static void
leaf_values(Datum *values, bool *nulls, const void *leaf, size_t size)
{
	TlMember	member;

	tl_error_check(tl_chain_member_decode(&member, leaf, size), "member");
	values[0] = Int64GetDatum((int64) member.number);
	values[1] = text_of(member.name);
	values[2] = CStringGetTextDatum(kinds[member.kind - 1]);
	values[3] = roles_of(&member);
	values[4] = tl_chain_bytes(member.row_key, TL_XONLY_KEY_SIZE);
	nulls[RECOVERY_COLUMN] = !member.has_keys;
	values[RECOVERY_COLUMN] = tl_chain_bytes(member.recovery_key, TL_XONLY_KEY_SIZE);
}

/* Bytes that others have chosen become text only if they are some. */
static Datum
text_of(TlSpan span)
{
	if (!pg_verify_mbstr(PG_UTF8, (const char *) span.data, (int) span.size, true))
		return CStringGetTextDatum("(not UTF-8)");
	return PointerGetDatum(cstring_to_text_with_len((const char *) span.data, (int) span.size));
}

static Datum
roles_of(const TlMember *member)
{
	Datum		roles[TL_MEMBER_ROLE_COUNT_MAX];
	TlReader	reader;

	tl_reader_init(&reader, member->roles.data, member->roles.size);
	for (int i = 0; i < member->role_count; i++)
		roles[i] = text_of(tl_get_span(&reader, tl_get_u8(&reader)));
	return PointerGetDatum(construct_array(roles, member->role_count, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

static void
put_roles(TlWriter *writer, TlMember *member, ArrayType *roles)
{
	Datum	   *role;
	bool	   *nulls;
	int			count;

	deconstruct_array(roles, TEXTOID, -1, false, TYPALIGN_INT, &role, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		size_t		size = nulls[i] ? 0 : VARSIZE_ANY_EXHDR(DatumGetPointer(role[i]));

		if (count > TL_MEMBER_ROLE_COUNT_MAX || size == 0 || size > TL_NAME_SIZE_MAX)
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("a member has at most %d roles, each of 1 to %d bytes",
						   TL_MEMBER_ROLE_COUNT_MAX, TL_NAME_SIZE_MAX),
					errhint("Give fewer roles, or shorter ones, none of them null."));
		tl_put_u8(writer, (uint8_t) size);
		tl_put_bytes(writer, VARDATA_ANY(DatumGetPointer(role[i])), size);
	}
	tl_error_check(tl_writer_finish(writer), "roles");
	member->role_count = (uint8_t) count;
	member->roles.data = writer->data;
	member->roles.size = writer->size;
}

static void
put_removed(TlWriter *writer, TlMotion *motion, ArrayType *numbers)
{
	Datum	   *number;
	int			count;

	deconstruct_array(numbers, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &number, NULL, &count);
	if (count > TL_MEMBER_COUNT_MAX)
		elog(ERROR, "%d members are to be removed", count);
	for (int i = 0; i < count; i++)
		tl_put_u32(writer, (uint32_t) DatumGetInt64(number[i]));
	tl_error_check(tl_writer_finish(writer), "members who leave");
	motion->removed_count = (uint8_t) count;
	motion->removed.data = writer->data;
	motion->removed.size = writer->size;
}

static void
put_leaves(TlWriter *writer, TlMotion *motion, ArrayType *leaves)
{
	Datum	   *leaf;
	int			count;

	deconstruct_array(leaves, BYTEAOID, -1, false, TYPALIGN_INT, &leaf, NULL, &count);
	if (count > TL_MEMBER_COUNT_MAX)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_TOO_LARGE)),
				errmsg("a ledger has at most %d members", TL_MEMBER_COUNT_MAX),
				errdetail("This change names %d.", count),
				errhint("Propose a change with fewer members."));
	for (int i = 0; i < count; i++)
	{
		TlSpan		span = tl_chain_span(leaf[i]);

		tl_put_u16(writer, (uint16_t) span.size);
		tl_put_bytes(writer, span.data, span.size);
	}
	tl_error_check(tl_writer_finish(writer), "members who join");
	motion->set_count = (uint8_t) count;
	motion->set.data = writer->data;
	motion->set.size = writer->size;
}

/* What the core would refuse, in words. */
static void
check_change(const TlConsensusConfig *config, const TlMotion *motion)
{
	TlHash		members;
	TlStatus	status = tl_consensus_epoch_check(config, motion, &members);

	if (status == TL_OK)
		return;
	ereport(ERROR,
			errcode(TL_ERRCODE(status)),
			errmsg("the members cannot be changed like this"),
			status == TL_BAD_ORDER ? errdetail("A new member's number must be higher than all that were ever given.") :
			status == TL_BAD_KEY ? errdetail("Two members would have the same key, or one a key that it had before.") :
			status == TL_TOO_LARGE ? errdetail("A ledger has at most %d members, and each of them has at most %d keys, one after the other.",
											   TL_MEMBER_COUNT_MAX, TL_MEMBER_KEYS_MAX) :
			errdetail("No validator would be left, or somebody is to leave who is no member."),
			status == TL_BAD_ORDER ? errhint("Invite the new member once more.") : 0);
}
