/*-------------------------------------------------------------------------
 *
 * node_settle.c
 *	  Settings of PostgreSQL in the processes of a node.
 *
 * ALTER DATABASE and ALTER ROLE set them for sessions, not for the worker and the
 * process of the wire.  Those that say how values are read and written are the same
 * at all members, since there CHECK constraints of shared tables judge the rows of
 * others.
 *
 * Their statements are few, each by an index, and run again and again.  So they are
 * planned once, and not for tables that were empty at the time.  What cannot do
 * without a scan has a cost then for which it would be compiled, so nothing is.
 * Scripts and calls of contracts pin their own (contract_run.c, contract_execute.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/guc.h"

#include "node_settle.h"

static const char *const settings[][2] = {
	{"array_nulls", "on"},
	{"bytea_output", "hex"},
	{"DateStyle", "ISO, MDY"},
	{"default_transaction_deferrable", "off"},
	{"default_transaction_isolation", "read committed"},
	{"default_transaction_read_only", "off"},
	{"enable_seqscan", "off"},
	{"extra_float_digits", "1"},
	{"IntervalStyle", "postgres"},
	{"jit", "off"},
	{"lock_timeout", "0"},
	{"max_parallel_workers_per_gather", "0"},
	{"plan_cache_mode", "force_generic_plan"},
	{"role", "none"},
	{"search_path", "pg_catalog, pg_temp"},
	{"TimeZone", "UTC"},
	{"timezone_abbreviations", "Default"},
	{"transform_null_equals", "off"},
	{"xmloption", "content"},
};

void
tl_node_settle(const char *application_name)
{
	SetConfigOption("application_name", application_name, PGC_USERSET, PGC_S_OVERRIDE);
	for (int i = 0; i < lengthof(settings); i++)
		SetConfigOption(settings[i][0], settings[i][1], PGC_SUSET, PGC_S_OVERRIDE);
}
