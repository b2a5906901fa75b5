/*-------------------------------------------------------------------------
 *
 * contract_expression.c
 *	  Does an expression give the same result at every member?
 *
 * IMMUTABLE is necessary and not enough: some such functions depend on the
 * machine's time zones or on the release of Unicode, and those that compare or
 * change text depend on the database's locale.  So functions are those of
 * PostgreSQL itself, but for a list, and text is compared by its bytes, unless
 * the function does not care.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "contract_expression.h"
#include "contract_number.h"
#include "contract_query.h"
#include "tl_compat.h"

typedef struct Look
{
	TlRefusals *refusals;
	int			location;
	const char *where;
	Oid			schema;			/* whose immutable functions count as PostgreSQL's */
} Look;

/*
 * Immutable, and still not the same everywhere: by machine and release, by
 * settings that say how values are written, by the stack's depth, by a locale
 * that no collation shows.
 */
static const char *const unsteady[] = {
	"timezone", "normalize", "is_normalized", "unicode_assigned", "casefold", "to_tsvector",
	"to_tsquery", "plainto_tsquery", "phraseto_tsquery", "websearch_to_tsquery",
	"exp", "ln", "log", "log10", "power", "pow", "dexp", "dlog1", "dlog10", "dpow",
	"sin", "cos", "tan", "cot", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh",
	"acosh", "atanh", "sind", "cosd", "tand", "cotd", "asind", "acosd", "atand", "atan2d",
	"erf", "erfc", "gamma", "lgamma", "cbrt", "dcbrt", "ts_headline", "ts_rank", "ts_rank_cd",
	"numeric_power", "numeric_exp", "numeric_ln", "numeric_log", "circle_poly", "quote_ident",
	"byteaout", "charin", "charout", "char_text", "text_char", "xidin", "cidin", "xid8in", "oidin", "oidvectorin", "pg_size_bytes",
	"interval_scale", "width_bucket_numeric", "tsvectorin", "tsqueryin", "pg_walfile_name", "pg_walfile_name_offset",
	"pg_split_walfile_name", "json_send", "jsonb_send", "unknownsend", "uuid_extract_timestamp", "unicode_version",
	"icu_unicode_version", "timestamptz_pl_interval_at_zone", "timestamptz_mi_interval_at_zone",
	"jsonb_bool", "jsonb_numeric", "jsonb_int2", "jsonb_int4", "jsonb_int8",
	"float4out", "float8out", "interval_out", "point_out", "lseg_out", "path_out", "box_out",
	"poly_out", "line_out", "circle_out", "json_in", "jsonb_in", "record_lt", "record_le", "record_gt",
	"record_ge", "btrecordcmp"
};

/* Of infinite times: an error or another result before 17, which has infinite intervals. */
static const char *const infinite[] = {
	"timestamp_mi", "timestamp_age", "timestamptz_age", "interval_finite"
};

/* They take a collation and do not look at it. */
static const char *const careless[] = {
	"texteq", "textne", "bpchareq", "bpcharne", "textcat", "concat", "length", "char_length",
	"character_length", "octet_length", "bit_length", "left", "right", "substr", "substring",
	"text_substr", "position", "strpos", "btrim", "ltrim", "rtrim", "lpad", "rpad", "repeat",
	"reverse", "replace", "split_part", "overlay", "md5", "sha256", "convert_to", "encode",
	"starts_with", "ascii", "translate", "text", "bpchar", "varchar", "name", "count",
	"date_trunc", "extract", "jsonb_object", "jsonb_object_field", "jsonb_object_field_text",
	"to_bigint", "to_numeric"
};

/* STABLE, since they look at the time zone, which is the same in all calls. */
static const char *const pinned[] = {
	"timestamptz_pl_interval", "timestamptz_mi_interval", "interval_pl_timestamptz", "date_trunc", "extract",
	"date", "timestamp", "timestamptz"
};

static bool walker(Node *node, void *context);
static bool look_at_node(Look *look, Node *node);
static bool check_function(Oid function, void *context);
static bool is_of_server(Oid function);
static bool is_pinned(Oid function, const char *name);
static bool may_change(Oid function);
static bool is_unsteady(Oid function);
static bool is_unsteady_name(const char *name);
static char *source_of(Oid function);
static void check_pattern(Look *look, Node *node);
static bool has_value(Node *node, void *context);
static void check_collation(Look *look, Node *node);
static void check_row_collations(Look *look, const RowCompareExpr *comparison);
static void check_order(Look *look, Node *node);
static void check_order_of(Look *look, const List *values);
static bool is_order(Oid operator);
static void check_identity(Look *look, Node *node);
static void check_money(Look *look, Node *node);
static void check_cstring(Look *look, Node *node);
static void check_number(Look *look, Node *node);

void
tl_contract_expression(TlRefusals *refusals, int location, const char *where, Node *expression)
{
	Look		look = {.refusals = refusals, .location = location, .where = where};

	(void) walker(expression, &look);
}

void
tl_contract_expression_node(TlRefusals *refusals, const char *where, Oid schema, Node *node)
{
	Look		look = {.refusals = refusals, .location = -1, .where = where, .schema = schema};

	(void) look_at_node(&look, node);
}

void
tl_contract_expression_function(TlRefusals *refusals, const char *where, Oid function)
{
	Look		look = {.refusals = refusals, .location = -1, .where = where};

	(void) check_function(function, &look);
}

static bool
walker(Node *node, void *context)
{
	if (node == NULL || !look_at_node(context, node))
		return false;
	return expression_tree_walker(node, walker, context);
}

/* False where what is in it need not be looked at any more. */
static bool
look_at_node(Look *look, Node *node)
{
	switch (nodeTag(node))
	{
		case T_SQLValueFunction:
		case T_NextValueExpr:
			tl_contract_refuse(look->refusals, look->location, look->where,
							   "it depends on the clock, the session or a sequence",
							   "let the application give the value");
			return false;
		case T_XmlExpr:
			tl_contract_refuse(look->refusals, look->location, look->where,
							   "XML depends on how a server was built", "text, json or jsonb");
			return false;
		case T_RowCompareExpr:
			check_row_collations(look, (RowCompareExpr *) node);
			break;
		default:
			break;
	}
	(void) check_functions_in_node(node, check_function, look);
	check_collation(look, node);
	check_order(look, node);
	if (OidIsValid(look->schema))
		check_pattern(look, node);
	check_identity(look, node);
	check_money(look, node);
	check_cstring(look, node);
	check_number(look, node);
	return true;
}

static bool
check_function(Oid function, void *context)
{
	Look	   *look = context;
	char	   *name = get_func_name(function);

	if (OidIsValid(look->schema) && func_volatile(function) != PROVOLATILE_IMMUTABLE &&
		(get_func_namespace(function) == look->schema || tl_contract_query_is_statement(function)))
		tl_contract_refuse(look->refusals, look->location, psprintf("%s with %s", look->where, name),
						   "what changes state, or ends a call, is called by a statement of its own",
						   "SELECT function(...) and nothing else");
	else if (OidIsValid(look->schema) && (get_func_namespace(function) == look->schema ||
										  is_pinned(function, name)))
		return false;
	else if (!is_of_server(function) && !tl_contract_expression_is_of_library(function) &&
			 get_func_namespace(function) != get_namespace_oid("ledger", true))
		tl_contract_refuse(look->refusals, look->location, psprintf("%s with %s", look->where, name),
						   "other members may have another function of that name, or none",
						   "a function of PostgreSQL itself");
	else if (may_change(function))
		tl_contract_refuse(look->refusals, look->location, psprintf("%s with %s", look->where, name),
						   "it may give another result at another time or at another member",
						   "let the application give the value; compare with constants in full");
	else if (is_unsteady(function))
		tl_contract_refuse(look->refusals, look->location, psprintf("%s with %s", look->where, name),
						   "it may give another result on another machine or release",
						   "let the application give the value");
	else if (tl_contract_is_listed(infinite, lengthof(infinite), source_of(function)))
		tl_contract_refuse(look->refusals, look->location, psprintf("%s with %s", look->where, name),
						   "of infinity it gives another result in another release of PostgreSQL",
						   "extract(epoch FROM ...) of both times");
	return false;
}

/* Later OIDs in pg_catalog are not PostgreSQL's own, whatever they call themselves. */
static bool
is_of_server(Oid function)
{
	return get_func_namespace(function) == PG_CATALOG_NAMESPACE && function < FirstNormalObjectId;
}

bool
tl_contract_expression_is_of_library(Oid function)
{
	Oid			extension = getExtensionOfObject(ProcedureRelationId, function);

	return OidIsValid(extension) && extension == get_extension_oid("telco_ledger", true);
}

/* In calls the time zone is UTC; a time zone by name would be the third argument. */
static bool
is_pinned(Oid function, const char *name)
{
	return is_of_server(function) && get_func_nargs(function) <= 2 &&
		tl_contract_is_listed(pinned, lengthof(pinned), name);
}

/* To newer releases rules of time zones are for ever; to operators they are data. */
static bool
may_change(Oid function)
{
	return func_volatile(function) != PROVOLATILE_IMMUTABLE ||
		strcmp(source_of(function), "timestamptz_trunc_zone") == 0;
}

/* One function of the server may have several names. */
static bool
is_unsteady(Oid function)
{
	return is_unsteady_name(get_func_name(function)) || is_unsteady_name(source_of(function));
}

/* What it is called in the server. */
static char *
source_of(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		is_null;
	Datum		value;
	char	   *source;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	value = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &is_null);
	source = is_null ? pstrdup("") : TextDatumGetCString(value);
	ReleaseSysCache(tuple);
	return source;
}

/*
 * Hashes depend on the machine, and those of enums on OIDs, but for the library's own; XML
 * on how the server was built; paths of JSON compare by a locale, and in floats.
 */
static bool
is_unsteady_name(const char *name)
{
	static const char *const beginnings[] = {"hash", "xml", "xpath", "jsonb_path", "jsonpath"};

	for (size_t i = 0; i < lengthof(beginnings); i++)
		if (strncmp(name, beginnings[i], strlen(beginnings[i])) == 0)
			return true;
	return tl_contract_is_listed(unsteady, lengthof(unsteady), name) ||
		(strstr(name, "_hash") != NULL && strncmp(name, "merkle_", 7) != 0 && strncmp(name, "tl_", 3) != 0);
}

/* Of text that is compared, sorted or changed by a locale. */
static void
check_collation(Look *look, Node *node)
{
	Oid			collation = exprInputCollation(node);
	Oid			function = InvalidOid;
	char	   *name;

	if (!OidIsValid(collation) || collation == C_COLLATION_OID)
		return;
	switch (nodeTag(node))
	{
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
			function = get_opcode(((OpExpr *) node)->opno);
			break;
		case T_ScalarArrayOpExpr:
			function = get_opcode(((ScalarArrayOpExpr *) node)->opno);
			break;
		case T_FuncExpr:
			function = ((FuncExpr *) node)->funcid;
			break;
		case T_Aggref:
			function = ((Aggref *) node)->aggfnoid;
			break;
		default:
			break;
	}
	name = OidIsValid(function) ? get_func_name(function) : NULL;
	if (name != NULL && tl_contract_is_listed(careless, lengthof(careless), name))
		return;
	tl_contract_refuse(look->refusals, look->location,
					   name != NULL ? psprintf("%s with %s", look->where, name) : look->where,
					   "it depends on the locale of the database", "COLLATE \"C\"");
}

static void
check_row_collations(Look *look, const RowCompareExpr *comparison)
{
	ListCell   *cell;

	foreach(cell, comparison->inputcollids)
		if (OidIsValid(lfirst_oid(cell)) && lfirst_oid(cell) != C_COLLATION_OID)
		{
			tl_contract_refuse(look->refusals, look->location, look->where,
							   "it depends on the locale of the database", "COLLATE \"C\"");
			return;
		}
}

/* Which is less: of arrays, composites and JSON a locale may decide that no collation shows. */
static void
check_order(Look *look, Node *node)
{
	static const char *const functions[] = {
		"array_lt", "array_le", "array_gt", "array_ge", "btarraycmp", "array_larger", "array_smaller",
		"jsonb_lt", "jsonb_le", "jsonb_gt", "jsonb_ge", "jsonb_cmp", "record_larger", "record_smaller",
		"range_lt", "range_le", "range_gt", "range_ge", "range_cmp", "multirange_lt", "multirange_le",
		"multirange_gt", "multirange_ge", "multirange_cmp"
	};
	const RowCompareExpr *rows = (const RowCompareExpr *) node;

	if ((IsA(node, OpExpr) || IsA(node, DistinctExpr) || IsA(node, NullIfExpr)) &&
		is_order(((OpExpr *) node)->opno))
		check_order_of(look, ((OpExpr *) node)->args);
	else if (IsA(node, ScalarArrayOpExpr) && is_order(((ScalarArrayOpExpr *) node)->opno))
		check_order_of(look, ((ScalarArrayOpExpr *) node)->args);
	else if (IsA(node, RowCompareExpr))
		check_order_of(look, rows->largs);
	else if (IsA(node, MinMaxExpr))
		check_order_of(look, ((MinMaxExpr *) node)->args);
	else if (IsA(node, FuncExpr) &&
			 tl_contract_is_listed(functions, lengthof(functions), get_func_name(((FuncExpr *) node)->funcid)))
		check_order_of(look, ((FuncExpr *) node)->args);
}

static void
check_order_of(Look *look, const List *values)
{
	ListCell   *cell;

	foreach(cell, values)
	{
		Oid			type = getBaseType(exprType(lfirst(cell)));

		/* text by itself has its collation judged */
		if (tl_contract_expression_is_sorted_alike(type) ||
			(type_is_collatable(type) && !OidIsValid(get_element_type(type))))
			continue;
		tl_contract_refuse(look->refusals, look->location, psprintf("%s with the order of %s", look->where, format_type_be(type)),
						   "it may depend on the locale of the database", "comparisons of what is in it");
		return;
	}
}

/* < <= >= > */
static bool
is_order(Oid operator)
{
	ListCell   *cell;

	foreach(cell, tl_operator_meanings(operator))
	{
		const TlOperatorMeaning *meaning = lfirst(cell);

		if (!tl_operator_is_equality(meaning))
			return true;
	}
	return false;
}

/* Without a collation, seen or within. */
bool
tl_contract_expression_is_sorted_alike(Oid type)
{
	Oid			base = getBaseType(type);
	Oid			element = get_element_type(base);
	char		kind;

	if (OidIsValid(element))
		return tl_contract_expression_is_sorted_alike(element);
	kind = get_typtype(base);
	return base != JSONBOID && !type_is_collatable(base) && (kind == TYPTYPE_BASE || kind == TYPTYPE_ENUM);
}

/* A server's memory and stack decide which patterns it can compile, so they are in the source. */
static void
check_pattern(Look *look, Node *node)
{
	Oid			function = InvalidOid;
	List	   *values = NIL;

	if (IsA(node, OpExpr) || IsA(node, ScalarArrayOpExpr))
	{
		function = get_opcode(IsA(node, OpExpr) ? ((OpExpr *) node)->opno : ((ScalarArrayOpExpr *) node)->opno);
		values = IsA(node, OpExpr) ? ((OpExpr *) node)->args : ((ScalarArrayOpExpr *) node)->args;
	}
	else if (IsA(node, FuncExpr))
	{
		function = ((FuncExpr *) node)->funcid;
		values = ((FuncExpr *) node)->args;
	}
	if (list_length(values) < 2 || get_func_namespace(function) != PG_CATALOG_NAMESPACE ||
		(function != F_SUBSTRING_TEXT_TEXT_TEXT && strstr(get_func_name(function), "regex") == NULL &&
		 strstr(source_of(function), "regex") == NULL))
		return;
	if (has_value(lsecond(values), NULL))
		tl_contract_refuse(look->refusals, look->location, psprintf("%s with %s", look->where, get_func_name(function)),
						   "whether a server can compile a pattern depends on its stack",
						   "a pattern that is a constant");
}

/* Other than constants. */
static bool
has_value(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var) || IsA(node, Param) || IsA(node, SubLink) || IsA(node, Aggref) ||
		IsA(node, CaseTestExpr) || IsA(node, CoerceToDomainValue))
		return true;
	return expression_tree_walker(node, has_value, context);
}

/* OIDs are each database's own, so nothing that is one, or stands for one, decides. */
static void
check_identity(Look *look, Node *node)
{
	static const Oid identities[] = {
		OIDOID, REGPROCOID, REGPROCEDUREOID, REGOPEROID, REGOPERATOROID, REGCLASSOID, REGCOLLATIONOID,
		REGTYPEOID, REGCONFIGOID, REGDICTIONARYOID, REGROLEOID, REGNAMESPACEOID
	};
	Oid			type = InvalidOid;
	bool		found = false;

	if (IsA(node, Var))
	{
		found = ((Var *) node)->varattno <= 0;
		type = ((Var *) node)->vartype;
	}
	else if (IsA(node, Const) || IsA(node, FuncExpr) || IsA(node, RelabelType) || IsA(node, CoerceViaIO) ||
			 IsA(node, ArrayCoerceExpr))
		type = exprType(node);
	if (OidIsValid(type))
	{
		type = getBaseType(type);
		if (OidIsValid(get_element_type(type)))
			type = getBaseType(get_element_type(type));
	}
	for (size_t i = 0; i < lengthof(identities); i++)
		found |= type == identities[i];
	if (found)
		tl_contract_refuse(look->refusals, look->location, look->where,
						   "it depends on OIDs, or on where the row is stored", "the columns themselves");
}

/* A literal becomes a value when it is read, by a setting of the server. */
static void
check_money(Look *look, Node *node)
{
	Oid			type = IsA(node, Const) || IsA(node, Param) ? getBaseType(exprType(node)) : InvalidOid;

	if (type == MONEYOID || type == MONEYARRAYOID)
		tl_contract_refuse(look->refusals, look->location, psprintf("%s with %s", look->where, format_type_be(type)),
						   "how it is read and written depends on the locale of the server",
						   "numeric, or an integer in the smallest unit");
}

/* Of functions by which types are read and written, called by their names. */
static void
check_cstring(Look *look, Node *node)
{
	bool		is_value = IsA(node, Const) || IsA(node, FuncExpr) || IsA(node, CoerceViaIO) || IsA(node, RelabelType);

	if (is_value && exprType(node) == CSTRINGOID)
		tl_contract_refuse(look->refusals, look->location, psprintf("%s with cstring", look->where),
						   "it is how types are read and written, which releases do differently", "a cast");
}

/* Of text that becomes one. */
static void
check_number(Look *look, Node *node)
{
	if (tl_contract_number_from_text(node))
		tl_contract_refuse(look->refusals, look->location,
						   psprintf("%s with %s", look->where, format_type_be(exprType(node))),
						   TL_CONTRACT_NUMBER_WHY, "ledger.to_bigint(text) or ledger.to_numeric(text)");
}
