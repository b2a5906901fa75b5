/*-------------------------------------------------------------------------
 *
 * table_recheck.h
 *	  Refusals by OID, for statements whose names came to mean something else.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_RECHECK_H
#define TABLE_RECHECK_H

#include "catalog/objectaccess.h"

#include "table_access.h"

extern void tl_table_recheck(ObjectAccessType access, Oid class_id,
							 Oid object_id, int sub_id, void *argument,
							 const TlAccessFrame *frame);

#endif							/* TABLE_RECHECK_H */
