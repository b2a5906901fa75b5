/*-------------------------------------------------------------------------
 *
 * contract_group.h
 *	  Queries in the form in which all releases of PostgreSQL can be judged alike.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TL_CONTRACT_GROUP_H
#define TL_CONTRACT_GROUP_H

#include "nodes/parsenodes.h"

extern void tl_contract_group(Query *query);

#endif							/* TL_CONTRACT_GROUP_H */
