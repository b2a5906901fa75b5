/*-------------------------------------------------------------------------
 *
 * contract_entry.c
 *	  Entry points of contracts: what can be called, and by what rows.
 *
 * A function of a contract whose first argument is a ledger.context is an entry
 * point.  Beside it deployment makes
 *
 *		<name>_call		a shared table whose columns are the other arguments
 *		<name>(...)		a function without the context, with the same names and
 *						defaults, which inserts a row there and returns its ref
 *
 * One that is called on_<table> has neither: it is called by each row of that ledger
 * table of the contract that becomes final, whose columns are its other arguments.
 *
 * So a call is a row on the ledger like any other, and what its values may be is
 * judged where rows are.  Names are not overloaded, so the function follows from
 * the table's name.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "contract_entry.h"
#include "contract_timer.h"
#include "table_contract.h"

/* An entry point, as the catalogs have it. */
typedef struct Entry
{
	const char *schema;
	const char *name;
	int			count;			/* of arguments, the context among them */
	Oid		   *types;
	char	  **names;
	List	   *defaults;		/* of the last ones */
} Entry;

static void load(Entry *out, Oid function);
static char *table_statement(const Entry *entry);
static char *wrapper_statement(const Entry *entry);
static char *wrapper_body(const Entry *entry);
static void append_arguments(StringInfo text, const Entry *entry, int first);
static char *signature(const Entry *entry, int first);
static char *type_name(Oid type);

/* A type of the library, which says what a function with it as first argument is for. */
Oid
tl_contract_entry_type(const char *name)
{
	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(name),
						   ObjectIdGetDatum(get_namespace_oid("ledger", false)));
}

Oid
tl_contract_entry_context_type(void)
{
	return tl_contract_entry_type("context");
}

bool
tl_contract_entry_is_entry(Oid function)
{
	return tl_contract_entry_takes(function, tl_contract_entry_context_type());
}

/* Is that the type of its first argument? */
bool
tl_contract_entry_takes(Oid function, Oid type)
{
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

/* The function of that name that takes it, or InvalidOid. */
Oid
tl_contract_entry_find(Oid schema, const char *name, Oid type)
{
	CatCList   *list;
	Oid			found = InvalidOid;

	if (strlen(name) >= NAMEDATALEN)
		return InvalidOid;
	list = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
	for (int i = 0; i < list->n_members && !OidIsValid(found); i++)
	{
		Form_pg_proc form = (Form_pg_proc) GETSTRUCT(&list->members[i]->tuple);

		if (form->pronamespace == schema && tl_contract_entry_takes(form->oid, type))
			found = form->oid;
	}
	ReleaseSysCacheList(list);
	return found;
}

/* The function by which an entry point is called; InvalidOid: it has none. */
Oid
tl_contract_entry_wrapper(Oid function)
{
	CatCList   *list = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(get_func_name(function)));
	Oid			found = InvalidOid;

	for (int i = 0; i < list->n_members; i++)
	{
		Form_pg_proc form = (Form_pg_proc) GETSTRUCT(&list->members[i]->tuple);

		if (form->pronamespace == get_func_namespace(function) && form->prosecdef)
			found = form->oid;
	}
	ReleaseSysCacheList(list);
	return found;
}

/* What stands before the suffix, or NULL if that is not its end. */
char *
tl_contract_entry_stem(const char *name, const char *suffix)
{
	size_t		size = name == NULL ? 0 : strlen(name);

	if (size <= strlen(suffix) || strcmp(name + size - strlen(suffix), suffix) != 0)
		return NULL;
	return pnstrdup(name, size - strlen(suffix));
}

/* By its name; whether there is such a table, contract_function.c has asked. */
bool
tl_contract_entry_is_row_handler(Oid function)
{
	char	   *name = get_func_name(function);

	return name != NULL && tl_contract_entry_is_entry(function) &&
		strncmp(name, TL_ROW_HANDLER_PREFIX, strlen(TL_ROW_HANDLER_PREFIX)) == 0;
}

/* That whose calls are rows of this table, or which handles them; or InvalidOid. */
Oid
tl_contract_entry_of_table(Oid relation, bool *is_row_handler)
{
	char	   *name = get_rel_name(relation);
	Oid			schema = get_rel_namespace(relation);
	Oid			context = tl_contract_entry_context_type();
	char	   *called;
	Oid			entry = InvalidOid;

	*is_row_handler = false;
	if (name == NULL || !tl_table_contract_owns(schema))
		return InvalidOid;
	called = tl_contract_entry_stem(name, TL_CALL_TABLE_SUFFIX);
	if (called != NULL)
		entry = tl_contract_entry_find(schema, called, context);
	if (!OidIsValid(entry))
	{
		entry = tl_contract_entry_find(schema, psprintf(TL_ROW_HANDLER_PREFIX "%s", name), context);
		*is_row_handler = OidIsValid(entry);
	}
	return entry;
}

/*
 * What is run behind the statement that makes a function: statements, as char *,
 * the first of an entry point or a handler its table's, unless the function is
 * replaced, whose table is there.  What changes state is executed by calls, and what
 * computes by whoever likes.
 */
List *
tl_contract_entry_statements(Oid function, bool replaced)
{
	Entry		entry;
	char	   *inner;
	List	   *result;

	load(&entry, function);
	if (tl_contract_timer_is_handler(function))
		return replaced ? NIL : tl_contract_timer_statements(entry.name);
	if (!tl_contract_entry_is_entry(function) || tl_contract_entry_is_row_handler(function))
		return func_volatile(function) == PROVOLATILE_IMMUTABLE ? NIL :
			list_make1(psprintf("REVOKE EXECUTE ON FUNCTION %s%s FROM PUBLIC",
								quote_identifier(entry.name), signature(&entry, 0)));
	if (OidIsValid(tl_contract_entry_wrapper(function)))
		return list_make1(wrapper_statement(&entry));
	inner = signature(&entry, 1);
	result = list_make3(wrapper_statement(&entry),
						psprintf("REVOKE EXECUTE ON FUNCTION %s%s, %s%s FROM PUBLIC",
								 quote_identifier(entry.name), inner,
								 quote_identifier(entry.name), signature(&entry, 0)),
						psprintf("GRANT EXECUTE ON FUNCTION %s%s TO ledger_admin, ledger_submitter",
								 quote_identifier(entry.name), inner));
	return replaced ? result : lcons(table_statement(&entry), result);
}

static void
load(Entry *out, Oid function)
{
	HeapTuple	tuple = SearchSysCacheCopy1(PROCOID, ObjectIdGetDatum(function));
	char	   *modes;
	Datum		value;
	bool		is_null;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	out->schema = get_namespace_name(((Form_pg_proc) GETSTRUCT(tuple))->pronamespace);
	out->name = pstrdup(NameStr(((Form_pg_proc) GETSTRUCT(tuple))->proname));
	out->count = get_func_arg_info(tuple, &out->types, &out->names, &modes);
	value = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proargdefaults, &is_null);
	out->defaults = is_null ? NIL : castNode(List, stringToNode(TextDatumGetCString(value)));
}

static char *
table_statement(const Entry *entry)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "CREATE TABLE %s (",
					 quote_identifier(psprintf("%s" TL_CALL_TABLE_SUFFIX, entry->name)));
	for (int i = 1; i < entry->count; i++)
		appendStringInfo(&text, "%s%s %s", i > 1 ? ", " : "", quote_identifier(entry->names[i]),
						 type_name(entry->types[i]));
	appendStringInfoString(&text, ") USING ledger");
	return text.data;
}

/*
 * Whoever may call it need not be able to insert there by hand.  It is in PL/pgSQL,
 * which keeps the plan for the session: a body in SQL is planned at each call.
 */
static char *
wrapper_statement(const Entry *entry)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "CREATE OR REPLACE FUNCTION %s", quote_identifier(entry->name));
	append_arguments(&text, entry, 1);
	appendStringInfo(&text, " RETURNS ledger.ref LANGUAGE plpgsql VOLATILE SECURITY DEFINER"
					 " SET search_path = pg_catalog, pg_temp AS %s", quote_literal_cstr(wrapper_body(entry)));
	return text.data;
}

static char *
wrapper_body(const Entry *entry)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "#variable_conflict use_column\nDECLARE\n    call_ref ledger.ref;\nBEGIN\n    INSERT INTO %s ",
					 quote_qualified_identifier(entry->schema, psprintf("%s" TL_CALL_TABLE_SUFFIX, entry->name)));
	for (int i = 1; i < entry->count; i++)
		appendStringInfo(&text, "%s%s", i > 1 ? ", " : "(", quote_identifier(entry->names[i]));
	for (int i = 1; i < entry->count; i++)
		appendStringInfo(&text, "%s$%d", i > 1 ? ", " : ") VALUES (", i);
	appendStringInfo(&text, "%s RETURNING ledger_ref INTO STRICT call_ref;\n    RETURN call_ref;\nEND",
					 entry->count > 1 ? ")" : "DEFAULT VALUES");
	return text.data;
}

/* With names and defaults, from that one on. */
static void
append_arguments(StringInfo text, const Entry *entry, int first)
{
	int			first_default = entry->count - list_length(entry->defaults);

	appendStringInfoChar(text, '(');
	for (int i = first; i < entry->count; i++)
	{
		appendStringInfo(text, "%s%s %s", i > first ? ", " : "", quote_identifier(entry->names[i]),
						 type_name(entry->types[i]));
		if (i >= first_default)
			appendStringInfo(text, " DEFAULT %s",
							 deparse_expression(list_nth(entry->defaults, i - first_default), NIL, false, false));
	}
	appendStringInfoChar(text, ')');
}

/*
 * What is run to drop it.  A call that was committed before needs a function that
 * ends it, so of an entry point one stays that refuses.
 */
List *
tl_contract_entry_drop_statements(Oid function)
{
	Entry		entry;
	const char *name;
	StringInfoData stub;

	load(&entry, function);
	name = quote_identifier(entry.name);
	if (tl_contract_timer_is_handler(function))
		return list_make2(psprintf("DROP FUNCTION %s%s", name, signature(&entry, 0)),
						  psprintf("DROP TABLE %s", quote_identifier(psprintf("%s" TL_TIMER_TABLE_SUFFIX, entry.name))));
	if (!tl_contract_entry_is_entry(function) || tl_contract_entry_is_row_handler(function))
		return list_make1(psprintf("DROP FUNCTION %s%s", name, signature(&entry, 0)));
	initStringInfo(&stub);
	appendStringInfo(&stub, "CREATE OR REPLACE FUNCTION %s", name);
	append_arguments(&stub, &entry, 0);
	appendStringInfo(&stub, " RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT ledger.require(false, %s); END",
					 quote_literal_cstr(psprintf("function %s is no longer there", entry.name)));
	return list_make3(psprintf("DROP FUNCTION %s%s", name, signature(&entry, 1)), stub.data,
					  psprintf("COMMENT ON FUNCTION %s%s IS 'dropped: calls that were committed before are refused'",
							   name, signature(&entry, 0)));
}

/* The types of its arguments from that one on. */
static char *
signature(const Entry *entry, int first)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoChar(&text, '(');
	for (int i = first; i < entry->count; i++)
		appendStringInfo(&text, "%s%s", i > first ? ", " : "", type_name(entry->types[i]));
	appendStringInfoChar(&text, ')');
	return text.data;
}

/* Without a length of its own: `character` and `bit` would be of one. */
static char *
type_name(Oid type)
{
	return format_type_extended(type, -1, FORMAT_TYPE_TYPEMOD_GIVEN);
}
