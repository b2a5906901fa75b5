/*-------------------------------------------------------------------------
 *
 * contract_refusal.h
 *	  What a contract's script may not contain: gathered, with its line.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONTRACT_REFUSAL_H
#define CONTRACT_REFUSAL_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#define TL_CONTRACT_REFUSALS_MAX	100
#define TL_CONTRACT_DEPTH_MAX		128

typedef struct TlRefusal
{
	int			line;			/* of the source, from 1 */
	const char *construct;
	const char *why;
	const char *instead;
} TlRefusal;

/* A function that is judged once more at the end. */
typedef struct TlLateBody
{
	Oid			function;
	int			statement;		/* where it stands in the source */
} TlLateBody;

/* Those of one source. */
typedef struct TlRefusals
{
	const char *source;
	bool		is_change;		/* a new version: what is there may be changed */
	bool		migrating;		/* a statement of it changes rows of state */
	bool		is_stale;		/* what is compiled is from before it changed definitions */
	bool		is_judged;		/* all functions were judged since, and nothing was refused */
	Oid			schema;			/* of the contract */
	int64		height;			/* block in which the new version's script runs, and its time */
	TimestampTz time;
	int			statement;		/* offset of the statement looked at */
	int			depth;			/* in an expression of it */
	List	   *texts;			/* literals in what is looked at that are text for certain */
	bool		generated;		/* a statement that is not in the source is looked at */
	List	   *list;			/* of TlRefusal; those beyond the limit are counted only */
	int			count;
	struct HTAB *work;			/* what each function needs (contract_work.c) */
	List	   *bodies;			/* functions to be judged once more, and where they stand */
	MemoryContext context;		/* where they live */
} TlRefusals;

extern void tl_contract_refusals_init(TlRefusals *refusals, const char *source);
extern void tl_contract_refuse(TlRefusals *refusals, int location, const char *construct,
							   const char *why, const char *instead);
extern void tl_contract_refuse_within(TlRefusals *refusals, const char *where, const char *what,
									  const char *why, const char *instead);
extern int	tl_contract_count(const TlRefusals *refusals);
extern bool tl_contract_is_listed(const char *const *list, size_t count, const char *name);

#endif							/* CONTRACT_REFUSAL_H */
