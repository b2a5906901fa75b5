/*-------------------------------------------------------------------------
 *
 * contract_setting.c
 *	  Settings that are pinned around scripts and calls.
 *
 * Whatever this server, database, role or session has: what a script or a call
 * means is the same at all members.  Which settings count is for each of those who
 * pin them to say (contract_run.c, contract_execute.c, contract_plpgsql.c); what goes
 * back when the level of settings ends, or with the subtransaction, is PostgreSQL's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/guc.h"

#include "contract_setting.h"

static void pin(const char *name, const char *value);

void
tl_contract_setting_pin(const TlSetting *settings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		pin(settings[i][0], settings[i][1]);
}

/* Names are looked up in the schema of the contract, behind pg_catalog. */
void
tl_contract_setting_path(const char *schema)
{
	pin("search_path", psprintf("%s, pg_temp", quote_identifier(schema)));
}

/* What has the value is left alone: for some settings it costs a file to read. */
static void
pin(const char *name, const char *value)
{
	const char *now = GetConfigOption(name, false, false);

	if (now == NULL || strcmp(now, value) != 0)
		(void) set_config_option(name, value, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}
