/*-------------------------------------------------------------------------
 *
 * telco_ledger.c
 *	  _PG_init: refuses to be loaded late, otherwise starts each floor.
 *
 * The guards of ledger tables are hooks, and finality needs shared memory and
 * workers: all of them must be there before the first session.  A library that
 * some session loads later would leave every other session without guards.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "contract_constraint.h"
#include "contract_meter.h"
#include "contract_planner.h"
#include "contract_stale.h"
#include "node_call.h"
#include "node_commit.h"
#include "node_deploy.h"
#include "node_identity.h"
#include "node_image.h"
#include "node_settings.h"
#include "node_shared.h"
#include "node_state.h"
#include "node_wire.h"
#include "node_worker.h"
#include "proof_progress.h"
#include "replication_status.h"
#include "table_guard.h"
#include "tl_error.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_NOT_PRELOADED)),
				errmsg("telco_ledger must be loaded by the server at start"),
				errdetail("It guards ledger tables in every session and runs background workers."),
				errhint("Add this line to postgresql.conf (behind other libraries, with a comma, if there are any), restart the server, and try again:\n"
						"shared_preload_libraries = 'telco_ledger'"));
	tl_node_settings_init();
	tl_table_init();
	if (IsBinaryUpgrade)
		return;					/* pg_upgrade: rows and definitions as they are */
	tl_node_identity_init();
	tl_node_shared_init();
	tl_proof_progress_init();
	tl_replication_status_init();
	tl_node_commit_init();
	tl_contract_meter_init();
	tl_contract_stale_init();
	tl_contract_constraint_init();
	tl_contract_planner_init();
	tl_node_call_init();
	tl_node_deploy_init();
	tl_node_state_init();
	tl_node_wire_init();
	tl_node_launcher_init();
	tl_node_image_init();
}
