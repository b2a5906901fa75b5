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
	*refusals = (TlRefusals) {.source = source,.context = CurrentMemoryContext};
}

/* A byte offset into the source; below 0 that of the statement counts. */
void
tl_contract_refuse(TlRefusals *refusals, int location, const char *construct,
				   const char *why, const char *instead)
{
	MemoryContext caller = MemoryContextSwitchTo(refusals->context);
	TlRefusal  *refusal;

	refusals->count++;
	if (list_length(refusals->list) < TL_CONTRACT_REFUSALS_MAX)
	{
		refusal = palloc(sizeof(TlRefusal));
		refusal->line = line_of(refusals->source, location < 0 || refusals->generated ? refusals->statement : location);
		refusal->construct = pstrdup(construct);
		refusal->why = pstrdup(why);
		refusal->instead = pstrdup(instead);
		refusals->list = lappend(refusals->list, refusal);
	}
	MemoryContextSwitchTo(caller);
}

/* In a function, a view or the like, which is named: of such PostgreSQL keeps no places. */
void
tl_contract_refuse_within(TlRefusals *refusals, const char *where, const char *what,
						  const char *why, const char *instead)
{
	tl_contract_refuse(refusals, -1, psprintf("%s with %s", where, what), why, instead);
}

/* Those beyond the limit too: what is refused is not run. */
int
tl_contract_count(const TlRefusals *refusals)
{
	return refusals->count;
}

bool
tl_contract_is_listed(const char *const *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i], name) == 0)
			return true;
	return false;
}

static int
line_of(const char *source, int location)
{
	int			line = 1;

	for (int i = 0; i < location && source[i] != '\0'; i++)
		line += source[i] == '\n';
	return line;
}
