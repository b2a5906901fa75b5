/*-------------------------------------------------------------------------
 *
 * contract_names.c
 *	  Indexes of this member alone, while a new version's script runs.
 *
 * A member may make indexes on a contract's tables, which lie in its schema, and
 * drop those of the contract that are not unique.  Either would decide here alone
 * whether a name is free, and how PostgreSQL calls what gets no name.  So while the
 * script runs, own indexes have names that no contract has, and each index of the
 * contract that is gone has an empty one in its place.
 *
 * ledger_internal.contract_schema keeps the names of all indexes that any version
 * has made, also of those that are gone everywhere: who has dropped one before
 * cannot know which these are.
 *
 * Used with SPI connected, by who may read schema ledger_internal, while
 * tl_table_contract_running(), and on trial within what is rolled back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "commands/tablecmds.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "chain_statement.h"
#include "contract_change.h"
#include "contract_run.h"

#define OWN_PREFIX	"ledger_own_index_"

/* An index of this member, under its own name; or one that stands for one that is gone. */
typedef struct Local
{
	Oid			index;
	const char *name;			/* NULL: it goes when the script has ended */
} Local;

static TlStatement select_own = {
	"SELECT c.oid, c.relname::text FROM pg_class AS c, ledger_internal.contract_schema AS s, pg_namespace AS n"
	" WHERE n.oid = $1 AND s.schema = n.nspname AND c.relnamespace = n.oid AND c.relkind = 'i'"
	" AND c.relname <> ALL (s.indexes) ORDER BY 2",
	1, {OIDOID}
};
static TlStatement select_gone = {
	"SELECT i.name::text, (SELECT t.relname::text FROM pg_class AS t WHERE t.relnamespace = n.oid AND t.relkind = 'r'"
	" ORDER BY t.relpages, t.oid LIMIT 1)"
	" FROM ledger_internal.contract_schema AS s, pg_namespace AS n, LATERAL unnest(s.indexes) AS i (name)"
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

static List *locals = NIL;		/* of Local; in the context of whoever began */

static const char *unknown_name(void);
static void note(Oid index, const char *name);
static void give_back(Oid schema, const Local *local);

void
tl_contract_names_begin(Oid schema)
{
	Datum		value = ObjectIdGetDatum(schema);
	uint64		count = tl_chain_execute(&select_own, &value, NULL, false);
	SPITupleTable *found = SPI_tuptable;
	bool		is_null;

	locals = NIL;
	for (uint64 i = 0; i < count; i++)
	{
		Oid			index = DatumGetObjectId(SPI_getbinval(found->vals[i], found->tupdesc, 1, &is_null));

		note(index, SPI_getvalue(found->vals[i], found->tupdesc, 2));
		RenameRelationInternal(index, unknown_name(), true, true);
	}
	CommandCounterIncrement();
	count = tl_chain_execute(&select_gone, &value, NULL, false);
	found = SPI_tuptable;
	for (uint64 i = 0; i < count; i++)
	{
		const char *name = SPI_getvalue(found->vals[i], found->tupdesc, 1);
		const char *table = SPI_getvalue(found->vals[i], found->tupdesc, 2);

		if (table == NULL)
			continue;			/* the contract has no table at all */
		tl_contract_run_statement(psprintf("CREATE INDEX %s ON %s ((true)) WHERE false", quote_identifier(name),
										   quote_qualified_identifier(get_namespace_name(schema), table)));
		CommandCounterIncrement();
		note(get_relname_relid(name, schema), NULL);
	}
}

/* What the script has made is there to stay. */
void
tl_contract_names_end(Oid schema)
{
	Datum	   *oids = palloc((list_length(locals) + 1) * sizeof(Datum));
	Datum		values[2] = {ObjectIdGetDatum(schema)};
	ListCell   *cell;

	foreach(cell, locals)
		oids[foreach_current_index(cell)] = ObjectIdGetDatum(((const Local *) lfirst(cell))->index);
	values[1] = PointerGetDatum(construct_array(oids, list_length(locals), OIDOID, sizeof(Oid), true, TYPALIGN_INT));
	tl_chain_execute(&update_indexes, values, NULL, false);
	foreach(cell, locals)
		give_back(schema, lfirst(cell));
}

/* However the script has ended. */
void
tl_contract_names_forget(void)
{
	locals = NIL;
}

/* No script can have it. */
static const char *
unknown_name(void)
{
	uint64		number;

	if (!pg_strong_random(&number, sizeof(number)))
		elog(ERROR, "could not generate random values");
	return psprintf(OWN_PREFIX UINT64_FORMAT, number);
}

/* Was it made by this member, on whichever table? */
bool
tl_contract_names_is_local(Oid index)
{
	ListCell   *cell;

	foreach(cell, locals)
		if (((const Local *) lfirst(cell))->index == index)
			return true;
	return false;
}

static void
note(Oid index, const char *name)
{
	Local	   *local = palloc(sizeof(Local));

	local->index = index;
	local->name = name;
	locals = lappend(locals, local);
}

/* It may have gone with its column. */
static void
give_back(Oid schema, const Local *local)
{
	const char *name = local->name;

	if (get_rel_name(local->index) == NULL)
		return;
	if (name == NULL)
		tl_contract_run_statement(psprintf("DROP INDEX %s", quote_qualified_identifier(get_namespace_name(schema),
																					   get_rel_name(local->index))));
	else
	{
		if (OidIsValid(get_relname_relid(name, schema)))
		{
			name = ChooseRelationName(name, NULL, "own", schema, false);
			ereport(LOG,
					errmsg("index \"%s\" of this member is called \"%s\" now", local->name, name),
					errdetail("A new version of contract \"%s\" has made something of that name.", get_namespace_name(schema)));
		}
		RenameRelationInternal(local->index, name, true, true);
	}
	CommandCounterIncrement();
}
