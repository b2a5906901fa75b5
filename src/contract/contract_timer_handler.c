/*-------------------------------------------------------------------------
 *
 * contract_timer_handler.c
 *	  Handlers of timers: what runs at a time, and what is made beside it.
 *
 * A function of a contract whose one argument is a ledger.timer is a handler.
 * Beside it deployment makes
 *
 *		<name>_timer	a state table of the timers that are set for it: their key,
 *						and when each is due
 *
 * So timers are state like any other: in the state root, in dumps, and read by
 * whoever may.  Only ledger.set_timer() and ledger.cancel_timer() change them
 * (contract_timer.c), and nothing refers to them, since a timer goes when it runs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "contract_timer.h"

Oid
tl_contract_timer_type(void)
{
	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("timer"),
						   ObjectIdGetDatum(get_namespace_oid("ledger", false)));
}

bool
tl_contract_timer_is_handler(Oid function)
{
	Oid			type = tl_contract_timer_type();
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc form;
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_proc) GETSTRUCT(tuple);
	result = form->pronargs > 0 && OidIsValid(type) && form->proargtypes.values[0] == type;
	ReleaseSysCache(tuple);
	return result;
}

/* The handler of that name, or InvalidOid. */
Oid
tl_contract_timer_handler(Oid schema, const char *name)
{
	CatCList   *list;
	Oid			found = InvalidOid;

	if (strlen(name) >= NAMEDATALEN)
		return InvalidOid;
	list = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
	for (int i = 0; i < list->n_members && !OidIsValid(found); i++)
	{
		Form_pg_proc form = (Form_pg_proc) GETSTRUCT(&list->members[i]->tuple);

		if (form->pronamespace == schema && tl_contract_timer_is_handler(form->oid))
			found = form->oid;
	}
	ReleaseSysCacheList(list);
	return found;
}

/* The timers of the handler of that name; InvalidOid: there is no such handler. */
Oid
tl_contract_timer_table(Oid schema, const char *handler)
{
	if (!OidIsValid(tl_contract_timer_handler(schema, handler)))
		return InvalidOid;
	return get_relname_relid(psprintf("%s" TL_TIMER_TABLE_SUFFIX, handler), schema);
}

/* Of the schema of a contract. */
bool
tl_contract_timer_is_table(Oid relation)
{
	char	   *name = get_rel_name(relation);
	size_t		suffix = strlen(TL_TIMER_TABLE_SUFFIX);
	size_t		size = name == NULL ? 0 : strlen(name);

	if (size <= suffix || strcmp(name + size - suffix, TL_TIMER_TABLE_SUFFIX) != 0)
		return false;
	name[size - suffix] = '\0';
	return OidIsValid(tl_contract_timer_handler(get_rel_namespace(relation), name));
}

/* What is run behind the statement that makes a handler; the first makes its table. */
List *
tl_contract_timer_statements(const char *handler)
{
	const char *table = quote_identifier(psprintf("%s" TL_TIMER_TABLE_SUFFIX, handler));

	return list_make3(psprintf("CREATE TABLE %s (key varchar(255) PRIMARY KEY, at timestamptz NOT NULL) USING ledger_state",
							   table),
					  psprintf("CREATE INDEX ON %s (at)", table),
					  psprintf("REVOKE EXECUTE ON FUNCTION %s(ledger.timer) FROM PUBLIC",
							   quote_identifier(handler)));
}
