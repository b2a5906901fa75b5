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

#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "contract_entry.h"
#include "contract_timer.h"

Oid
tl_contract_timer_type(void)
{
	return tl_contract_entry_type("timer");
}

bool
tl_contract_timer_is_handler(Oid function)
{
	return tl_contract_entry_takes(function, tl_contract_timer_type());
}

/* The handler of that name, or InvalidOid. */
Oid
tl_contract_timer_handler(Oid schema, const char *name)
{
	return tl_contract_entry_find(schema, name, tl_contract_timer_type());
}

/* The timers of the handler of that name; InvalidOid: there is no such handler. */
Oid
tl_contract_timer_table(Oid schema, const char *handler)
{
	if (!OidIsValid(tl_contract_timer_handler(schema, handler)))
		return InvalidOid;
	return get_relname_relid(psprintf("%s" TL_TIMER_TABLE_SUFFIX, handler), schema);
}

/* Of a table in a contract's schema: is it that of a handler's timers? */
bool
tl_contract_timer_is_table(Oid relation)
{
	char	   *handler = tl_contract_entry_stem(get_rel_name(relation), TL_TIMER_TABLE_SUFFIX);

	return handler != NULL && OidIsValid(tl_contract_timer_handler(get_rel_namespace(relation), handler));
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
