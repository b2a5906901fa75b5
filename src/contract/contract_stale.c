/*-------------------------------------------------------------------------
 *
 * contract_stale.c
 *	  When what was made of definitions has to be made anew.
 *
 * Plans (contract_plan.c) and CHECK constraints (contract_constraint.c) are kept from
 * block to block.  What they rest on changes seldom: a new version of the contract, an
 * index that this member makes or drops, a function that somebody replaces.  PostgreSQL
 * tells each process of that when it takes a lock, and here it is counted.  It is the
 * same that PostgreSQL's own plans are made anew for (plancache.c): any change of a
 * function, type, operator, operator class or schema, and of a table that was named here.
 *
 * A process hears of its own changes at once, and again if they are rolled back, with
 * their subtransaction or with all of the block.  If it has missed something it is told
 * that all has changed.
 *
 * The relations watched are never forgotten: they are those of the contracts.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "contract_stale.h"

static HTAB *watched = NULL;
static uint64 changes = 0;
static uint64 heard = 0;

static void on_object(Datum arg, int cache, uint32 hash);
static void on_relation(Datum arg, Oid relation);

/* From _PG_init, so that nothing is made before. */
void
tl_contract_stale_init(void)
{
	static const int caches[] = {PROCOID, TYPEOID, OPEROID, AMOPOPID, NAMESPACEOID};
	HASHCTL		control = {.keysize = sizeof(Oid),.entrysize = sizeof(Oid),.hcxt = TopMemoryContext};

	watched = hash_create("telco_ledger tables of plans", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	for (size_t i = 0; i < lengthof(caches); i++)
		CacheRegisterSyscacheCallback(caches[i], on_object, (Datum) 0);
	CacheRegisterRelcacheCallback(on_relation, (Datum) 0);
}

void
tl_contract_stale_watch(Oid relation)
{
	(void) hash_search(watched, &relation, HASH_ENTER, NULL);
}

uint64
tl_contract_stale_changes(void)
{
	return changes;
}

uint64
tl_contract_stale_heard(void)
{
	return heard;
}

bool
tl_contract_stale_is_good(const TlContractKept *kept)
{
	return kept->entries != NULL && kept->changes == changes;
}

/* Between blocks: what is prepared in one points to what is kept. */
void
tl_contract_stale_empty(TlContractKept *kept)
{
	HASHCTL		control = {.keysize = sizeof(Oid),.entrysize = kept->entry_size};

	kept->entries = NULL;
	if (kept->context == NULL)
		kept->context = AllocSetContextCreate(TopMemoryContext, "telco_ledger definitions", ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(kept->context);
	MemoryContextSetIdentifier(kept->context, kept->name);
	control.hcxt = kept->context;
	kept->entries = hash_create(kept->name, 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	kept->changes = changes;
}

static void
on_object(Datum arg, int cache, uint32 hash)
{
	changes++;
}

/* InvalidOid: of all. */
static void
on_relation(Datum arg, Oid relation)
{
	heard++;
	if (!OidIsValid(relation) || hash_search(watched, &relation, HASH_FIND, NULL) != NULL)
		changes++;
}
