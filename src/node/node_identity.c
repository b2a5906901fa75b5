/*-------------------------------------------------------------------------
 *
 * node_identity.c
 *	  Who this database is on its ledger: the one row of ledger_internal.node.
 *
 * Read once per backend and kept until the row changes (its writers send a
 * relcache invalidation), because every issued ref asks for it.  That there is
 * no row is kept for a statement only, since the row may come with a restored
 * dump.
 *
 * Invariants
 *	  N1  the purpose comes from the genesis body, and that body is bound by
 *		  the genesis header whose hash is the chain id; a changed row of
 *		  ledger_internal.node cannot turn a production ledger into a test
 *	  N2  a row that names another server or database is a copy: it issues no
 *		  refs and signs nothing
 *	  N3  nor does a database that lacks a block which this member has signed
 *		  (node_mark.c).  The mark is read before the chain, and written after
 *		  it, so a database that is well is never taken for an older one
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "chain_begin.h"
#include "chain_lookup.h"
#include "chain_statement.h"
#include "node_identity.h"
#include "tl_compat.h"
#include "tl_error.h"

/* Columns of ledger_internal.node (sql/40_chain.sql). */
enum
{
	NODE_NAME = 1,
	NODE_MEMBER,
	NODE_INCARNATION,
	NODE_PURPOSE,
	NODE_CHAIN_ID,
	NODE_NONCE,
	NODE_PUBLIC_KEY,
	NODE_GENESIS_HEADER,
	NODE_GENESIS_BODY,
	NODE_SYSTEM_IDENTIFIER,
	NODE_DATABASE_OID
};

/* Of ledger_internal.rejoin (sql/93_rejoin.sql). */
#define REJOIN_NUMBERED_AT	6

/* Of ledger_internal.restart (sql/94_restart.sql), never null. */
#define RESTART_BEGINS		1

/* Of ledger_internal.peer (sql/70_replication.sql). */
#define PEER_MEMBER			1
#define PEER_LEFT_AT		4
#define PEER_OBSERVES		6

static TlNodeIdentity identity;
static bool identity_valid = false;
static TimestampTz absent_since = 0;	/* statement that found no row, or 0 */
static Oid	identity_relation = InvalidOid;

static void identity_for_table(TlIdentity *out);
static void identity_invalidate(Datum arg, Oid relation);
static void identity_load(void);
static bool any_row(const char *name,
					bool (*is_one) (HeapTuple row, TupleDesc description));
static bool is_there(HeapTuple row, TupleDesc description);
static bool is_unnumbered(HeapTuple row, TupleDesc description);
static bool is_end(HeapTuple row, TupleDesc description);
static bool is_own_end(HeapTuple row, TupleDesc description);
static bool is_own_observer(HeapTuple row, TupleDesc description);
static bool is_own_peer(HeapTuple row, TupleDesc description);
static void check_mark(void);
static void identity_from_row(HeapTuple row, TupleDesc description);
static Datum column(HeapTuple row, TupleDesc description, int number);
static void copy_bytes(void *out, size_t size, Datum value, const char *what);
static bool purpose_is_test(HeapTuple row, TupleDesc description);

void
tl_node_identity_init(void)
{
	tl_table_identity_hook = identity_for_table;
}

static void
identity_for_table(TlIdentity *out)
{
	*out = tl_node_identity()->table;
}

/* A change of the row, or of anything if we do not know the table's OID. */
static void
identity_invalidate(Datum arg, Oid relation)
{
	if (relation == InvalidOid || identity_relation == InvalidOid ||
		relation == identity_relation)
	{
		identity_valid = false;
		absent_since = 0;
	}
}

/* OID of a table in ledger_internal. */
Oid
tl_node_relation(const char *name, bool missing_ok)
{
	Oid			schema;
	Oid			relation = InvalidOid;

	schema = get_namespace_oid("ledger_internal", missing_ok);
	if (OidIsValid(schema))
		relation = get_relname_relid(name, schema);
	if (!OidIsValid(relation) && !missing_ok)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_TABLE),
				errmsg("table ledger_internal.%s does not exist", name),
				errhint("Run CREATE EXTENSION telco_ledger CASCADE."));
	return relation;
}

/* Inside a transaction only. */
const TlNodeIdentity *
tl_node_identity(void)
{
	static bool registered = false;

	if (!registered)
	{
		CacheRegisterRelcacheCallback(identity_invalidate, (Datum) 0);
		registered = true;
	}
	if (!identity_valid && absent_since != GetCurrentStatementStartTimestamp())
		identity_load();
	return &identity;
}

/* The same, read anew. */
const TlNodeIdentity *
tl_node_identity_reload(void)
{
	identity_valid = false;
	absent_since = 0;
	return tl_node_identity();
}

static void
identity_load(void)
{
	Relation	relation;
	SysScanDesc scan;
	HeapTuple	row;

	memset(&identity, 0, sizeof(identity));
	absent_since = 0;
	identity_relation = InvalidOid;
	if (OidIsValid(get_extension_oid("telco_ledger", true)))
		identity_relation = tl_node_relation("node", true);
	if (!OidIsValid(identity_relation))
		return;					/* ask again: CREATE EXTENSION may follow */

	/* set before reading: an invalidation that arrives meanwhile must win */
	identity_valid = true;
	relation = table_open(identity_relation, AccessShareLock);
	scan = systable_beginscan(relation, InvalidOid, false, NULL, 0, NULL);
	row = systable_getnext(scan);
	if (HeapTupleIsValid(row))
		identity_from_row(row, RelationGetDescr(relation));
	else
	{
		identity_valid = false;
		absent_since = GetCurrentStatementStartTimestamp();
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	/* who writes that row invalidates this one */
	identity.ordered = identity.table.exists && any_row("order_mode", is_there);
	if (identity.table.exists && !identity.table.copied)
		check_mark();
	identity.rejoining = identity.table.exists && any_row("rejoin", is_unnumbered);
	identity.table.rolled_back |= identity.rejoining;
	identity.table.left = identity.table.exists && any_row("peer", is_own_end);
	identity.table.ended = identity.table.exists && any_row("restart", is_end);
	identity.table.observes = identity.table.exists && any_row("peer", is_own_observer);
}

/* Has a table of ledger_internal a row of that kind? */
static bool
any_row(const char *name, bool (*is_one) (HeapTuple row, TupleDesc description))
{
	Oid			oid = tl_node_relation(name, true);
	bool		found = false;
	Relation	relation;
	SysScanDesc scan;
	HeapTuple	row;

	if (!OidIsValid(oid))
		return false;
	relation = table_open(oid, AccessShareLock);
	scan = systable_beginscan(relation, InvalidOid, false, NULL, 0, NULL);
	while (!found && HeapTupleIsValid(row = systable_getnext(scan)))
		found = is_one(row, RelationGetDescr(relation));
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return found;
}

/* Any row. */
static bool
is_there(HeapTuple row, TupleDesc description)
{
	return true;
}

/* A row of ledger_internal.rejoin has no number yet (node_order_rejoin.c). */
static bool
is_unnumbered(HeapTuple row, TupleDesc description)
{
	bool		is_null;

	(void) heap_getattr(row, REJOIN_NUMBERED_AT, description, &is_null);
	return is_null;
}

/* A RESTART that does not begin this ledger ends it (node_restart.c). */
static bool
is_end(HeapTuple row, TupleDesc description)
{
	bool		is_null;

	return !DatumGetBool(heap_getattr(row, RESTART_BEGINS, description, &is_null));
}

/* The own row of ledger_internal.peer, since the epoch that began without it. */
static bool
is_own_end(HeapTuple row, TupleDesc description)
{
	bool		is_null;

	(void) heap_getattr(row, PEER_LEFT_AT, description, &is_null);
	return !is_null && is_own_peer(row, description);
}

/* The same row, while the members have this one observe. */
static bool
is_own_observer(HeapTuple row, TupleDesc description)
{
	bool		is_null;
	Datum		observes = heap_getattr(row, PEER_OBSERVES, description, &is_null);

	return !is_null && DatumGetBool(observes) && is_own_peer(row, description);
}

static bool
is_own_peer(HeapTuple row, TupleDesc description)
{
	bool		is_null;
	Datum		member = heap_getattr(row, PEER_MEMBER, description, &is_null);

	return !is_null && DatumGetInt64(member) == (int64) identity.table.member;
}

/* N3; a standby lags behind, and is asked again when it is promoted. */
static void
check_mark(void)
{
	TlMark		mark;

	if (RecoveryInProgress())
		identity_valid = false;
	else if (!IsBinaryUpgrade &&
			 tl_node_mark_read(&mark, identity.public_key))
		identity.table.rolled_back = (mark.ordered && !identity.ordered) ||
			!tl_node_identity_has_signed(&mark, identity.table.incarnation);
}

/* Does the stored chain, of this incarnation, reach to the mark? */
bool
tl_node_identity_has_signed(const TlMark *mark, uint16_t incarnation)
{
	TlHash		hash;

	if (mark->incarnation != incarnation)
		return mark->incarnation < incarnation;
	return tl_chain_lookup_block_hash(&hash, (int64_t) mark->height) &&
		memcmp(&hash, &mark->hash, sizeof(hash)) == 0;
}

static void
identity_from_row(HeapTuple row, TupleDesc description)
{
	int64		system = DatumGetInt64(column(row, description, NODE_SYSTEM_IDENTIFIER));
	Oid			database = DatumGetObjectId(column(row, description, NODE_DATABASE_OID));

	copy_bytes(identity.chain_id.bytes, TL_HASH_SIZE,
			   column(row, description, NODE_CHAIN_ID), "chain_id");
	copy_bytes(identity.nonce, TL_NONCE_SIZE,
			   column(row, description, NODE_NONCE), "nonce");
	copy_bytes(identity.public_key, TL_XONLY_KEY_SIZE,
			   column(row, description, NODE_PUBLIC_KEY), "public_key");
	strlcpy(identity.name,
			TextDatumGetCString(column(row, description, NODE_NAME)),
			sizeof(identity.name));
	identity.table.member =
		(uint32_t) DatumGetInt64(column(row, description, NODE_MEMBER));
	identity.table.incarnation =
		(uint16_t) DatumGetInt32(column(row, description, NODE_INCARNATION));
	identity.table.test = purpose_is_test(row, description);
	identity.table.copied = database != MyDatabaseId ||
		(uint64) system != GetSystemIdentifier();
	identity.table.chain_id = identity.chain_id;
	identity.table.exists = true;
}

static Datum
column(HeapTuple row, TupleDesc description, int number)
{
	bool		is_null;
	Datum		value = heap_getattr(row, number, description, &is_null);

	if (is_null)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("column %d of ledger_internal.node is null", number),
				errhint("Restore a backup of the database: who the node is stands there only."));
	return value;
}

static void
copy_bytes(void *out, size_t size, Datum value, const char *what)
{
	bytea	   *bytes = DatumGetByteaPP(value);

	if (VARSIZE_ANY_EXHDR(bytes) != size)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("column %s of ledger_internal.node has the wrong size", what),
				errhint("Restore a backup of the database: who the node is stands there only."));
	memcpy(out, VARDATA_ANY(bytes), size);
}

/* N1: what genesis says, not what the column `purpose` shows to people. */
static bool
purpose_is_test(HeapTuple row, TupleDesc description)
{
	bytea	   *header = DatumGetByteaPP(column(row, description, NODE_GENESIS_HEADER));
	bytea	   *body = DatumGetByteaPP(column(row, description, NODE_GENESIS_BODY));
	TlGenesis	genesis;
	TlStatus	status;

	status = tl_chain_begin_check(&genesis, &identity.chain_id,
								  tl_chain_span(PointerGetDatum(header)),
								  tl_chain_span(PointerGetDatum(body)));
	if (status != TL_OK)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("the genesis in ledger_internal.node does not fit its chain id"),
				errdetail("Somebody has changed it: %s.", tl_status_text(status)),
				errhint("Restore the row from a backup or a receipt."));
	return genesis.purpose == TL_PURPOSE_TEST;
}
