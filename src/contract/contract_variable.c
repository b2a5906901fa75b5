/*-------------------------------------------------------------------------
 *
 * contract_variable.c
 *	  The variables of a function in PL/pgSQL, and what is assigned to them.
 *
 * A value is converted to its variable's type without a word in the source, by
 * functions that are judged here as if they stood there.  A record takes the
 * columns of what is assigned to it when that happens.  So that all that reads it
 * can be judged, its columns have to be the same wherever it is assigned.
 *
 * Arrays and text may grow in loops, so while a function runs the size of its
 * variables is watched (contract_meter.c).  Composites in records and arrays are
 * not variables: how many bytes they have depends on a server's compression.
 *
 * Invariants
 *	  D1  a variable has a type that all members have, and that they write alike
 *	  D2  what converts a value gives the same at every member
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/expandedrecord.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "contract_function.h"
#include "contract_variable.h"

#define VARIABLES_MAX	1000

static PLpgSQL_datum *copy_of(const PLpgSQL_datum *datum, MemoryContext context);
static void look_at_variable(TlBody *body, const PLpgSQL_var *variable);
static void look_at_record(TlBody *body, const PLpgSQL_rec *record);
static void look_at_columns(TlBody *body, TupleDesc columns);
static bool has_composite(Oid type);
static void assign_record(TlBody *body, PLpgSQL_rec *record, TupleDesc columns, List *values);
static void assign_columns(TlBody *body, const PLpgSQL_row *row, List *values);
static List *values_of(const Query *query);
static bool are_alike(TupleDesc left, TupleDesc right);
static void look_at_conversion(TlBody *body, Node *node);
static Node *through_text(Node *value, Oid target);
static void refuse(TlBody *body, const char *what, const char *why, const char *instead);

/* As PL/pgSQL has them when the function begins. */
void
tl_contract_variable_begin(TlBody *body)
{
	PLpgSQL_function *function = body->function;
	PLpgSQL_execstate *state = &body->state;

	memset(state, 0, sizeof(*state));
	state->func = function;
	state->ndatums = function->ndatums;
	state->datums = palloc(function->ndatums * sizeof(PLpgSQL_datum *));
	state->datum_context = CurrentMemoryContext;
	for (int i = 0; i < function->ndatums; i++)
	{
		state->datums[i] = copy_of(function->datums[i], state->datum_context);
		if (state->datums[i]->dtype == PLPGSQL_DTYPE_VAR)
			look_at_variable(body, (PLpgSQL_var *) state->datums[i]);
		else if (state->datums[i]->dtype == PLPGSQL_DTYPE_REC)
			look_at_record(body, (PLpgSQL_rec *) state->datums[i]);
	}
	if (function->ndatums > VARIABLES_MAX)
		refuse(body, psprintf("%d variables", function->ndatums),
			   psprintf("a server may not be able to hold more than %d", VARIABLES_MAX), "several functions");
}

/* What PL/pgSQL changes while it runs is in these; a record has no columns at first. */
static PLpgSQL_datum *
copy_of(const PLpgSQL_datum *datum, MemoryContext context)
{
	PLpgSQL_rec *record;

	switch (datum->dtype)
	{
		case PLPGSQL_DTYPE_VAR:
		case PLPGSQL_DTYPE_PROMISE:
			return memcpy(palloc(sizeof(PLpgSQL_var)), datum, sizeof(PLpgSQL_var));
		case PLPGSQL_DTYPE_REC:
			record = memcpy(palloc(sizeof(PLpgSQL_rec)), datum, sizeof(PLpgSQL_rec));
			record->erh = record->rectypeid != RECORDOID ? NULL :
				make_expanded_record_from_tupdesc(CreateTemplateTupleDesc(0), context);
			return (PLpgSQL_datum *) record;
		case PLPGSQL_DTYPE_RECFIELD:
			return memcpy(palloc(sizeof(PLpgSQL_recfield)), datum, sizeof(PLpgSQL_recfield));
		default:
			return unconstify(PLpgSQL_datum *, datum);
	}
}

/* Refusals name it from now on. */
void
tl_contract_variable_line(TlBody *body, int line)
{
	const char *end;

	if (body->place < 0 || line < 1)
		return;
	if (body->line == 0 || line < body->line)
	{
		body->line = 1;
		body->line_offset = 0;
	}
	while (body->line < line && (end = strchr(body->text + body->line_offset, '\n')) != NULL)
	{
		body->line++;
		body->line_offset = (int) (end + 1 - body->text);
	}
	body->refusals->statement = body->place + body->line_offset;
}

/* D1 */
static void
look_at_variable(TlBody *body, const PLpgSQL_var *variable)
{
	Oid			type = variable->datatype->typoid;
	Oid			element = get_element_type(getBaseType(type));

	tl_contract_variable_line(body, variable->lineno);
	if (variable->cursor_explicit_expr != NULL || type == REFCURSOROID)
		refuse(body, "CURSOR", "what it gives depends on when it is read",
			   "FOR ... IN SELECT ... ORDER BY the primary key");
	else if (OidIsValid(element) && has_composite(element))
		refuse(body, format_type_be(type), "how large it is differs among servers",
			   "a variable for each of its columns");
	else
		tl_contract_function_type(body->refusals, type, body->scope.schema);
}

static void
look_at_record(TlBody *body, const PLpgSQL_rec *record)
{
	TupleDesc	columns;

	if (record->rectypeid == RECORDOID)
		return;
	tl_contract_variable_line(body, record->lineno);
	if (get_typtype(record->rectypeid) != TYPTYPE_COMPOSITE ||
		get_rel_namespace(get_typ_typrelid(record->rectypeid)) == PG_CATALOG_NAMESPACE)
	{
		refuse(body, format_type_be(record->rectypeid), "other members may have another type of that name",
			   "a composite type that this script makes");
		return;
	}
	tl_contract_function_type(body->refusals, record->rectypeid, body->scope.schema);
	columns = lookup_rowtype_tupdesc(record->rectypeid, -1);
	look_at_columns(body, columns);
	ReleaseTupleDesc(columns);
}

static void
look_at_columns(TlBody *body, TupleDesc columns)
{
	for (int i = 0; i < columns->natts; i++)
		if (has_composite(TupleDescAttr(columns, i)->atttypid))
			refuse(body, psprintf("record with %s", format_type_be(TupleDescAttr(columns, i)->atttypid)),
				   "how large it is differs among servers", "a variable for each column");
}

/* Or is it one? */
static bool
has_composite(Oid type)
{
	Oid			base = getBaseType(type);
	Oid			element = get_element_type(base);

	return base == RECORDOID || get_typtype(base) == TYPTYPE_COMPOSITE ||
		(OidIsValid(element) && has_composite(element));
}

/* What an expression gives: of a constant more is known than its type. */
Node *
tl_contract_variable_value(const Expr *expression)
{
	if (IsA(expression, Const))
		return copyObject(unconstify(Node *, (const Node *) expression));
	return tl_contract_variable_value_of(exprType((const Node *) expression), exprTypmod((const Node *) expression));
}

Node *
tl_contract_variable_value_of(Oid type, int32 modifier)
{
	CaseTestExpr *value = makeNode(CaseTestExpr);

	value->typeId = type;
	value->typeMod = modifier;
	value->collation = get_typcollation(type);
	return (Node *) value;
}

/* One value, to a variable, a record, or a column of one. */
void
tl_contract_variable_assign(TlBody *body, int number, Node *value)
{
	PLpgSQL_datum *datum = body->state.datums[number];
	const PLpgSQL_var *variable = (PLpgSQL_var *) datum;

	if (datum->dtype == PLPGSQL_DTYPE_VAR)
		tl_contract_variable_cast(body, value, variable->datatype->typoid, variable->datatype->atttypmod);
	else
		tl_contract_variable_cast(body, value, tl_contract_plpgsql_datum_type(&body->state, datum), -1);
}

/* A row of this query. */
void
tl_contract_variable_assign_row(TlBody *body, int number, const Query *query)
{
	PLpgSQL_datum *datum = body->state.datums[number];
	TupleDesc	columns = ExecCleanTypeFromTL(query->targetList);

	look_at_columns(body, columns);
	if (datum->dtype == PLPGSQL_DTYPE_REC)
		assign_record(body, (PLpgSQL_rec *) datum, columns, values_of(query));
	else if (datum->dtype == PLPGSQL_DTYPE_ROW)
		assign_columns(body, (PLpgSQL_row *) datum, values_of(query));
	else
		elog(ERROR, "a row is assigned to a variable of kind %d", (int) datum->dtype);
}

/* Its columns. */
static List *
values_of(const Query *query)
{
	List	   *values = NIL;
	ListCell   *cell;

	foreach(cell, query->targetList)
	{
		const TargetEntry *target = lfirst_node(TargetEntry, cell);

		if (!target->resjunk)
			values = lappend(values, tl_contract_variable_value(target->expr));
	}
	return values;
}

static void
assign_record(TlBody *body, PLpgSQL_rec *record, TupleDesc columns, List *values)
{
	TupleDesc	own;

	if (record->rectypeid == RECORDOID)
	{
		if (bms_is_member(record->dno, body->shaped) &&
			!are_alike(expanded_record_get_tupdesc(record->erh), columns))
			refuse(body, record->refname, "its columns would follow from what was assigned to it last",
				   "another record for other columns");
		body->shaped = bms_add_member(body->shaped, record->dno);
		record->erh = make_expanded_record_from_tupdesc(columns, body->state.datum_context);
		return;
	}
	own = lookup_rowtype_tupdesc(record->rectypeid, -1);
	if (own->natts != columns->natts)
		refuse(body, record->refname, psprintf("it has %d columns, and the query %d", own->natts, columns->natts),
			   "as many columns, or a record");
	for (int i = 0; i < own->natts && i < columns->natts; i++)
		tl_contract_variable_cast(body, list_nth(values, i), TupleDescAttr(own, i)->atttypid,
								  TupleDescAttr(own, i)->atttypmod);
	ReleaseTupleDesc(own);
}

static void
assign_columns(TlBody *body, const PLpgSQL_row *row, List *values)
{
	if (row->nfields != list_length(values))
		refuse(body, "INTO", psprintf("variables for %d columns take %d", row->nfields, list_length(values)),
			   "a variable for each column");
	for (int i = 0; i < row->nfields && i < list_length(values); i++)
		tl_contract_variable_assign(body, row->varnos[i], list_nth(values, i));
}

static bool
are_alike(TupleDesc left, TupleDesc right)
{
	bool		result = left->natts == right->natts;

	for (int i = 0; result && i < left->natts; i++)
	{
		Form_pg_attribute one = TupleDescAttr(left, i);
		Form_pg_attribute other = TupleDescAttr(right, i);

		result = strcmp(NameStr(one->attname), NameStr(other->attname)) == 0 &&
			one->atttypid == other->atttypid && one->atttypmod == other->atttypmod &&
			one->attcollation == other->attcollation;
	}
	return result;
}

/* A variable of PL/pgSQL's own takes the type of what is put into it: CASE value. */
void
tl_contract_variable_shape(TlBody *body, int number, Oid type, int32 modifier)
{
	PLpgSQL_var *variable = (PLpgSQL_var *) body->state.datums[number];

	variable->datatype = tl_contract_plpgsql_type(type, modifier, InvalidOid);
	look_at_variable(body, variable);
}

/*
 * D2: from one type to another, as PL/pgSQL converts: where PostgreSQL has no cast
 * for it, the value is written and read again.
 */
void
tl_contract_variable_cast(TlBody *body, Node *value, Oid target, int32 target_modifier)
{
	Oid			type = exprType(value);
	Node	   *node = NULL;

	if (type == target && (exprTypmod(value) == target_modifier || target_modifier == -1))
		return;
	if (has_composite(type) || has_composite(target))
	{
		refuse(body, psprintf("%s assigned to %s", format_type_be(type), format_type_be(target)),
			   "columns are converted by their places", "the same type");
		return;
	}
	if (type != UNKNOWNOID)
		node = coerce_to_target_type(NULL, value, type, target, target_modifier,
									 COERCION_PLPGSQL, COERCE_IMPLICIT_CAST, -1);
	if (node == NULL)
	{
		node = through_text(value, target);
		if (target_modifier != -1)
			node = coerce_to_target_type(NULL, node, target, target, target_modifier,
										 COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
	}
	look_at_conversion(body, node);
}

/* D2: as RAISE writes it into a message. */
void
tl_contract_variable_written(TlBody *body, Oid type)
{
	look_at_conversion(body, through_text(tl_contract_variable_value_of(type, -1), TEXTOID));
}

static void
look_at_conversion(TlBody *body, Node *node)
{
	tl_contract_query_node(body->refusals, &body->scope, node);
}

static Node *
through_text(Node *value, Oid target)
{
	CoerceViaIO *conversion = makeNode(CoerceViaIO);

	conversion->arg = (Expr *) value;
	conversion->resulttype = target;
	conversion->coerceformat = COERCE_IMPLICIT_CAST;
	conversion->location = -1;
	return (Node *) conversion;
}

static void
refuse(TlBody *body, const char *what, const char *why, const char *instead)
{
	tl_contract_refuse_within(body->refusals, body->scope.where, what, why, instead);
}
