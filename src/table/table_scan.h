/*-------------------------------------------------------------------------
 *
 * table_scan.h
 *	  Scans of one ledger table along its ref index.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_SCAN_H
#define TABLE_SCAN_H

#include "executor/tuptable.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#include "table_ref.h"

typedef struct TlRefScan TlRefScan;

extern Oid	tl_table_scan_ref_index(Relation relation, bool missing_ok);
extern TlRefScan *tl_table_scan_open(Relation relation, Snapshot snapshot);
extern void tl_table_scan_start(TlRefScan *scan, const TlRefBytes *low,
								const TlRefBytes *high);
extern bool tl_table_scan_next(TlRefScan *scan, TlRefBytes *ref);
extern bool tl_table_scan_previous(TlRefScan *scan, TlRefBytes *ref);
extern TupleTableSlot *tl_table_scan_slot(TlRefScan *scan);
extern void tl_table_scan_close(TlRefScan *scan);

#endif							/* TABLE_SCAN_H */
