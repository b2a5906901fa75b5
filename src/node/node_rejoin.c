/*-------------------------------------------------------------------------
 *
 * node_rejoin.c
 *	  Going on after a restore: ledger.resume() and ledger.accept_restore().
 *
 * A database that came from a dump, an upgrade or a copy (identity: copied), or
 * that lacks blocks which its member has signed (rolled back), issues no refs
 * and signs nothing.  Either function opens a new incarnation of the member, in
 * one transaction: the node's row gets the next number, a new nonce and the
 * names of this server and database; a new log begins with REJOIN, which says
 * what is known here and what is known to be lost; a block orders that row.
 * Where consensus makes the blocks either only asks the others, and resume()
 * takes the place of the lost server; the process of the wire opens the
 * incarnation (node_order_rejoin.c).
 *
 * Refs cannot repeat, since they hold the incarnation.  Nor can views, and so
 * votes: the block takes a view beyond all that are known.  Rows with older
 * refs that are in no batch yet follow in the first batches of the new
 * incarnation, by the same rule as all others (chain_snapshot.h).
 *
 * resume() first completes tables that a dump left without id or index, and
 * verifies everything; what does not fit is named and refused.
 *
 * Locks: ShareRowExclusiveLock on ledger_internal.node lets one in at a time,
 * while others may read; where the node is live, AccessExclusiveLock keeps its
 * worker out.  ShareLock on every ledger table waits for transactions that have
 * written with refs of the incarnation that ends.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/snapmgr.h"

#include "chain_statement.h"
#include "consensus_rejoin.h"
#include "node_block.h"
#include "node_identity.h"
#include "node_key.h"
#include "node_mark.h"
#include "node_order_epoch.h"
#include "node_order_store.h"
#include "node_status.h"
#include "node_worker.h"
#include "table_catalog.h"
#include "table_create.h"
#include "table_definition.h"
#include "tl_compat.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_resume);
PG_FUNCTION_INFO_V1(tl_accept_restore);
PG_FUNCTION_INFO_V1(tl_incarnations);

/* The top bit of a ref's word stays free: snapshots are stored as bigint. */
#define INCARNATION_MAX		32767

/* Problems that an error message names. */
#define PROBLEMS_SHOWN_MAX	10

/* No vote at or below the view after the last one that is known. */
#define VIEW_STEP			2

static TlStatement count_prepared = {
	"SELECT count(*) FROM pg_catalog.pg_prepared_xacts WHERE database = current_database()"
};
static TlStatement select_origin = {
	"SELECT d.datname::text FROM ledger_internal.node n"
	" JOIN pg_catalog.pg_database d ON d.oid = n.database_oid"
	" WHERE n.system_identifier = $1 AND d.oid <> $2 AND d.datallowconn",
	2, {INT8OID, OIDOID}
};
static TlStatement select_problems = {
	"SELECT kind || coalesce(' ' || relation::text, '') || coalesce(' ' || ref::text, '')"
	" || coalesce(' at height ' || height, '')"
	" FROM ledger.verify(mode => 'full') WHERE kind <> 'disposed'"
};
static TlStatement update_node = {
	"UPDATE ledger_internal.node SET incarnation = $1, nonce = $2,"
	" system_identifier = $3, database_oid = $4",
	4, {INT4OID, BYTEAOID, INT8OID, OIDOID}
};
static TlStatement delete_rejoin = {
	"DELETE FROM ledger_internal.rejoin WHERE numbered_at IS NULL"
};
static TlStatement insert_rejoin = {
	"INSERT INTO ledger_internal.rejoin (nonce, cause, reason) VALUES ($1, $2, $3)",
	3, {BYTEAOID, INT2OID, TEXTOID}
};
static TlStatement tell_wire = {
	"SELECT ledger_internal.wire_changed()"
};
static TlStatement select_rejoins = {
	"SELECT l.message, b.height, b.time FROM ledger_internal.own_log l"
	" JOIN ledger_internal.block b ON b.height = l.height WHERE l.kind = $1"
	" ORDER BY l.incarnation",
	1, {INT2OID}
};

static const TlNodeIdentity *begin(const char *function);
static void check_key_free(const TlNodeIdentity *identity);
static void check_others(const TlNodeIdentity *identity);
static void check_origin_gone(void);
static void check_reason(const text *reason);
static void check_prepared(void);
static void lock_tables(void);
static uint32_t find_problems(bool accepted);
static int64 rejoin(const TlNodeIdentity *identity, TlRejoin *rejoin);
static void take_place(const TlNodeIdentity *identity);
static void go_on_or_ask(const TlRejoin *rejoin, bool observes);
static void ask_others(const TlRejoin *rejoin);
static void load_head(TlNodeHead *head, const TlNodeIdentity *identity);
static uint64_t fill_rejoin(TlRejoin *rejoin, const TlNodeHead *head,
							const TlNodeIdentity *identity);
static void store_node(const TlRejoin *rejoin);
static void put_incarnation(ReturnSetInfo *result, uint64 row);

/*
 * ledger.resume(reason, accept_problems) -> height of the block that says so; NULL
 * among several members, where that block is still to come
 */
Datum
tl_resume(PG_FUNCTION_ARGS)
{
	text	   *reason = PG_GETARG_TEXT_PP(0);
	bool		accept_problems = PG_GETARG_BOOL(1);
	const TlNodeIdentity *identity = begin("ledger.resume()");
	TlRejoin	payload;
	int64		height = 0;

	check_reason(reason);
	if (!identity->table.copied)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("this database is not a restored copy of a ledger node"),
				errdetail(identity->table.rolled_back ?
						  "It was restored to an older point of the same server." :
						  "Its own state names this server and database, so it just goes on."),
				identity->table.rolled_back ?
				errhint("Run SELECT ledger.accept_restore('reason').") : 0);
	memset(&payload, 0, sizeof(payload));
	payload.cause = TL_REJOIN_COPIED;
	payload.reason.data = (const uint8_t *) VARDATA_ANY(reason);
	payload.reason.size = VARSIZE_ANY_EXHDR(reason);
	check_others(identity);
	(void) tl_node_key_may_sign(identity->table.test, ERROR);
	SPI_connect();
	check_origin_gone();
	check_key_free(identity);
	check_prepared();
	tl_table_create_complete_all();
	lock_tables();
	/* what was committed while we waited must be seen */
	PushActiveSnapshot(GetLatestSnapshot());
	payload.problem_count = find_problems(accept_problems);
	if (identity->ordered)
	{
		bool		observes = identity->table.observes;

		take_place(identity);
		go_on_or_ask(&payload, observes);
	}
	else
		height = rejoin(tl_node_identity_reload(), &payload);
	PopActiveSnapshot();
	SPI_finish();
	tl_table_definition_write_missing();
	tl_node_worker_request_at_commit();
	if (height == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(height);
}

/*
 * ledger.accept_restore(reason) -> height of the block that says so; NULL among
 * several members, where that block is still to come
 */
Datum
tl_accept_restore(PG_FUNCTION_ARGS)
{
	text	   *reason = PG_GETARG_TEXT_PP(0);
	const TlNodeIdentity *identity = begin("ledger.accept_restore()");
	TlRejoin	payload;
	int64		height;

	check_reason(reason);
	if (identity->table.copied)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("this database is a copy of a ledger node"),
				errdetail("Its own state names another server or database."),
				errhint("Run SELECT ledger.resume(), which verifies the copy first."));
	if (identity->rejoining)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("this member is rejoining already"),
				errdetail("It waits for replies of the other members, or for a block that orders its REJOIN."),
				errhint("SELECT * FROM ledger.rejoin shows what it waits for."));
	check_others(identity);
	(void) tl_node_key_may_sign(identity->table.test, ERROR);
	check_key_free(identity);
	if (tl_table_identity_is_live(&identity->table))
	{
		LockRelationOid(tl_node_relation("node", false), AccessExclusiveLock);
		identity = tl_node_identity_reload();
	}
	memset(&payload, 0, sizeof(payload));
	payload.cause = TL_REJOIN_ROLLED_BACK;
	payload.reason.data = (const uint8_t *) VARDATA_ANY(reason);
	payload.reason.size = VARSIZE_ANY_EXHDR(reason);
	SPI_connect();
	check_prepared();
	lock_tables();
	if (identity->ordered)
	{
		go_on_or_ask(&payload, identity->table.observes);
		SPI_finish();
		tl_node_worker_request_at_commit();
		PG_RETURN_NULL();
	}
	PushActiveSnapshot(GetLatestSnapshot());
	height = rejoin(identity, &payload);
	PopActiveSnapshot();
	SPI_finish();
	tl_node_worker_request_at_commit();
	PG_RETURN_INT64(height);
}

/* One at a time; see who we are. */
static const TlNodeIdentity *
begin(const char *function)
{
	const TlNodeIdentity *identity;

	PreventCommandIfReadOnly(function);
	PreventCommandDuringRecovery(function);
	LockRelationOid(tl_node_relation("node", false), ShareRowExclusiveLock);
	identity = tl_node_identity_reload();
	if (!identity->table.exists)
		tl_error_not_a_node();
	return identity;
}

/* The worker of a database that is fenced is not the one that signs. */
static void
check_key_free(const TlNodeIdentity *identity)
{
	if (!tl_table_identity_is_live(&identity->table) &&
		tl_node_mark_in_use(identity->public_key))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_KEY_UNAVAILABLE)),
				errmsg("another database signs with the key of this member"),
				errdetail("Two databases that sign for one member would contradict each other."),
				errhint("Stop the other server or drop the other database for good, and try again."));
}

/* Where consensus makes the blocks, others say what this member has signed. */
static void
check_others(const TlNodeIdentity *identity)
{
	TlConsensusConfig *config = palloc0(sizeof(TlConsensusConfig));
	bool		found = !identity->ordered;
	TlMark		mark;

	if (!identity->ordered && tl_node_mark_read(&mark, identity->public_key) && mark.ordered)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("this database is from before consensus made the blocks of its ledger"),
				errdetail("The file beside the signing key says that others have been invited since. Blocks that this member made alone would contradict those that they have."),
				errhint("Restore a state from after the first invitation."));
	SPI_connect();
	if (!found)
	{
		tl_node_order_load_genesis(config);
		tl_node_order_epochs(config);
	}
	SPI_finish();
	for (unsigned i = 0; i < config->member_count; i++)
		found |= config->members[i].validator &&
			config->members[i].number != identity->table.member;
	if (!found)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("nobody can say what this member has signed since"),
				errdetail("Consensus makes the blocks of this ledger, and as far as is known here no other member belongs to it yet."),
				errhint("Restore the newest state."));
}

/* A copy within one server: its origin would go on beside it. */
static void
check_origin_gone(void)
{
	Datum		values[] = {
		Int64GetDatum((int64) GetSystemIdentifier()),
		ObjectIdGetDatum(MyDatabaseId)
	};

	if (tl_chain_execute(&select_origin, values, NULL, true) > 0)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_KEY_UNAVAILABLE)),
				errmsg("database \"%s\" of this server is the node that this one was copied from",
					   TextDatumGetCString(tl_chain_result(0, 0, NULL))),
				errdetail("Two databases that sign for one member would contradict each other."),
				errhint("Drop that database, or set ALLOW_CONNECTIONS false on it and restart the server."));
}

static void
check_reason(const text *reason)
{
	size_t		size = VARSIZE_ANY_EXHDR(reason);

	if (size == 0 || size > TL_REJOIN_REASON_SIZE_MAX)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("the reason has %zu bytes", size),
				errdetail("It must have 1 to %d: it is signed and stays on the ledger.",
						  TL_REJOIN_REASON_SIZE_MAX));
}

/* Their rows have refs of the incarnation that ends. */
static void
check_prepared(void)
{
	tl_chain_execute(&count_prepared, NULL, NULL, true);
	if (DatumGetInt64(tl_chain_result(0, 0, NULL)) > 0)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("there are prepared transactions in this database"),
				errhint("Commit them or roll them back first; pg_prepared_xacts shows them."));
}

static void
lock_tables(void)
{
	ListCell   *cell;

	foreach(cell, tl_table_catalog_tables())
		LockRelationOid(lfirst_oid(cell), ShareLock);
}

/* Verify everything; an error if something does not fit, unless told. */
static uint32_t
find_problems(bool accepted)
{
	uint64		count = tl_chain_execute(&select_problems, NULL, NULL, false);
	StringInfoData list;

	if (count == 0)
		return 0;
	initStringInfo(&list);
	for (uint64 i = 0; i < Min(count, PROBLEMS_SHOWN_MAX); i++)
		appendStringInfo(&list, "%s%s", i > 0 ? "\n" : "",
						 TextDatumGetCString(tl_chain_result(i, 0, NULL)));
	if (count > PROBLEMS_SHOWN_MAX)
		appendStringInfo(&list, "\nand %llu more",
						 (unsigned long long) (count - PROBLEMS_SHOWN_MAX));
	ereport(accepted ? WARNING : ERROR,
			errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
			errmsg_plural("%llu thing in this database does not fit the chain",
						  "%llu things in this database do not fit the chain",
						  count, (unsigned long long) count),
			errdetail_internal("%s", list.data),
			errhint("SELECT * FROM ledger.verify(mode => 'full') shows all of it. Restore a better copy; or go on with what there is: ledger.resume(reason, accept_problems => true)."));
	return (uint32_t) Min(count, PG_UINT32_MAX);
}

/* Open the new incarnation; the height of the block that orders REJOIN. */
static int64
rejoin(const TlNodeIdentity *identity, TlRejoin *rejoin)
{
	TlNodeHead *head = palloc0(sizeof(TlNodeHead));
	uint8_t		bytes[TL_REJOIN_SIZE_MAX];
	uint64_t	view;
	TlWriter	writer;
	TlSpan		payload;

	load_head(head, identity);
	view = fill_rejoin(rejoin, head, identity);
	rejoin->unbatched_rows = tl_node_status_pending(identity, rejoin->incarnation);
	if (rejoin->unbatched_rows > 0)
		ereport(NOTICE,
				errmsg("%llu committed rows were in no batch yet",
					   (unsigned long long) rejoin->unbatched_rows),
				errdetail("They keep their refs and follow in the first batches of incarnation %u.",
						  rejoin->incarnation));
	tl_writer_init(&writer, bytes, sizeof(bytes));
	tl_error_check(tl_consensus_rejoin_encode(&writer, rejoin), "REJOIN");
	payload.data = bytes;
	payload.size = writer.size;
	store_node(rejoin);
	head->incarnation = head->log.incarnation = rejoin->incarnation;
	memcpy(head->log.nonce, rejoin->nonce, TL_NONCE_SIZE);
	head->log.sequence = 0;
	memset(&head->log.digest, 0, sizeof(TlHash));
	tl_node_block_rejoin(head, view, payload);
	explicit_bzero(head->secret, sizeof(head->secret));
	CacheInvalidateRelcacheByRelid(tl_node_relation("node", false));
	CommandCounterIncrement();
	ForceSyncCommit();			/* a signature says that it is durable */
	return (int64) head->tip.header.height;
}

/* This server and database are the member's from now on, in its old incarnation. */
static void
take_place(const TlNodeIdentity *identity)
{
	TlRejoin	same = {.incarnation = identity->table.incarnation};

	memcpy(same.nonce, identity->nonce, TL_NONCE_SIZE);
	store_node(&same);
}

/* An observer has no log, so nothing of what it signed can be lost. */
static void
go_on_or_ask(const TlRejoin *rejoin, bool observes)
{
	/* a dump may have been made while one was under way: it is over */
	tl_chain_execute(&delete_rejoin, NULL, NULL, false);
	if (!observes)
		ask_others(rejoin);
	tl_chain_execute(&tell_wire, NULL, NULL, false);
	CacheInvalidateRelcacheByRelid(tl_node_relation("node", false));
	if (observes)
		ereport(NOTICE,
				errmsg("this member observes its ledger and goes on at once"),
				errdetail("It has no log, and so there is nothing that the others could say of it."));
}

/*
 * Among several members the others have to reply first: the process of the wire
 * does what there is to do (node_order_rejoin.c).
 */
static void
ask_others(const TlRejoin *rejoin)
{
	uint8_t		nonce[TL_NONCE_SIZE];
	Datum		values[3];

	if (!pg_strong_random(nonce, TL_NONCE_SIZE))
		ereport(ERROR,
				errcode(ERRCODE_INTERNAL_ERROR),
				errmsg("could not generate random bytes for a nonce"));
	values[0] = tl_chain_bytes(nonce, TL_NONCE_SIZE);
	values[1] = Int16GetDatum(rejoin->cause);
	values[2] = PointerGetDatum(cstring_to_text_with_len((const char *) rejoin->reason.data,
														 (int) rejoin->reason.size));
	tl_chain_execute(&insert_rejoin, values, NULL, false);
	ereport(NOTICE,
			errmsg("the other members are asked what they have seen of this one"),
			errhint("SELECT * FROM ledger.rejoin shows how far it is."));
}

static void
load_head(TlNodeHead *head, const TlNodeIdentity *identity)
{
	head->incarnation = head->log.incarnation = identity->table.incarnation;
	head->log.member = identity->table.member;
	head->log.chain_id = identity->chain_id;
	memcpy(head->log.nonce, identity->nonce, TL_NONCE_SIZE);
	tl_node_key_load(head->secret, identity->public_key);
	if (!tl_chain_store_load_tip(&head->tip))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("the stored chain has no beginning"),
				tl_error_hint_damaged());
	tl_replication_own_log_load(&head->log);
}

/* What is known and what is lost; returns the view to go on in. */
static uint64_t
fill_rejoin(TlRejoin *rejoin, const TlNodeHead *head,
			const TlNodeIdentity *identity)
{
	uint32_t	incarnation = identity->table.incarnation + 1;
	TlMark		mark;

	rejoin->before = identity->table.incarnation;
	memcpy(rejoin->nonce_before, identity->nonce, TL_NONCE_SIZE);
	rejoin->sequence = head->log.sequence;
	rejoin->digest = head->log.digest;
	rejoin->last.height = head->tip.header.height;
	rejoin->last.view = head->tip.header.view;
	rejoin->last.hash = head->tip.hash;
	if (tl_node_mark_read(&mark, identity->public_key) &&
		!tl_node_identity_has_signed(&mark, identity->table.incarnation))
	{
		rejoin->lost.height = mark.height;
		rejoin->lost.view = mark.view;
		rejoin->lost.hash = mark.hash;
		rejoin->lost_incarnation = mark.incarnation;
		incarnation = Max(incarnation, (uint32_t) mark.incarnation + 1);
	}
	if (incarnation > INCARNATION_MAX)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_TOO_LARGE)),
				errmsg("a member cannot have more than %d incarnations",
					   INCARNATION_MAX));
	rejoin->incarnation = (uint16_t) incarnation;
	if (!pg_strong_random(rejoin->nonce, TL_NONCE_SIZE))
		ereport(ERROR,
				errcode(ERRCODE_INTERNAL_ERROR),
				errmsg("could not generate random bytes for a nonce"));
	return Max(rejoin->last.view, rejoin->lost.view) + VIEW_STEP;
}

static void
store_node(const TlRejoin *rejoin)
{
	Datum		values[] = {
		Int32GetDatum(rejoin->incarnation),
		tl_chain_bytes(rejoin->nonce, TL_NONCE_SIZE),
		Int64GetDatum((int64) GetSystemIdentifier()),
		ObjectIdGetDatum(MyDatabaseId)
	};

	tl_chain_execute(&update_node, values, NULL, false);
}

/* ledger_internal.incarnations(): behind the view ledger.incarnation */
Datum
tl_incarnations(PG_FUNCTION_ARGS)
{
	Datum		kind = Int16GetDatum(TL_LOG_REJOIN);
	uint64		count;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	count = tl_chain_execute(&select_rejoins, &kind, NULL, true);
	for (uint64 i = 0; i < count; i++)
		put_incarnation((ReturnSetInfo *) fcinfo->resultinfo, i);
	SPI_finish();
	return (Datum) 0;
}

static void
put_incarnation(ReturnSetInfo *result, uint64 row)
{
	bytea	   *message = DatumGetByteaPP(tl_chain_result(row, 0, NULL));
	Datum		values[9];
	bool		nulls[9] = {false};
	TlLogRow	log_row;
	TlRejoin	rejoin;

	tl_error_check(tl_consensus_row_decode(&log_row, VARDATA_ANY(message),
										   VARSIZE_ANY_EXHDR(message)), "REJOIN");
	tl_error_check(tl_consensus_rejoin_decode(&rejoin, log_row.payload.data,
											  log_row.payload.size), "REJOIN");
	values[0] = Int32GetDatum(rejoin.incarnation);
	values[1] = tl_chain_result(row, 1, NULL);
	values[2] = tl_chain_result(row, 2, NULL);
	values[3] = CStringGetTextDatum(rejoin.cause == TL_REJOIN_COPIED ?
									"resume" : "accept_restore");
	values[4] = PointerGetDatum(cstring_to_text_with_len((const char *) rejoin.reason.data,
														 rejoin.reason.size));
	values[5] = Int64GetDatum((int64) rejoin.last.height);
	values[6] = Int64GetDatum((int64) rejoin.lost.height);
	nulls[6] = rejoin.lost.view == 0;
	values[7] = Int64GetDatum((int64) rejoin.unbatched_rows);
	values[8] = Int64GetDatum(rejoin.problem_count);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}
