/*-------------------------------------------------------------------------
 *
 * contract_refusal.c
 *	  What a contract's script may not contain: gathered, with its line.
 *
 * Everything that is refused is told at once, so that an author need not come
 * back for each.  Strings are copied: they outlive the trial run of the script.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "contract_refusal.h"

static int	line_of(const char *source, int location);

void
tl_contract_refusals_init(TlRefusals *refusals, const char *source)
{
	refusals->source = source;
	refusals->statement = 0;
	refusals->depth = 0;
	refusals->list = NIL;
	refusals->context = CurrentMemoryContext;
}

/* A byte offset into the source; below 0 that of the statement counts. */
void
tl_contract_refuse(TlRefusals *refusals, int location, const char *construct,
				   const char *why, const char *instead)
{
	MemoryContext caller = MemoryContextSwitchTo(refusals->context);
	TlRefusal  *refusal;

	if (list_length(refusals->list) < TL_CONTRACT_REFUSALS_MAX)
	{
		refusal = palloc(sizeof(TlRefusal));
		refusal->line = line_of(refusals->source, location < 0 ? refusals->statement : location);
		refusal->construct = pstrdup(construct);
		refusal->why = pstrdup(why);
		refusal->instead = pstrdup(instead);
		refusals->list = lappend(refusals->list, refusal);
	}
	MemoryContextSwitchTo(caller);
}

int
tl_contract_count(const TlRefusals *refusals)
{
	return list_length(refusals->list);
}

static int
line_of(const char *source, int location)
{
	int			line = 1;

	for (int i = 0; i < location && source[i] != '\0'; i++)
		line += source[i] == '\n';
	return line;
}
