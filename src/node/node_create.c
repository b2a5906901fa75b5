/*-------------------------------------------------------------------------
 *
 * node_create.c
 *	  ledger.create_node(): this database becomes a ledger of one member.
 *
 * In one transaction: the signing key (a file), genesis (its body names the
 * member, its header binds the body, its hash is the chain id), snapshot 0,
 * the node's row, and a definition for every ledger table that exists.
 *
 * Snapshot 0 sees what had finished before.  No row of a ledger table is among
 * that, because next_ref() issues no refs without a node; the tables are
 * checked to be empty all the same, for restored rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "chain_begin.h"
#include "chain_statement.h"
#include "node_block.h"
#include "node_identity.h"
#include "node_key.h"
#include "node_shared.h"
#include "node_worker.h"
#include "table_access.h"
#include "table_catalog.h"
#include "table_create.h"
#include "table_definition.h"
#include "tl_compat.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_create_node);
PG_FUNCTION_INFO_V1(tl_make_key);
PG_FUNCTION_INFO_V1(tl_create_member);
PG_FUNCTION_INFO_V1(tl_join_chain);

#define FOUNDER		1			/* number of the first member */

/* What genesis consists of, as bytes and as values. */
typedef struct Founding
{
	TlGenesis	genesis;
	uint8_t		body[TL_GENESIS_BODY_SIZE_MAX];
	size_t		body_size;
	TlBlockHeader header;
	uint8_t		header_bytes[TL_BLOCK_HEADER_SIZE];
	TlHash		chain_id;
} Founding;

static TlStatement insert_node = {
	"INSERT INTO ledger_internal.node (name, member, incarnation, purpose, chain_id, nonce,"
	" public_key, genesis_header, genesis_body, system_identifier, database_oid, created_at)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, now())",
	11, {TEXTOID, INT8OID, INT4OID, TEXTOID, BYTEAOID, BYTEAOID, BYTEAOID,
	BYTEAOID, BYTEAOID, INT8OID, OIDOID}
};

static void check_name(const text *name);
static TlPurpose parse_purpose(const char *purpose);
static void check_database(void);
static char *first_filled(void);
static void add_member(Founding *founding, const text *name,
					   const uint8_t *public_key);
static void found(Founding *founding, int64_t time);
static void store_node(const Founding *founding, const text *name,
					   uint32_t member, const char *purpose,
					   const uint8_t public_key[TL_XONLY_KEY_SIZE]);
static text *begin(Founding *founding, const text *name, uint32_t member,
				   const char *purpose, bool ordered, TlNodeHead *head,
				   const uint8_t public_key[TL_XONLY_KEY_SIZE]);
static void store_genesis(TlNodeHead *head, const Founding *founding, bool ordered);
static void store_first_snapshot(void);

/* ledger.create_node(name text, purpose text, ordered boolean, recovery_key bytea) -> text */
Datum
tl_create_node(PG_FUNCTION_ARGS)
{
	text	   *name;
	char	   *purpose;
	TlPurpose	purpose_code;
	Founding   *founding = palloc0(sizeof(Founding));
	TlNodeHead *head = palloc0(sizeof(TlNodeHead));
	uint8_t		public_key[TL_XONLY_KEY_SIZE];

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	name = PG_GETARG_TEXT_PP(0);
	purpose = text_to_cstring(PG_GETARG_TEXT_PP(1));
	purpose_code = parse_purpose(purpose);
	check_name(name);
	check_database();
	(void) tl_node_key_may_sign(purpose_code == TL_PURPOSE_TEST, ERROR);
	tl_node_key_create(public_key, head->secret);
	tl_chain_genesis_init(&founding->genesis, purpose_code);
	add_member(founding, name, public_key);
	if (!PG_ARGISNULL(3))
		tl_node_key_put_recovery(&founding->genesis.members[0], PG_GETARG_BYTEA_PP(3));
	found(founding, tl_chain_time_to_unix(GetCurrentTimestamp()));
	PG_RETURN_TEXT_P(begin(founding, name, FOUNDER, purpose, PG_GETARG_BOOL(2), head, public_key));
}

/* ledger_internal.make_key() -> bytea: a new signing key's public half */
Datum
tl_make_key(PG_FUNCTION_ARGS)
{
	uint8_t		public_key[TL_XONLY_KEY_SIZE];
	uint8_t		secret[TL_SECRET_SIZE];

	tl_node_key_create(public_key, secret);
	explicit_bzero(secret, sizeof(secret));
	PG_RETURN_DATUM(tl_chain_bytes(public_key, sizeof(public_key)));
}

/*
 * ledger_internal.create_member(names text[], row_keys bytea[], member bigint,
 *		founded timestamptz, ordered boolean) -> text
 * One of several founders of a test ledger; who gives the same names, keys and
 * time gets the same chain.
 */
Datum
tl_create_member(PG_FUNCTION_ARGS)
{
	ArrayType  *names = PG_GETARG_ARRAYTYPE_P(0);
	ArrayType  *keys = PG_GETARG_ARRAYTYPE_P(1);
	int64		member = PG_GETARG_INT64(2);
	Founding   *founding = palloc0(sizeof(Founding));
	TlNodeHead *head = palloc0(sizeof(TlNodeHead));
	Datum	   *name;
	Datum	   *key;
	int			name_count;
	int			key_count;
	const uint8_t *own_key;

	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &name, NULL, &name_count);
	deconstruct_array(keys, BYTEAOID, -1, false, TYPALIGN_INT, &key, NULL, &key_count);
	if (name_count != key_count || name_count > TL_MEMBER_COUNT_MAX ||
		member < FOUNDER || member > name_count ||
		array_contains_nulls(names) || array_contains_nulls(keys))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("names, keys and the own number do not fit together"));
	check_database();
	tl_chain_genesis_init(&founding->genesis, TL_PURPOSE_TEST);
	for (int i = 0; i < name_count; i++)
	{
		if (VARSIZE_ANY_EXHDR(DatumGetPointer(key[i])) != TL_XONLY_KEY_SIZE)
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("a row key has 32 bytes"));
		check_name(DatumGetTextPP(name[i]));
		add_member(founding, DatumGetTextPP(name[i]),
				   (const uint8_t *) VARDATA_ANY(DatumGetPointer(key[i])));
	}
	own_key = founding->genesis.members[member - 1].row_key;
	tl_node_key_load(head->secret, own_key);
	found(founding, tl_chain_time_to_unix(PG_GETARG_TIMESTAMPTZ(3)));
	PG_RETURN_TEXT_P(begin(founding, DatumGetTextPP(name[member - 1]),
						   (uint32_t) member, "test", PG_GETARG_BOOL(4), head,
						   own_key));
}

/*
 * ledger_internal.join_chain(name text, member bigint, header bytea, body bytea,
 *		public_key bytea) -> text
 * A node of a ledger that others have founded, from its genesis.
 */
Datum
tl_join_chain(PG_FUNCTION_ARGS)
{
	text	   *name = PG_GETARG_TEXT_PP(0);
	int64		member = PG_GETARG_INT64(1);
	bytea	   *header = PG_GETARG_BYTEA_PP(2);
	bytea	   *body = PG_GETARG_BYTEA_PP(3);
	const uint8_t *public_key = (const uint8_t *) VARDATA_ANY(PG_GETARG_BYTEA_PP(4));
	Founding   *founding = palloc0(sizeof(Founding));
	TlNodeHead *head = palloc0(sizeof(TlNodeHead));
	bool		test;

	check_database();
	if (VARSIZE_ANY_EXHDR(header) != TL_BLOCK_HEADER_SIZE ||
		VARSIZE_ANY_EXHDR(body) > TL_GENESIS_BODY_SIZE_MAX ||
		tl_chain_block_decode(&founding->header, VARDATA_ANY(header),
							  TL_BLOCK_HEADER_SIZE) != TL_OK)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_BAD_FORMAT)),
				errmsg("this is not the first block of a ledger"));
	tl_chain_block_hash(&founding->chain_id, &founding->header);
	memcpy(founding->header_bytes, VARDATA_ANY(header), TL_BLOCK_HEADER_SIZE);
	founding->body_size = VARSIZE_ANY_EXHDR(body);
	memcpy(founding->body, VARDATA_ANY(body), founding->body_size);
	if (tl_chain_begin_check(&founding->genesis, &founding->chain_id,
							 tl_chain_span(PointerGetDatum(header)),
							 tl_chain_span(PointerGetDatum(body))) != TL_OK)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_BAD_FORMAT)),
				errmsg("the first block of the ledger does not fit its contents"),
				errhint("Ask for a new invitation."));
	test = founding->genesis.purpose == TL_PURPOSE_TEST;
	(void) tl_node_key_may_sign(test, ERROR);
	tl_node_key_load(head->secret, public_key);
	PG_RETURN_TEXT_P(begin(founding, name, (uint32_t) member, test ? "test" : "production",
						   true, head, public_key));
}

/* Store the first block and the node's own row; the chain id. */
static text *
begin(Founding *founding, const text *name, uint32_t member, const char *purpose,
	  bool ordered, TlNodeHead *head, const uint8_t public_key[TL_XONLY_KEY_SIZE])
{
	char	   *chain = palloc0(2 * TL_HASH_SIZE + 1);

	SPI_connect();
	store_node(founding, name, member, purpose, public_key);
	head->log.member = member;
	store_genesis(head, founding, ordered);
	store_first_snapshot();
	SPI_finish();
	explicit_bzero(head->secret, sizeof(head->secret));
	CacheInvalidateRelcacheByRelid(tl_node_relation("node", false));
	CommandCounterIncrement();
	tl_table_definition_write_missing();
	tl_node_worker_request_at_commit();
	hex_encode((char *) founding->chain_id.bytes, TL_HASH_SIZE, chain);
	return cstring_to_text(chain);
}

static void
check_name(const text *name)
{
	size_t		size = VARSIZE_ANY_EXHDR(name);

	if (size == 0 || size > TL_MEMBER_NAME_SIZE_MAX)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("name of the member has %zu bytes", size),
				errdetail("It must have 1 to %d.", TL_MEMBER_NAME_SIZE_MAX),
				errhint("Use the operator's TADIG code."));
}

static TlPurpose
parse_purpose(const char *purpose)
{
	if (strcmp(purpose, "production") == 0)
		return TL_PURPOSE_PRODUCTION;
	if (strcmp(purpose, "test") == 0)
		return TL_PURPOSE_TEST;
	ereport(ERROR,
			errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("unknown purpose \"%s\"", purpose),
			errhint("Use \"production\", or \"test\" for a ledger whose tables can be dropped."));
}

/* Could a node live here? */
static void
check_database(void)
{
	const TlNodeIdentity *identity = tl_node_identity();
	char	   *filled;

	PreventCommandIfReadOnly("ledger.create_node()");
	PreventCommandDuringRecovery("ledger.create_node()");
	if (identity->table.exists)
		ereport(ERROR,
				errcode(ERRCODE_DUPLICATE_OBJECT),
				errmsg("this database is already a ledger node"),
				errdetail("Its name is \"%s\".", identity->name));
	if (GetDatabaseEncoding() != PG_UTF8)
		ereport(ERROR,
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("a ledger needs a database with encoding UTF8"),
				errdetail("This one has %s.", GetDatabaseEncodingName()),
				errhint("Create a database with ENCODING 'UTF8' TEMPLATE template0."));
	tl_table_create_complete_all();
	filled = first_filled();
	if (filled != NULL)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("ledger table %s already holds rows", filled),
				errdetail("They carry the refs of another ledger, from a dump."),
				errhint("Start a new ledger in a database without them."));
}

/* A ledger table that has rows already, or NULL. */
static char *
first_filled(void)
{
	ListCell   *cell;

	foreach(cell, tl_table_catalog_tables())
		if (tl_table_access_has_rows(lfirst_oid(cell)))
			return quote_qualified_identifier(get_namespace_name(get_rel_namespace(lfirst_oid(cell))),
											  get_rel_name(lfirst_oid(cell)));
	return NULL;
}

/* Members are numbered in the order in which they are added. */
static void
add_member(Founding *founding, const text *name, const uint8_t *public_key)
{
	TlMember   *member = &founding->genesis.members[founding->genesis.member_count++];

	member->number = founding->genesis.member_count;
	member->kind = TL_MEMBER_VALIDATOR;
	member->name.data = (const uint8_t *) VARDATA_ANY(name);
	member->name.size = VARSIZE_ANY_EXHDR(name);
	memcpy(member->row_key, public_key, TL_XONLY_KEY_SIZE);
}

/* Genesis: body, header, chain id. */
static void
found(Founding *founding, int64_t time)
{
	TlWriter	writer;

	tl_writer_init(&writer, founding->body, sizeof(founding->body));
	tl_error_check(tl_chain_genesis_encode(&writer, &founding->genesis), "genesis");
	founding->body_size = writer.size;

	tl_error_check(tl_chain_genesis_header(&founding->header, &founding->genesis,
										   FOUNDER, time),
				   "genesis header");
	tl_chain_block_chain_id(&founding->chain_id, &founding->header);
	tl_writer_init(&writer, founding->header_bytes, sizeof(founding->header_bytes));
	tl_error_check(tl_chain_block_encode(&writer, &founding->header),
				   "genesis header");
}

static void
store_node(const Founding *founding, const text *name, uint32_t member,
		   const char *purpose, const uint8_t public_key[TL_XONLY_KEY_SIZE])
{
	uint8_t		nonce[TL_NONCE_SIZE] = {0};
	Datum		values[] = {
		PointerGetDatum(name),
		Int64GetDatum((int64) member),
		Int32GetDatum(0),
		CStringGetTextDatum(purpose),
		tl_chain_bytes(founding->chain_id.bytes, TL_HASH_SIZE),
		tl_chain_bytes(nonce, TL_NONCE_SIZE),
		tl_chain_bytes(public_key, TL_XONLY_KEY_SIZE),
		tl_chain_bytes(founding->header_bytes, TL_BLOCK_HEADER_SIZE),
		tl_chain_bytes(founding->body, founding->body_size),
		Int64GetDatum((int64) GetSystemIdentifier()),
		ObjectIdGetDatum(MyDatabaseId)
	};

	tl_chain_execute(&insert_node, values, NULL, false);
}

/* Block 0, and where nobody else is asked this member's FINALIZE for it. */
static void
store_genesis(TlNodeHead *head, const Founding *founding, bool ordered)
{
	head->log.chain_id = founding->chain_id;
	tl_merkle_range_init(&head->tip.history);
	tl_chain_store_block(&head->tip, &founding->header);
	if (!ordered)
		tl_node_block_finalize(head);
	else if (SPI_execute("INSERT INTO ledger_internal.order_mode DEFAULT VALUES",
						 false, 0) != SPI_OK_INSERT ||
			 SPI_execute("INSERT INTO ledger_internal.applied VALUES (0)",
						 false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not write ledger_internal.order_mode");
}

/* Snapshot 0: what had finished before this transaction. */
static void
store_first_snapshot(void)
{
	uint64_t	self = U64FromFullTransactionId(GetTopFullTransactionId());
	TlSnapshot	snapshot;
	int			position;

	tl_chain_snapshot_take(&snapshot, GetLatestSnapshot(), 0);
	/* a snapshot leaves out its own transaction, but others would list it */
	if (self < snapshot.xmax)
	{
		for (position = snapshot.in_progress_count;
			 position > 0 && snapshot.in_progress[position - 1] > self; position--)
			snapshot.in_progress[position] = snapshot.in_progress[position - 1];
		snapshot.in_progress[position] = self;
		snapshot.in_progress_count++;
	}
	tl_chain_store_snapshot(0, &snapshot, GetCurrentTimestamp());
}
