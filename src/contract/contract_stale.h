/*-------------------------------------------------------------------------
 *
 * contract_stale.h
 *	  When what was made of definitions has to be made anew.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_STALE_H
#define CONTRACT_STALE_H

#include "utils/hsearch.h"

/* What is kept from block to block, by the oid that its entries begin with. */
typedef struct TlContractKept
{
	const char *name;
	Size		entry_size;
	MemoryContext context;		/* of all that the entries point to */
	HTAB	   *entries;		/* NULL: nothing was kept yet */
	uint64		changes;		/* of which was heard before they were made */
} TlContractKept;

extern void tl_contract_stale_init(void);

/* May it be used in the block that begins?  If not it is to be emptied. */
extern bool tl_contract_stale_is_good(const TlContractKept *kept);
extern void tl_contract_stale_empty(TlContractKept *kept);

/* What is kept rests on this table, too; its lock is held. */
extern void tl_contract_stale_watch(Oid relation);

/* How many changes were heard of: what was made at another number is not used any more. */
extern uint64 tl_contract_stale_changes(void);

/* The same of all tables, watched or not. */
extern uint64 tl_contract_stale_heard(void);

#endif							/* CONTRACT_STALE_H */
