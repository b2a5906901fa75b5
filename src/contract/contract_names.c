/*-------------------------------------------------------------------------
 *
 * contract_names.c
 *	  Names of indexes, while a new version's script runs.
 *
 * A member may make indexes on a contract's tables, which lie in its schema, and
 * drop those of the contract that are not unique.  Either would decide here alone
 * whether a name is free, and how PostgreSQL calls what gets no name.  So while the
 * script runs, own indexes and those of the contract that are not unique have names
 * that no contract has, and an empty index holds each name that the contract has
 * ever given to one: those that are here, those that only this member has dropped,
 * and those that are gone everywhere.  They all lie on a table of an unknown name,
 * so nothing that the script drops takes one along.
 *
 * ledger_internal.contract_schema keeps these names.  Unique indexes are there at
 * all members, and free their names as they go, until that script has ended.
 *
 * Used with SPI connected, by who may read schema ledger_internal, while
 * tl_table_contract_running(), and on trial within what is rolled back.
 *
 * Locks
 *	  All tables of the contract, against own indexes that come or go meanwhile.
 *
 * Invariants
 *	  N1  which names a script finds free follows from the contract alone
 *	  N2  an index that a script finds is the contract's, or in the list of own ones
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "commands/tablecmds.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "chain_statement.h"
#include "contract_change.h"
#include "contract_run.h"

#define UNKNOWN_PREFIX	"ledger_own_index_"

/* An index that has another name meanwhile. */
typedef struct Hidden
{
	Oid			index;
	const char *name;
	bool		is_own;			/* this member has made it */
} Hidden;

static TlStatement select_tables = {
	"SELECT c.oid FROM pg_class AS c WHERE c.relnamespace = $1 AND c.relkind = 'r' ORDER BY 1",
	1, {OIDOID}
};
static TlStatement select_hidden = {
	"SELECT c.oid, c.relname::text, c.relname <> ALL (s.indexes)"
	" FROM pg_class AS c JOIN pg_index AS i ON i.indexrelid = c.oid JOIN pg_namespace AS n ON n.oid = c.relnamespace"
	" JOIN ledger_internal.contract_schema AS s ON s.schema = n.nspname"
	" WHERE n.oid = $1 AND (c.relname <> ALL (s.indexes) OR NOT (i.indisunique OR i.indisexclusion)) ORDER BY 2",
	1, {OIDOID}
};
static TlStatement select_free = {
	"SELECT i.name::text FROM ledger_internal.contract_schema AS s, pg_namespace AS n, LATERAL unnest(s.indexes) AS i (name)"
	" WHERE n.oid = $1 AND s.schema = n.nspname"
	" AND NOT EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = n.oid AND c.relname = i.name) ORDER BY 1",
	1, {OIDOID}
};
static TlStatement update_indexes = {
	"UPDATE ledger_internal.contract_schema AS s SET indexes = ARRAY(SELECT unnest(s.indexes)"
	" UNION SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = n.oid AND c.relkind = 'i'"
	" AND c.oid <> ALL ($2) ORDER BY 1)"
	" FROM pg_namespace AS n WHERE n.oid = $1 AND s.schema = n.nspname",
	2, {OIDOID, OIDARRAYOID}
};

static List *hidden = NIL;		/* of Hidden; in the context of whoever began */
static const char *holder = NULL;	/* the table of empty indexes */
static bool lost = false;		/* some of these stand for none that is here */

static void lock_tables(Oid schema);
static void hide(Oid schema);
static void hold(Oid schema);
static const char *unknown_name(void);
static void give_back(Oid schema, bool is_own);
static const char *free_name(const Hidden *one, Oid schema);

/* N1, N2 */
void
tl_contract_names_begin(Oid schema)
{
	lock_tables(schema);
	hide(schema);
	hold(schema);
}

/* CREATE INDEX waits for it, also CONCURRENTLY. */
static void
lock_tables(Oid schema)
{
	Datum		value = ObjectIdGetDatum(schema);
	uint64		count = tl_chain_execute(&select_tables, &value, NULL, false);
	SPITupleTable *found = SPI_tuptable;
	bool		is_null;

	for (uint64 i = 0; i < count; i++)
		LockRelationOid(DatumGetObjectId(SPI_getbinval(found->vals[i], found->tupdesc, 1, &is_null)),
						ShareUpdateExclusiveLock);
}

static void
hide(Oid schema)
{
	Datum		value = ObjectIdGetDatum(schema);
	uint64		count = tl_chain_execute(&select_hidden, &value, NULL, false);
	SPITupleTable *found = SPI_tuptable;
	bool		is_null;

	hidden = NIL;
	for (uint64 i = 0; i < count; i++)
	{
		Hidden	   *one = palloc(sizeof(Hidden));

		one->index = DatumGetObjectId(SPI_getbinval(found->vals[i], found->tupdesc, 1, &is_null));
		one->name = SPI_getvalue(found->vals[i], found->tupdesc, 2);
		one->is_own = DatumGetBool(SPI_getbinval(found->vals[i], found->tupdesc, 3, &is_null));
		hidden = lappend(hidden, one);
		RenameRelationInternal(one->index, unknown_name(), true, true);
	}
	CommandCounterIncrement();
}

static void
hold(Oid schema)
{
	Datum		value = ObjectIdGetDatum(schema);
	uint64		count = tl_chain_execute(&select_free, &value, NULL, false);
	SPITupleTable *found = SPI_tuptable;

	lost = count > 0;
	holder = quote_qualified_identifier(get_namespace_name(schema), unknown_name());
	tl_contract_run_statement(psprintf("CREATE TABLE %s () USING heap", holder));
	for (uint64 i = 0; i < count; i++)
		tl_contract_run_statement(psprintf("CREATE INDEX %s ON %s ((true)) WHERE false",
										   quote_identifier(SPI_getvalue(found->vals[i], found->tupdesc, 1)), holder));
}

/*
 * What the script has made is there to stay.  Own indexes get names while the
 * contract's are held.
 */
void
tl_contract_names_end(Oid schema)
{
	Datum	   *oids = palloc((list_length(hidden) + 1) * sizeof(Datum));
	Datum		values[2] = {ObjectIdGetDatum(schema)};
	ListCell   *cell;

	foreach(cell, hidden)
		oids[foreach_current_index(cell)] = ObjectIdGetDatum(((const Hidden *) lfirst(cell))->index);
	values[1] = PointerGetDatum(construct_array(oids, list_length(hidden), OIDOID, sizeof(Oid), true, TYPALIGN_INT));
	tl_chain_execute(&update_indexes, values, NULL, false);
	give_back(schema, true);
	tl_contract_run_statement(psprintf("DROP TABLE %s", holder));
	give_back(schema, false);
}

/* However the script has ended. */
void
tl_contract_names_forget(void)
{
	hidden = NIL;
	holder = NULL;
	lost = false;
}

/* May an index of the contract be gone, at this member or at another?  All members say the same. */
bool
tl_contract_names_lost(void)
{
	return lost;
}

/* What this member calls an index that it has made; NULL: it has not. */
const char *
tl_contract_names_own(Oid index)
{
	ListCell   *cell;

	foreach(cell, hidden)
	{
		const Hidden *one = lfirst(cell);

		if (one->index == index && one->is_own)
			return one->name;
	}
	return NULL;
}

/* No script can have it. */
static const char *
unknown_name(void)
{
	uint64		number;

	if (!pg_strong_random(&number, sizeof(number)))
		elog(ERROR, "could not generate random values");
	return psprintf(UNKNOWN_PREFIX UINT64_FORMAT, number);
}

/* Some may have gone with their tables and columns. */
static void
give_back(Oid schema, bool is_own)
{
	ListCell   *cell;

	foreach(cell, hidden)
	{
		const Hidden *one = lfirst(cell);

		if (one->is_own != is_own || get_rel_name(one->index) == NULL)
			continue;
		RenameRelationInternal(one->index, free_name(one, schema), true, true);
		CommandCounterIncrement();
	}
}

static const char *
free_name(const Hidden *one, Oid schema)
{
	const char *name;

	if (!one->is_own || !OidIsValid(get_relname_relid(one->name, schema)))
		return one->name;
	name = ChooseRelationName(one->name, NULL, "own", schema, false);
	ereport(LOG,
			errmsg("index \"%s\" of this member is called \"%s\" now", one->name, name),
			errdetail("A new version of contract \"%s\" has made something of that name.", get_namespace_name(schema)));
	return name;
}
