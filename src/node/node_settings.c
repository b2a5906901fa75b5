/*-------------------------------------------------------------------------
 *
 * node_settings.c
 *	  The settings telco_ledger.*, in alphabetical order.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "postmaster/bgworker_internals.h"
#include "utils/guc.h"

#include "consensus_types.h"
#include "node_settings.h"
#include "proof_verify_sweep.h"
#include "replication_setting.h"

/*
 * The worker lets rows gather this long, so that a block is worth its flush;
 * negative: by what blocks cost (node_worker.c).
 */
int			tl_setting_batch_delay_ms = -1;

/* Whether COMMIT returns when the rows are final, not only durable here. */
int			tl_setting_commit_wait = TL_COMMIT_WAIT_OFF;

/* How long COMMIT waits for that; the transaction is committed either way. */
int			tl_setting_commit_wait_timeout_ms = 10000;

/*
 * Old images of rows of state tables cost as much as the rows, for each block that
 * changes them; whoever reads states of days ago needs them longer.
 */
int			tl_setting_keep_state_s = 3600;

/* Where signing keys lie: outside the data directory, so not in backups. */
char	   *tl_setting_key_directory = NULL;

/*
 * Views from its last final block on that a member remembers: no less than a
 * quorum of others needs for one.  Small values are for tests.
 */
int			tl_setting_order_views = 1024;

/* P22: small batches are ordered before q have acknowledged them. */
int			tl_setting_ack_wait_ms = 50;

/*
 * For whom what nobody needs any more is kept (rule P19 of src/consensus): whoever has
 * been silent for less, and is not more blocks behind.
 */
int			tl_setting_retain_time_s = 86400;
int			tl_setting_retain_blocks = 1000000;

/* How often everything is read again in the background; 0 turns it off. */
int			tl_setting_scrub_period_s = 0;

/*
 * What is shown is written in one go by the worker, which applies nothing meanwhile; so
 * only whose DBA has agreed with the one that asks can be made to do that.
 */
bool		tl_setting_show_state = false;

static const struct config_enum_entry commit_wait_options[] = {
	{"off", TL_COMMIT_WAIT_OFF, false},
	{"final", TL_COMMIT_WAIT_FINAL, false},
	{NULL, 0, false}
};

static void define_keeping(void);
static void define_order(void);

void
tl_node_settings_init(void)
{
	DefineCustomIntVariable("telco_ledger.batch_delay",
							"Time that the worker lets committed rows gather between two blocks.",
							"A longer delay makes fewer and larger blocks; rows become final later by as much. -1 lets it follow the time that a block takes, and ends it when a session waits for finality.",
							&tl_setting_batch_delay_ms,
							-1, -1, 10000,
							PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomEnumVariable("telco_ledger.commit_wait",
							 "What COMMIT waits for after it has written ledger rows.",
							 "With \"final\" it returns when all rows of the transaction are in a final block.",
							 &tl_setting_commit_wait,
							 TL_COMMIT_WAIT_OFF, commit_wait_options,
							 PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("telco_ledger.commit_wait_timeout",
							"Longest time that COMMIT waits for finality.",
							"When it is over, COMMIT succeeds with a WARNING: the rows are committed, but not known to be final. 0 waits without limit.",
							&tl_setting_commit_wait_timeout_ms,
							10000, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);
	define_keeping();
	DefineCustomStringVariable("telco_ledger.key_directory",
							   "Directory of the files that hold signing keys.",
							   "Must not lie in the data directory. Empty means .telco_ledger in the home directory of the server's operating system user.",
							   &tl_setting_key_directory,
							   "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY,
							   NULL, NULL, NULL);
	DefineCustomIntVariable("telco_ledger.order_views",
							"Views after its last final block that a member follows at one time.",
							"Log rows beyond wait until the next block is final. It takes effect when the server starts, which remembers more if own votes lie beyond.",
							&tl_setting_order_views,
							1024, 8, TL_CONSENSUS_VIEWS_MAX,
							PGC_POSTMASTER, GUC_NOT_IN_SAMPLE,
							NULL, NULL, NULL);
	DefineCustomIntVariable("telco_ledger.scrub_period",
							"Time within which a background process reads and verifies the whole ledger.",
							"Problems go to the server's log, each run to ledger.verification. 0 turns it off.",
							&tl_setting_scrub_period_s,
							0, 0, INT_MAX / 1000,
							PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
	DefineCustomBoolVariable("telco_ledger.show_state",
							 "Whether the contents of all state tables are written and shown to members who run ledger.take_state().",
							 "While they are being written no block is applied here. Switch it on for a member that asks for it, and off afterwards.",
							 &tl_setting_show_state,
							 false,
							 PGC_SIGHUP, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("telco_ledger.verify_workers",
							"Background workers that one ledger.verify() may use beside its own process.",
							"They are taken from max_parallel_workers and max_worker_processes.",
							&tl_proof_verify_workers,
							2, 0, MAX_PARALLEL_WORKER_LIMIT,
							PGC_USERSET, 0,
							NULL, NULL, NULL);
	DefineCustomStringVariable("telco_ledger.wire_conninfo",
							   "Connection string of this ledger's wire database.",
							   "It belongs on a server of its own. Empty means a database beside the ledger's, with its name and _wire behind it, for trying things out.",
							   &tl_replication_wire_conninfo,
							   "",
							   PGC_SUSET, GUC_SUPERUSER_ONLY,
							   NULL, NULL, NULL);
	define_order();
	MarkGUCPrefixReserved("telco_ledger");
}

/* How long what nobody needs any more is kept. */
static void
define_keeping(void)
{
	DefineCustomIntVariable("telco_ledger.keep_bodies",
							"Time for which the bodies of applied batches are kept beside the rows of shared tables.",
							"After that they are dropped, at or below a stable checkpoint, in this database and in its wire, and made again from the tables for members who lack them. -1 keeps them for ever.",
							&tl_replication_keep_bodies_s,
							86400, -1, INT_MAX / 2,
							PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
	DefineCustomIntVariable("telco_ledger.keep_messages",
							"Time for which rows of the members' logs are kept, here and in the wire, once no start needs them.",
							"After that votes, proposals, certificates and acknowledgements are dropped; who was away for longer takes final blocks from others. -1 keeps them for ever.",
							&tl_replication_keep_messages_s,
							2592000, -1, INT_MAX / 2,
							PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
	DefineCustomIntVariable("telco_ledger.keep_state",
							"Time for which it can be shown what state tables were, by ledger.as_of() and to members that take a state.",
							"So long the old images of rows that blocks change are kept, beside the tables. 0 keeps none, -1 keeps them for ever.",
							&tl_setting_keep_state_s,
							3600, -1, INT_MAX / 2,
							PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
}

/* Of several members: when rows are acknowledged, and for whom logs are kept. */
static void
define_order(void)
{
	DefineCustomIntVariable("telco_ledger.ack_wait",
							"Time for which a small batch is waited for in a final block before this node acknowledges it.",
							"And small batches that it holds are ordered by it before a quorum has acknowledged them. 0 turns both off. It takes effect when the server starts.",
							&tl_setting_ack_wait_ms,
							50, 0, 1000,
							PGC_POSTMASTER, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomIntVariable("telco_ledger.retain_blocks",
							"Blocks that a member may be behind before this one drops what consensus needs no more.",
							"Whoever is further behind takes the blocks themselves. 0 is no limit. It takes effect when the server starts.",
							&tl_setting_retain_blocks,
							1000000, 0, INT_MAX,
							PGC_POSTMASTER, 0,
							NULL, NULL, NULL);
	DefineCustomIntVariable("telco_ledger.retain_time",
							"Time for which a silent member is waited for before this one drops what consensus needs no more.",
							"It is never shorter than the time after which a member counts as inactive, ten seconds. It takes effect when the server starts.",
							&tl_setting_retain_time_s,
							86400, 0, INT_MAX / 2,
							PGC_POSTMASTER, GUC_UNIT_S,
							NULL, NULL, NULL);
}
