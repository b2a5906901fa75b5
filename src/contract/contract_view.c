/*-------------------------------------------------------------------------
 *
 * contract_view.c
 *	  What a contract's view reads and calls.
 *
 * Relations in a view are read with the rights of its owner, which has none
 * but for the contract's own.  Functions are another matter: they run with the
 * rights of whoever reads the view, a superuser perhaps.  So a view calls what
 * computes with its arguments and does nothing else: what is IMMUTABLE in
 * PostgreSQL or the library, PostgreSQL's aggregates and window functions, and
 * the functions listed here, which depend on the clock or on settings.
 *
 * Invariants
 *	  V1  a view reads relations of the contract only
 *	  V2  no function in a view reads or changes anything but its arguments,
 *		  settings and the clock; those of the library also what is known of a ref
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "nodes/nodeFuncs.h"
#include "rewrite/rewriteHandler.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "contract_view.h"

/* One view. */
typedef struct Look
{
	TlRefusals *refusals;
	Oid			schema;			/* of the contract */
} Look;

/* STABLE functions of PostgreSQL: times, text and JSON out of values. */
static const char *const harmless[] = {
	"now", "transaction_timestamp", "statement_timestamp", "age", "date", "time", "timetz", "timestamp",
	"timestamptz", "date_part", "date_trunc", "extract", "interval", "make_timestamptz", "to_char", "to_date",
	"to_timestamp", "to_number", "date_in", "date_out", "time_in", "timetz_in", "timestamp_in",
	"timestamp_out", "timestamptz_in", "timestamptz_out", "interval_in", "numeric_in", "enum_in", "enum_out",
	"array_in", "array_out", "record_out", "range_in", "range_out", "multirange_out",
	"timestamptz_pl_interval", "timestamptz_mi_interval", "interval_pl_timestamptz", "timestamptz_cmp_timestamp",
	"timestamp_cmp_timestamptz", "date_cmp_timestamptz", "timestamptz_cmp_date", "date_eq_timestamptz",
	"date_ge_timestamptz", "date_gt_timestamptz", "date_le_timestamptz", "date_lt_timestamptz",
	"date_ne_timestamptz", "timestamp_eq_timestamptz", "timestamp_ge_timestamptz",
	"timestamp_gt_timestamptz", "timestamp_le_timestamptz", "timestamp_lt_timestamptz",
	"timestamp_ne_timestamptz", "timestamptz_eq_date", "timestamptz_ge_date", "timestamptz_gt_date",
	"timestamptz_le_date", "timestamptz_lt_date", "timestamptz_ne_date", "timestamptz_eq_timestamp",
	"timestamptz_ge_timestamp", "timestamptz_gt_timestamp", "timestamptz_le_timestamp",
	"timestamptz_lt_timestamp", "timestamptz_ne_timestamp", "generate_series",
	"concat", "concat_ws", "format", "array_to_string", "string_to_array", "quote_literal", "quote_nullable",
	"json_build_array", "json_build_object", "jsonb_build_array", "jsonb_build_object", "to_json", "to_jsonb",
	"row_to_json", "array_to_json", "json_object", "jsonb_object"
};

/* STABLE functions of the library: what is known of a ref. */
static const char *const of_refs[] = {"height", "is_final", "block_time"};

static bool walker(Node *node, void *context);
static void check_relations(Look *look, const Query *query);
static bool check_function(Oid function, void *context);
static bool may_call(Oid function, const char *name);

void
tl_contract_view(TlRefusals *refusals, Oid view, Oid schema)
{
	Look		look = {.refusals = refusals, .schema = schema};
	Relation	relation = table_open(view, AccessShareLock);

	(void) walker((Node *) get_view_query(relation), &look);
	table_close(relation, NoLock);
}

static bool
walker(Node *node, void *context)
{
	Look	   *look = context;

	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_Query:
			check_relations(look, (Query *) node);
			return query_tree_walker((Query *) node, walker, context, 0);
		case T_XmlExpr:
		case T_TableFunc:
			tl_contract_refuse(look->refusals, -1, "VIEW with XML",
							   "XML depends on how a server was built", "text, json or jsonb");
			break;
		default:
			(void) check_functions_in_node(node, check_function, context);
			break;
	}
	return expression_tree_walker(node, walker, context);
}

/* V1 */
static void
check_relations(Look *look, const Query *query)
{
	ListCell   *cell;

	foreach(cell, query->rtable)
	{
		const RangeTblEntry *entry = lfirst_node(RangeTblEntry, cell);

		if (entry->rtekind == RTE_RELATION && get_rel_namespace(entry->relid) != look->schema)
			tl_contract_refuse(look->refusals, -1, get_rel_name(entry->relid),
							   "a contract reads its own tables and no others",
							   "a table or view that this script makes");
		if (entry->tablesample != NULL)
			tl_contract_refuse(look->refusals, -1, "TABLESAMPLE",
							   "a function decides which rows there are", "WHERE");
	}
}

/* V2 */
static bool
check_function(Oid function, void *context)
{
	Look	   *look = context;
	char	   *name = get_func_name(function);

	if (name == NULL)
		elog(ERROR, "cache lookup failed for function %u", function);
	if (!may_call(function, name))
		tl_contract_refuse(look->refusals, -1, psprintf("VIEW with %s", name),
						   "it would run with the rights of everybody who reads the view",
						   "functions of PostgreSQL that only compute: immutable ones, aggregates, now()");
	return false;
}

/* Later OIDs in pg_catalog are not PostgreSQL's own, whatever they call themselves. */
static bool
may_call(Oid function, const char *name)
{
	char		kind = get_func_prokind(function);
	bool		immutable = func_volatile(function) == PROVOLATILE_IMMUTABLE;

	if (get_func_namespace(function) == PG_CATALOG_NAMESPACE && function < FirstNormalObjectId)
		return immutable || kind == PROKIND_AGGREGATE || kind == PROKIND_WINDOW ||
			(func_volatile(function) == PROVOLATILE_STABLE &&
			 tl_contract_is_listed(harmless, lengthof(harmless), name));
	return getExtensionOfObject(ProcedureRelationId, function) == get_extension_oid("telco_ledger", true) &&
		(immutable || tl_contract_is_listed(of_refs, lengthof(of_refs), name));
}
