/*-------------------------------------------------------------------------
 *
 * chain_begin.c
 *	  With what the ledger of this database begins: genesis alone, or genesis
 *	  and the RESTART that it holds (chain_restart.c).
 *
 * The RESTART is a row of ledger_internal.restart.  Nothing of it is believed:
 * the chain id binds what was signed, so a row that was changed does not fit.
 * It is read as catalogs are, since who this node is has to be known where there
 * is no snapshot yet.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "fmgr.h"
#include "utils/rel.h"

#include "chain_begin.h"
#include "chain_statement.h"
#include "table_catalog.h"

/* Columns of ledger_internal.restart (sql/94_restart.sql). */
#define RESTART_BEGINS		1
#define RESTART_DOCUMENT	2

bool
tl_chain_begin_restart(TlRestart *out)
{
	Oid			oid = tl_table_catalog_own("restart");
	bool		found = false;
	Relation	relation;
	SysScanDesc scan;
	HeapTuple	row;

	if (!OidIsValid(oid))
		return false;
	relation = table_open(oid, AccessShareLock);
	scan = systable_beginscan(relation, InvalidOid, false, NULL, 0, NULL);
	while (!found && HeapTupleIsValid(row = systable_getnext(scan)))
	{
		TupleDesc	description = RelationGetDescr(relation);
		bool		is_null;
		Datum		value = heap_getattr(row, RESTART_BEGINS, description, &is_null);

		if (is_null || !DatumGetBool(value))
			continue;
		value = heap_getattr(row, RESTART_DOCUMENT, description, &is_null);
		if (!is_null)
			value = PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
		found = !is_null &&
			tl_consensus_restart_decode(out, tl_chain_span(value).data,
										tl_chain_span(value).size) == TL_OK;
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return found;
}

TlStatus
tl_chain_begin_check(TlGenesis *out, const TlHash *chain_id, TlSpan header,
					 TlSpan body)
{
	TlRestart	restart;
	TlStatus	status;

	status = tl_chain_genesis_check(out, chain_id, header.data, header.size,
									body.data, body.size);
	if (status == TL_OK || !tl_chain_begin_restart(&restart))
		return status;
	/* how many have signed it was judged when it was stored */
	status = tl_chain_restart_check(out, chain_id, header.data, header.size,
									&restart, 0);
	if (status == TL_OK && (restart.genesis.size != body.size ||
							memcmp(restart.genesis.data, body.data, body.size) != 0))
		status = TL_CHAIN_DAMAGED;
	return status;
}
