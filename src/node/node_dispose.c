/*-------------------------------------------------------------------------
 *
 * node_dispose.c
 *	  ledger.dispose(): the end of a test ledger at this node.
 *
 * Drops every ledger table, empties the stored chain and removes the node's
 * row, in one transaction.  The database can then become a node again.  Only a
 * ledger whose genesis says that it is a test comes to an end this way.
 *
 * The worker's rounds, the process of the wire and whoever else reads what is
 * stored are waited for while none of its tables is locked against them, as they
 * lock them in orders of their own.  When the worker gets in again it finds no
 * node and leaves.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"

#include "chain_statement.h"
#include "node_identity.h"
#include "node_worker.h"
#include "table_definition.h"
#include "table_guard.h"
#include "tl_error.h"

#define LOCK_TRIES		1000	/* after that the server decides who gives way */
#define LOCK_PAUSE_US	10000

PG_FUNCTION_INFO_V1(tl_dispose);

/* Everything that a node has stored, the node's own row last. */
#define STORED_TABLES \
"ledger.table_version, ledger_internal.ledger_parent," \
" ledger_internal.snapshot, ledger_internal.block, ledger_internal.batch," \
" ledger_internal.section, ledger_internal.late_rows, ledger_internal.lagging," \
" ledger_internal.own_log, ledger_internal.own_vote, ledger_internal.own_log_summary, ledger_internal.log_summary," \
" ledger_internal.sparse_log, ledger_internal.needed_view," \
" ledger_internal.peer, ledger_internal.peer_log, ledger_internal.contradiction," \
" ledger_internal.loose_row, ledger_internal.quarantine, ledger_internal.peer_position, ledger_internal.wanted_chunk," \
" ledger_internal.peer_body, ledger_internal.fetched_body, ledger_internal.own_body," \
" ledger_internal.pruned, ledger_internal.asked_body, ledger_internal.rebuilt_body, ledger_internal.wire_mark," \
" ledger_internal.order_mode, ledger_internal.submitted, ledger_internal.block_order, ledger_internal.foreign_batch," \
" ledger_internal.applied, ledger_internal.state_take, ledger_internal.taken_piece," \
" ledger_internal.asked_state, ledger_internal.shown_state, ledger_internal.shown_piece, ledger_internal.shared_table, ledger_internal.table_state, ledger_internal.state," \
" ledger_internal.outcome, ledger_internal.call_outcome, ledger_internal.timer_run, ledger_internal.event, ledger_internal.state_image, ledger_internal.state_kept, ledger_internal.apply_stop," \
" ledger_internal.refused_row, ledger_internal.foreign_section, ledger_internal.foreign_rows," \
" ledger_internal.ordered_chunk, ledger_internal.decision, ledger_internal.skip, ledger_internal.contract, ledger_internal.contract_schema," \
" ledger_internal.epoch, ledger_internal.approval_asked, ledger_internal.trusted_block, ledger_internal.invitation, ledger_internal.key_wanted," \
" ledger_internal.restart, ledger_internal.checkpoint, ledger_internal.rejoin, ledger_internal.reply_given," \
" ledger_internal.signature_requirement, ledger_internal.rejected," \
" ledger_internal.node"

/* That, the ledger tables, and what lies in the schemas of contracts. */
static TlStatement select_all = {
	"SELECT unnest('{" STORED_TABLES "}'::regclass[])::oid"
	" UNION SELECT c.oid FROM pg_class AS c WHERE c.relkind IN ('r', 'p') AND ("
	"c.oid IN (SELECT relation FROM ledger_internal.ledger_table UNION SELECT relation FROM ledger_internal.ledger_parent)"
	" OR c.relnamespace IN (SELECT n.oid FROM pg_namespace AS n JOIN ledger_internal.contract_schema AS s ON s.schema = n.nspname))"
};

static TlStatement select_tables = {
	"SELECT coalesce(string_agg(relation::regclass::text, ', '), '') FROM ("
	" SELECT relation FROM ledger_internal.ledger_table"
	" WHERE relation <> 'ledger.table_version'::regclass"
	" UNION SELECT relation FROM ledger_internal.ledger_parent) t"
	" JOIN pg_class c ON c.oid = t.relation"
};

static TlStatement select_schemas = {
	"SELECT string_agg(quote_ident(n.nspname), ', ') FROM ledger_internal.contract_schema AS s"
	" JOIN pg_namespace AS n ON n.nspname = s.schema HAVING count(*) > 0"
};

static void check_disposable(void);
static void drop_everything(void);
static void lock_all(void);
static bool try_lock(const Oid *tables, uint64 count);
static void run(const char *statement);

/* ledger.dispose() -> void */
Datum
tl_dispose(PG_FUNCTION_ARGS)
{
	/* one at a time; who reads is not in the way yet */
	LockRelationOid(tl_node_relation("node", false), ShareUpdateExclusiveLock);
	check_disposable();
	tl_table_guard_suspend();
	PG_TRY();
	{
		SPI_connect();
		drop_everything();
		SPI_finish();
	}
	PG_FINALLY();
	{
		tl_table_guard_resume();
	}
	PG_END_TRY();
	CacheInvalidateRelcacheByRelid(tl_node_relation("node", false));
	tl_node_worker_end_at_commit();
	PG_RETURN_VOID();
}

static void
check_disposable(void)
{
	const TlNodeIdentity *identity = tl_node_identity();

	if (!identity->table.exists)
		tl_error_not_a_node();
	if (!identity->table.test)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_APPEND_ONLY)),
				errmsg("cannot dispose of a production ledger"),
				errdetail("Its purpose is fixed in the genesis block."),
				errhint("Drop the database if it is no longer needed; receipts stay valid."));
}

static void
drop_everything(void)
{
	char	   *tables;

	lock_all();
	tl_chain_execute(&select_tables, NULL, NULL, true);
	tables = TextDatumGetCString(tl_chain_result(0, 0, NULL));
	if (tables[0] != '\0')
		run(psprintf("DROP TABLE %s CASCADE", tables));
	if (tl_chain_execute(&select_schemas, NULL, NULL, true) > 0)
		run(psprintf("DROP SCHEMA %s CASCADE",
					 TextDatumGetCString(tl_chain_result(0, 0, NULL))));
	run("TRUNCATE " STORED_TABLES);
	/* ledger.table_version is the extension's, and stays a ledger table */
	run("DELETE FROM ledger_internal.ledger_table WHERE relation <> 'ledger.table_version'::regclass");
}

/*
 * Others hold some of it and go on to the rest, in any order: sessions, and this
 * node's own processes.  So nothing is held while something is waited for.
 */
static void
lock_all(void)
{
	uint64		count = tl_chain_execute(&select_all, NULL, NULL, true);
	Oid		   *tables = palloc(count * sizeof(Oid));

	for (uint64 i = 0; i < count; i++)
		tables[i] = DatumGetObjectId(tl_chain_result(i, 0, NULL));
	for (int i = 0; i < LOCK_TRIES && !try_lock(tables, count); i++)
	{
		CHECK_FOR_INTERRUPTS();
		pg_usleep(LOCK_PAUSE_US);
	}
}

/* All of them or none. */
static bool
try_lock(const Oid *tables, uint64 count)
{
	for (uint64 i = 0; i < count; i++)
	{
		if (ConditionalLockRelationOid(tables[i], AccessExclusiveLock))
			continue;
		while (i > 0)
			UnlockRelationOid(tables[--i], AccessExclusiveLock);
		return false;
	}
	return true;
}

static void
run(const char *statement)
{
	int			result = SPI_execute(statement, false, 0);

	if (result < 0)
		elog(ERROR, "could not run \"%s\": %s", statement,
			 SPI_result_code_string(result));
}
