/*-------------------------------------------------------------------------
 *
 * contract_words_table.c
 *	  What CREATE TABLE and constraints of a contract may not say.
 *
 * A row of a shared table is stored by its origin before it is ordered, and by
 * everybody else afterwards.  So whether it may be stored can depend on the row
 * alone: not on other rows, not on the clock, not on who stores it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "nodes/parsenodes.h"

#include "contract_words.h"
#include "table_alter.h"

static void words_form(TlRefusals *refusals, const CreateStmt *statement);
static void words_constraints(TlRefusals *refusals, const List *constraints, bool is_state);
static bool words_state_constraint(TlRefusals *refusals, const Constraint *constraint);
static void words_action(TlRefusals *refusals, const Constraint *constraint);
static bool is_integer(const Node *node);

void
tl_contract_words_table(TlRefusals *refusals, const CreateStmt *statement)
{
	bool		is_state = statement->accessMethod != NULL &&
		strcmp(statement->accessMethod, "ledger_state") == 0;
	ListCell   *cell;

	tl_contract_words_new_name(refusals, statement->relation->schemaname,
							   statement->relation->location);
	words_form(refusals, statement);
	foreach(cell, statement->tableElts)
	{
		Node	   *element = lfirst(cell);

		if (IsA(element, ColumnDef))
			tl_contract_words_column(refusals, (ColumnDef *) element, is_state);
		else if (IsA(element, Constraint))
			tl_contract_words_constraint(refusals, (Constraint *) element, is_state);
		else
			tl_contract_refuse(refusals, -1, "LIKE", "the source has to say what the table is",
							   "list the columns");
	}
}

static void
words_form(TlRefusals *refusals, const CreateStmt *statement)
{
	int			place = statement->relation->location;

	if (statement->accessMethod == NULL || (strcmp(statement->accessMethod, "ledger") != 0 &&
											strcmp(statement->accessMethod, "ledger_state") != 0))
		tl_contract_refuse(refusals, place,
						   statement->accessMethod == NULL ? "CREATE TABLE" : psprintf("USING %s", statement->accessMethod),
						   "rows of a contract's table are on the ledger",
						   "CREATE TABLE ... USING ledger, or ledger_state for what its functions change");
	if (statement->relation->relpersistence != RELPERSISTENCE_PERMANENT)
		tl_contract_refuse(refusals, place, "TEMPORARY or UNLOGGED",
						   "rows of a contract's table are there for ever", "leave it out");
	if (statement->partspec != NULL || statement->partbound != NULL)
		tl_contract_refuse(refusals, place, "PARTITION", "contracts have no partitioned tables yet",
						   "one table");
	else if (statement->inhRelations != NIL)
		tl_contract_refuse(refusals, place, "INHERITS", "a ledger table cannot take part in inheritance",
						   "a view with UNION ALL");
	if (statement->ofTypename != NULL)
		tl_contract_refuse(refusals, place, "OF", "the source has to say what the table is",
						   "list the columns");
	if (statement->options != NIL || statement->tablespacename != NULL)
		tl_contract_refuse(refusals, place, "storage of a table",
						   "how rows are stored is each member's own business", "leave it out");
	if (statement->if_not_exists)
		tl_contract_refuse(refusals, place, "IF NOT EXISTS", "a script makes each object once",
						   "leave it out");
}

void
tl_contract_words_column(TlRefusals *refusals, const ColumnDef *column, bool is_state)
{
	if (tl_table_alter_is_serial(column->typeName))
		tl_contract_refuse(refusals, column->location, strVal(linitial(column->typeName->names)),
						   "each member has a sequence of its own", "uuid, or the row's ledger_ref");
	else
		tl_contract_words_type(refusals, column->typeName);
	if (strcmp(column->colname, "ledger_ref") == 0)
		tl_contract_refuse(refusals, column->location, "ledger_ref",
						   "every ledger table gets this column by itself", "leave it out");
	if (column->compression != NULL)
		tl_contract_refuse(refusals, column->location, "COMPRESSION",
						   "how rows are stored is each member's own business", "leave it out");
	if (column->collClause != NULL)
		tl_contract_words_collation(refusals, column->collClause->collname,
									column->collClause->location);
	words_constraints(refusals, column->constraints, is_state);
}

/* Those of a domain. */
void
tl_contract_words_constraints(TlRefusals *refusals, const List *constraints)
{
	words_constraints(refusals, constraints, false);
}

static void
words_constraints(TlRefusals *refusals, const List *constraints, bool is_state)
{
	ListCell   *cell;

	foreach(cell, constraints)
	{
		if (IsA(lfirst(cell), Constraint))
			tl_contract_words_constraint(refusals, (Constraint *) lfirst(cell), is_state);
		else if (IsA(lfirst(cell), CollateClause))
			tl_contract_words_collation(refusals, ((CollateClause *) lfirst(cell))->collname,
										((CollateClause *) lfirst(cell))->location);
	}
}

void
tl_contract_words_constraint(TlRefusals *refusals, const Constraint *constraint, bool is_state)
{
	static const char *const others = "whether a row goes in may not depend on rows of other members";

	if (is_state && words_state_constraint(refusals, constraint))
		return;
	switch (constraint->contype)
	{
		case CONSTR_CHECK:
		case CONSTR_DEFAULT:
			tl_contract_words_expression(refusals, constraint->raw_expr);
			break;
		case CONSTR_GENERATED:
			tl_contract_refuse(refusals, constraint->location, "GENERATED",
							   "contracts have no generated columns yet",
							   "compute the value in a view, or let the application give it");
			break;
		case CONSTR_IDENTITY:
			tl_contract_refuse(refusals, constraint->location, "GENERATED ... AS IDENTITY",
							   "each member has a sequence of its own", "uuid, or the row's ledger_ref");
			break;
		case CONSTR_PRIMARY:
			tl_contract_refuse(refusals, constraint->location, "PRIMARY KEY", others,
							   "an index that is not unique; claim keys in contract state");
			break;
		case CONSTR_UNIQUE:
			tl_contract_refuse(refusals, constraint->location, "UNIQUE", others,
							   "an index that is not unique; claim keys in contract state");
			break;
		case CONSTR_EXCLUSION:
			tl_contract_refuse(refusals, constraint->location, "EXCLUDE", others,
							   "decide in contract state");
			break;
		case CONSTR_FOREIGN:
			tl_contract_refuse(refusals, constraint->location, "FOREIGN KEY", others,
							   "a column with the other row's ledger_ref; decide in contract state");
			break;
		default:
			break;				/* NOT NULL, and words that go with another one */
	}
}

/* In state rows of all members are decided upon in one order; false for what is as elsewhere. */
static bool
words_state_constraint(TlRefusals *refusals, const Constraint *constraint)
{
	switch (constraint->contype)
	{
		case CONSTR_FOREIGN:
			tl_contract_words_new_name(refusals, constraint->pktable->schemaname, constraint->location);
			words_action(refusals, constraint);
			/* FALLTHROUGH */
		case CONSTR_PRIMARY:
		case CONSTR_UNIQUE:
			if (constraint->options != NIL || constraint->indexspace != NULL)
				tl_contract_refuse(refusals, constraint->location, "storage of an index",
								   "how rows are stored is each member's own business", "leave it out");
			if (constraint->deferrable)
				tl_contract_refuse(refusals, constraint->location, "DEFERRABLE",
								   "a call keeps the constraints when each of its statements ends", "leave it out");
			return true;
		case CONSTR_EXCLUSION:
			tl_contract_refuse(refusals, constraint->location, "EXCLUDE",
							   "contracts have no exclusion constraints yet", "ledger.require() in the function");
			return true;
		case CONSTR_ATTR_DEFERRABLE:
		case CONSTR_ATTR_DEFERRED:
			tl_contract_refuse(refusals, constraint->location, "DEFERRABLE",
							   "a call keeps the constraints when each of its statements ends", "leave it out");
			return true;
		default:
			return false;
	}
}

/*
 * The triggers of several keys fire in the order of their OIDs' digits.  Those that
 * only look, after all rows of a statement, find the same in any order.
 */
static void
words_action(TlRefusals *refusals, const Constraint *constraint)
{
	const char	actions[] = {constraint->fk_del_action, constraint->fk_upd_action};

	for (size_t i = 0; i < lengthof(actions); i++)
		if (actions[i] != FKCONSTR_ACTION_NOACTION && actions[i] != FKCONSTR_ACTION_RESTRICT)
			tl_contract_refuse(refusals, constraint->location,
							   actions[i] == FKCONSTR_ACTION_CASCADE ? "CASCADE" : "SET NULL or SET DEFAULT",
							   "which of several foreign keys acts first differs among servers",
							   "a statement of the function, before the one that deletes");
}

/* Others sort text in another way, or in that way by another release. */
void
tl_contract_words_collation(TlRefusals *refusals, const List *name, int location)
{
	const char *collation = strVal(llast(name));

	if ((list_length(name) == 1 || strcmp(strVal(linitial(name)), "pg_catalog") == 0) &&
		strcmp(collation, "C") == 0)
		return;
	tl_contract_refuse(refusals, location, psprintf("COLLATE \"%s\"", collation),
					   "other members may sort otherwise by this collation", "COLLATE \"C\"");
}

static bool
is_integer(const Node *node)
{
	return IsA(node, A_Const) && !((const A_Const *) node)->isnull && IsA(&((const A_Const *) node)->val, Integer);
}

/* By its own name, or of a schema that all members have. */
void
tl_contract_words_type(TlRefusals *refusals, const TypeName *type)
{
	const List *name = type->names;
	ListCell   *cell;

	foreach(cell, type->typmods)
		if (!is_integer(lfirst(cell)))
			tl_contract_refuse(refusals, type->location, strVal(llast(name)),
							   "releases of PostgreSQL read its length or scale differently", "integers, as numeric(10, 2)");

	if (type->pct_type || type->setof)
		tl_contract_refuse(refusals, type->location, type->setof ? "SETOF" : "%TYPE",
						   "the source has to say what the type is", "the type's name");
	else if (list_length(name) > 2 ||
			 (list_length(name) == 2 && strcmp(strVal(linitial(name)), "pg_catalog") != 0 &&
			  strcmp(strVal(linitial(name)), "ledger") != 0))
		tl_contract_refuse(refusals, type->location, strVal(linitial(name)),
						   "other members may have something else in this schema, or nothing",
						   "a type of PostgreSQL, of schema ledger, or made in this script");
}

/* What the script makes or speaks of lies in the contract's own schema. */
void
tl_contract_words_new_name(TlRefusals *refusals, const char *schema, int location)
{
	if (schema != NULL)
		tl_contract_refuse(refusals, location, schema,
						   "a contract's objects lie in the schema that has its name",
						   "the name without a schema");
}
