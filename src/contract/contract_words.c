/*-------------------------------------------------------------------------
 *
 * contract_words.c
 *	  What a contract's statement may not say, by its words alone.
 *
 * A list of what is allowed, each form of each statement; everything else is
 * refused.  What names mean cannot be told here: contract_made.c looks at what
 * came out.
 *
 * Names stand alone: objects go into the contract's own schema, and what is
 * found there or in pg_catalog is the same at all members.  Only types and
 * functions of pg_catalog and ledger may be called by their full names.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "mb/pg_wchar.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "tcop/cmdtag.h"
#include "tcop/utility.h"

#include "contract_change.h"
#include "contract_function.h"
#include "contract_number.h"
#include "contract_words.h"

#define SHOWN_SIZE_MAX	40		/* of a literal */

static const char *const library_roles[] = {
	"ledger_admin", "ledger_submitter", "ledger_reader", "ledger_auditor"
};

static void words_type(TlRefusals *refusals, const CompositeTypeStmt *statement);
static void words_enum(TlRefusals *refusals, const CreateEnumStmt *statement);
static int	compare_values(const ListCell *left, const ListCell *right);
static void words_range(TlRefusals *refusals, const CreateRangeStmt *statement);
static void words_domain(TlRefusals *refusals, const CreateDomainStmt *statement);
static void words_index(TlRefusals *refusals, const IndexStmt *statement);
static void words_index_element(TlRefusals *refusals, const IndexElem *element);
static void words_view(TlRefusals *refusals, const ViewStmt *statement);
static void words_comment(TlRefusals *refusals, const CommentStmt *statement);
static void words_grant(TlRefusals *refusals, const GrantStmt *statement);
static void words_grantee(TlRefusals *refusals, const RoleSpec *role);
static void words_trigger(TlRefusals *refusals, const CreateTrigStmt *statement);
static void words_other(TlRefusals *refusals, Node *statement);
static bool expression_walker(Node *node, void *context);
static bool look_at_node(TlRefusals *refusals, Node *node);
static bool look_at_texts(TlRefusals *refusals, Node *node, List *texts);
static List *message_literals(const FuncCall *call);
static bool is_text(const TypeName *type);
static void words_literal(TlRefusals *refusals, A_Const *literal);
static bool has_word(const char *text, const char *word);
static bool is_letter(char c);
static char *without_quotes(const char *text);
static void words_depth(TlRefusals *refusals, A_Const *literal);
static void words_name(TlRefusals *refusals, const List *name, int location);
static void names_alone(TlRefusals *refusals, const List *name, int location);

/* One statement of the script; refusals->statement is where it begins. */
void
tl_contract_words(TlRefusals *refusals, const RawStmt *statement)
{
	Node	   *node = statement->stmt;

	switch (nodeTag(node))
	{
		case T_CreateStmt:
			tl_contract_words_table(refusals, (CreateStmt *) node);
			break;
		case T_CompositeTypeStmt:
			words_type(refusals, (CompositeTypeStmt *) node);
			break;
		case T_CreateEnumStmt:
			words_enum(refusals, (CreateEnumStmt *) node);
			break;
		case T_CreateRangeStmt:
			words_range(refusals, (CreateRangeStmt *) node);
			break;
		case T_CreateDomainStmt:
			words_domain(refusals, (CreateDomainStmt *) node);
			break;
		case T_IndexStmt:
			words_index(refusals, (IndexStmt *) node);
			break;
		case T_ViewStmt:
			words_view(refusals, (ViewStmt *) node);
			break;
		case T_CommentStmt:
			words_comment(refusals, (CommentStmt *) node);
			break;
		case T_GrantStmt:
			words_grant(refusals, (GrantStmt *) node);
			break;
		case T_CreateFunctionStmt:
			tl_contract_words_function(refusals, (CreateFunctionStmt *) node);
			break;
		case T_CreateTrigStmt:
			words_trigger(refusals, (CreateTrigStmt *) node);
			break;
		default:
			if (!refusals->is_change || !tl_contract_change_words(refusals, node))
				words_other(refusals, node);
	}
}

/* A constraint's, a default's, a view's query: what its words alone tell. */
void
tl_contract_words_expression(TlRefusals *refusals, Node *expression)
{
	refusals->depth = 0;
	refusals->texts = NIL;
	(void) expression_walker(expression, refusals);
}

static void
words_type(TlRefusals *refusals, const CompositeTypeStmt *statement)
{
	ListCell   *cell;

	tl_contract_words_new_name(refusals, statement->typevar->schemaname,
							   statement->typevar->location);
	foreach(cell, statement->coldeflist)
	{
		const ColumnDef *column = lfirst_node(ColumnDef, cell);

		tl_contract_words_type(refusals, column->typeName);
		if (column->collClause != NULL)
			tl_contract_words_collation(refusals, column->collClause->collname, column->location);
	}
}

static void
words_enum(TlRefusals *refusals, const CreateEnumStmt *statement)
{
	List	   *values = list_copy(statement->vals);

	names_alone(refusals, statement->typeName, -1);
	/* PostgreSQL leaves it to an index of its catalog */
	list_sort(values, compare_values);
	for (int i = 1; i < list_length(values); i++)
		if (strcmp(strVal(list_nth(values, i)), strVal(list_nth(values, i - 1))) == 0)
			tl_contract_refuse(refusals, -1, psprintf("'%s'", strVal(list_nth(values, i))),
							   "a type has each value once", "leave it out");
}

static int
compare_values(const ListCell *left, const ListCell *right)
{
	return strcmp(strVal(lfirst(left)), strVal(lfirst(right)));
}

static void
words_range(TlRefusals *refusals, const CreateRangeStmt *statement)
{
	ListCell   *cell;

	names_alone(refusals, statement->typeName, -1);
	foreach(cell, statement->params)
	{
		const DefElem *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "subtype") == 0 && IsA(option->arg, TypeName))
			tl_contract_words_type(refusals, (TypeName *) option->arg);
		else
			tl_contract_refuse(refusals, option->location, option->defname,
							   "a range type of a contract follows from its subtype alone",
							   "name the subtype only");
	}
}

static void
words_domain(TlRefusals *refusals, const CreateDomainStmt *statement)
{
	names_alone(refusals, statement->domainname, -1);
	tl_contract_words_type(refusals, statement->typeName);
	if (statement->collClause != NULL)
		tl_contract_words_collation(refusals, statement->collClause->collname,
									statement->collClause->location);
	tl_contract_words_constraints(refusals, statement->constraints);
}

static void
words_index(TlRefusals *refusals, const IndexStmt *statement)
{
	static const char *const methods[] = {"btree", "hash", "brin", "gin", "gist", "spgist"};
	bool		known = false;
	ListCell   *cell;

	tl_contract_words_new_name(refusals, statement->relation->schemaname,
							   statement->relation->location);
	if (statement->unique)
		tl_contract_refuse(refusals, -1, "CREATE UNIQUE INDEX",
						   "whether a row goes in may not depend on rows of other members",
						   "an index that is not unique; UNIQUE in a state table");
	if (statement->concurrent)
		tl_contract_refuse(refusals, -1, "CONCURRENTLY", "the script runs as a whole or not at all",
						   "leave it out: the table is empty");
	if (statement->if_not_exists)
		tl_contract_refuse(refusals, -1, "IF NOT EXISTS", "a script makes each object once",
						   "leave it out");
	if (statement->tableSpace != NULL || statement->options != NIL)
		tl_contract_refuse(refusals, -1, "storage of an index",
						   "how rows are stored is each member's own business", "leave it out");
	for (size_t i = 0; i < lengthof(methods); i++)
		known |= strcmp(statement->accessMethod, methods[i]) == 0;
	if (!known)
		tl_contract_refuse(refusals, -1, statement->accessMethod,
						   "other members may not have this access method",
						   "btree, hash, brin, gin, gist or spgist");
	foreach(cell, statement->indexParams)
		words_index_element(refusals, lfirst_node(IndexElem, cell));
	tl_contract_words_expression(refusals, statement->whereClause);
}

static void
words_index_element(TlRefusals *refusals, const IndexElem *element)
{
	names_alone(refusals, element->opclass, -1);
	if (element->collation != NIL)
		tl_contract_words_collation(refusals, element->collation, -1);
	tl_contract_words_expression(refusals, element->expr);
}

static void
words_view(TlRefusals *refusals, const ViewStmt *statement)
{
	tl_contract_words_new_name(refusals, statement->view->schemaname, statement->view->location);
	if (statement->view->relpersistence != RELPERSISTENCE_PERMANENT)
		tl_contract_refuse(refusals, statement->view->location, "TEMPORARY",
						   "a temporary view belongs to one session", "leave it out");
	if (statement->replace && !refusals->is_change)
		tl_contract_refuse(refusals, -1, "OR REPLACE", "a script makes each object once",
						   "leave it out");
	tl_contract_words_expression(refusals, statement->query);
}

static void
words_comment(TlRefusals *refusals, const CommentStmt *statement)
{
	const List *name = NIL;

	if (statement->objtype == OBJECT_INDEX && refusals->is_change)
		tl_contract_refuse(refusals, -1, "COMMENT ON INDEX", "a member may have dropped it",
						   "a comment on the table");
	switch (statement->objtype)
	{
		case OBJECT_TABLE:
		case OBJECT_INDEX:
		case OBJECT_VIEW:
			name = castNode(List, statement->object);
			break;
		case OBJECT_COLUMN:
		case OBJECT_TABCONSTRAINT:
		case OBJECT_TRIGGER:
			name = castNode(List, statement->object);
			name = list_copy_head(name, list_length(name) - 1);
			break;
		case OBJECT_TYPE:
		case OBJECT_DOMAIN:
			name = castNode(TypeName, statement->object)->names;
			break;
		case OBJECT_FUNCTION:
			name = castNode(ObjectWithArgs, statement->object)->objname;
			break;
		case OBJECT_DOMCONSTRAINT:
			name = linitial_node(TypeName, castNode(List, statement->object))->names;
			break;
		default:
			tl_contract_refuse(refusals, -1, "COMMENT", "it is on nothing that a contract has",
							   "comments on tables, columns, constraints, triggers, indexes, views, functions, types and domains");
			return;
	}
	names_alone(refusals, name, -1);
}

static void
words_grant(TlRefusals *refusals, const GrantStmt *statement)
{
	ListCell   *cell;

	if (!statement->is_grant || statement->targtype != ACL_TARGET_OBJECT ||
		(statement->objtype != OBJECT_TABLE && statement->objtype != OBJECT_TYPE &&
		 statement->objtype != OBJECT_DOMAIN && statement->objtype != OBJECT_FUNCTION) ||
		statement->grant_option || statement->grantor != NULL)
	{
		tl_contract_refuse(refusals, -1, statement->is_grant ? "GRANT" : "REVOKE",
						   "a contract gives privileges on its own tables, views, functions and types, and takes none away",
						   "GRANT SELECT or INSERT ON a table, GRANT EXECUTE ON FUNCTION, GRANT USAGE ON TYPE");
		return;
	}
	foreach(cell, statement->objects)
	{
		if (IsA(lfirst(cell), RangeVar))
			tl_contract_words_new_name(refusals, ((RangeVar *) lfirst(cell))->schemaname,
									   ((RangeVar *) lfirst(cell))->location);
		else if (IsA(lfirst(cell), ObjectWithArgs))
			names_alone(refusals, ((ObjectWithArgs *) lfirst(cell))->objname, -1);
		else
			names_alone(refusals, lfirst(cell), -1);
	}
	if (statement->privileges == NIL)
		tl_contract_refuse(refusals, -1, "GRANT ALL", "rows are never changed or deleted",
						   "GRANT SELECT, INSERT");
	foreach(cell, statement->privileges)
	{
		const char *name = lfirst_node(AccessPriv, cell)->priv_name;

		if (name == NULL || (strcmp(name, "select") != 0 && strcmp(name, "insert") != 0 &&
							 strcmp(name, "usage") != 0 && strcmp(name, "execute") != 0))
			tl_contract_refuse(refusals, -1, name == NULL ? "GRANT ALL" : name,
							   "rows are never changed or deleted", "GRANT SELECT, INSERT");
	}
	foreach(cell, statement->grantees)
		words_grantee(refusals, lfirst_node(RoleSpec, cell));
}

static void
words_grantee(TlRefusals *refusals, const RoleSpec *role)
{
	if (role->roletype == ROLESPEC_PUBLIC)
		return;
	for (size_t i = 0; role->roletype == ROLESPEC_CSTRING && i < lengthof(library_roles); i++)
		if (strcmp(role->rolename, library_roles[i]) == 0)
			return;
	tl_contract_refuse(refusals, role->location,
					   role->roletype == ROLESPEC_CSTRING ? role->rolename : "CURRENT_USER",
					   "other members do not have this role",
					   "PUBLIC, ledger_admin, ledger_submitter, ledger_reader or ledger_auditor");
}

static void
words_trigger(TlRefusals *refusals, const CreateTrigStmt *statement)
{
	tl_contract_words_new_name(refusals, statement->relation->schemaname,
							   statement->relation->location);
	if (list_length(statement->funcname) != 2 ||
		strcmp(strVal(linitial(statement->funcname)), "ledger") != 0 ||
		strcmp(strVal(lsecond(statement->funcname)), "verify_signature") != 0)
		tl_contract_refuse(refusals, -1, strVal(llast(statement->funcname)),
						   "a trigger runs at one member only, and changes what the others never see",
						   "EXECUTE FUNCTION ledger.verify_signature");
	if (statement->isconstraint || statement->replace || statement->whenClause != NULL)
		tl_contract_refuse(refusals, -1,
						   statement->isconstraint ? "CONSTRAINT" : statement->replace ? "OR REPLACE" : "WHEN",
						   "every row is to be signed", "leave it out");
}

/* Everything that no contract has. */
static void
words_other(TlRefusals *refusals, Node *statement)
{
	tl_contract_refuse(refusals, -1, GetCommandTagName(CreateCommandTag(statement)),
					   "a contract's script makes its own objects and does nothing else",
					   refusals->is_change ?
					   "CREATE; ALTER TABLE of state tables; DROP TABLE of those, DROP VIEW, DROP FUNCTION; INSERT, UPDATE, DELETE, SELECT function(); COMMENT, GRANT" :
					   "CREATE TABLE ... USING ledger or ledger_state, TYPE, DOMAIN, INDEX, VIEW, FUNCTION, TRIGGER; COMMENT, GRANT");
}

/* One level below what contains it. */
static bool
expression_walker(Node *node, void *context)
{
	TlRefusals *refusals = context;
	bool		done;

	if (node == NULL)
		return false;
	if (refusals->depth >= TL_CONTRACT_DEPTH_MAX)
	{
		tl_contract_refuse(refusals, -1, "nesting",
						   psprintf("a server may not be able to go deeper than %d levels", TL_CONTRACT_DEPTH_MAX),
						   "several expressions, domains or views");
		return true;
	}
	refusals->depth++;
	done = look_at_node(refusals, node);
	refusals->depth--;
	return done;
}

static bool
look_at_node(TlRefusals *refusals, Node *node)
{
	switch (nodeTag(node))
	{
		case T_A_Const:
			words_literal(refusals, (A_Const *) node);
			words_depth(refusals, (A_Const *) node);
			break;
		case T_FuncCall:
			words_name(refusals, ((FuncCall *) node)->funcname, ((FuncCall *) node)->location);
			return look_at_texts(refusals, node, message_literals((FuncCall *) node));
		case T_A_Expr:
			if (list_length(((A_Expr *) node)->name) > 1)
				words_name(refusals, ((A_Expr *) node)->name, ((A_Expr *) node)->location);
			break;
		case T_TypeCast:
			tl_contract_words_type(refusals, ((TypeCast *) node)->typeName);
			return look_at_texts(refusals, node, is_text(((TypeCast *) node)->typeName) ?
								 list_make1(((TypeCast *) node)->arg) : NIL);
		case T_CollateClause:
			tl_contract_words_collation(refusals, ((CollateClause *) node)->collname,
										((CollateClause *) node)->location);
			break;
		case T_SortBy:
			if (((SortBy *) node)->useOp != NIL)
				tl_contract_refuse(refusals, ((SortBy *) node)->location, "ORDER BY ... USING",
								   "other members may have another operator of that name, or none",
								   "ASC or DESC");
			break;
		case T_RangeVar:
			if (((RangeVar *) node)->schemaname != NULL)
				tl_contract_refuse(refusals, ((RangeVar *) node)->location,
								   ((RangeVar *) node)->schemaname,
								   "a contract reads its own tables and no others",
								   "the table's name without a schema");
			return false;
		default:
			break;
	}
	return raw_expression_tree_walker(node, expression_walker, refusals);
}

/* What is in it, where these literals are not read as anything else. */
static bool
look_at_texts(TlRefusals *refusals, Node *node, List *texts)
{
	List	   *outer = refusals->texts;
	bool		done;

	refusals->texts = texts;
	done = raw_expression_tree_walker(node, expression_walker, refusals);
	refusals->texts = outer;
	return done;
}

/* Of ledger.require(condition, 'words' || argument || ...). */
static List *
message_literals(const FuncCall *call)
{
	List	   *literals = NIL;
	const Node *node;

	if (list_length(call->funcname) != 2 || strcmp(strVal(linitial(call->funcname)), "ledger") != 0 ||
		strcmp(strVal(lsecond(call->funcname)), "require") != 0 || list_length(call->args) != 2)
		return NIL;
	node = lsecond(call->args);
	for (int i = 0; i < TL_CONTRACT_DEPTH_MAX && IsA(node, A_Expr); i++)
	{
		const A_Expr *operation = (const A_Expr *) node;

		if (operation->kind != AEXPR_OP || list_length(operation->name) != 1 ||
			strcmp(strVal(linitial(operation->name)), "||") != 0 || operation->lexpr == NULL)
			break;
		literals = lappend(literals, operation->rexpr);
		node = operation->lexpr;
	}
	return lappend(literals, unconstify(Node *, node));
}

/*
 * PostgreSQL's own, which is found before any of that name in the script.  In JSON there
 * are neither times nor numbers that a release reads otherwise.
 */
static bool
is_text(const TypeName *type)
{
	static const char *const types[] = {"text", "varchar", "json", "jsonb"};
	const char *name = type->names != NIL ? strVal(llast(type->names)) : "";

	return type->arrayBounds == NIL && tl_contract_is_listed(types, lengthof(types), name) &&
		(list_length(type->names) == 1 ||
		 (list_length(type->names) == 2 && strcmp(strVal(linitial(type->names)), "pg_catalog") == 0));
}

/*
 * 'now' and its like mean the day on which the script ran, at each member.  They
 * may stand anywhere in a date or time, which may stand in an array, a range or a
 * composite, with quotes and backslashes inside a word.
 */
static void
words_literal(TlRefusals *refusals, A_Const *literal)
{
	static const char *const days[] = {"now", "today", "tomorrow", "yesterday"};
	const char *text;

	if (literal->isnull || !IsA(&literal->val, String) || list_member_ptr(refusals->texts, literal))
		return;
	text = strVal(&literal->val);
	for (size_t i = 0; i < lengthof(days); i++)
		if (has_word(text, days[i]) || has_word(without_quotes(text), days[i]))
			tl_contract_refuse(refusals, literal->location, psprintf("'%s'", days[i]),
							   "as a date or time it would be another one at each member",
							   "a date or time in digits; for text '...'::text");
	if (tl_contract_number_in_literal(text) || tl_contract_number_in_literal(without_quotes(text)))
		tl_contract_refuse(refusals, literal->location,
						   psprintf("'%s'", pnstrdup(text, pg_mbcliplen(text, strlen(text), SHOWN_SIZE_MAX))),
						   TL_CONTRACT_NUMBER_WHY, "a decimal number; for text '...'::text");
}

/* No letter beside it. */
static bool
has_word(const char *text, const char *word)
{
	size_t		size = strlen(word);

	for (const char *place = text; *place != '\0'; place++)
		if (pg_strncasecmp(place, word, size) == 0 &&
			(place == text || !is_letter(place[-1])) && !is_letter(place[size]))
			return true;
	return false;
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char *
without_quotes(const char *text)
{
	char	   *result = palloc(strlen(text) + 1);
	char	   *end = result;

	for (; *text != '\0'; text++)
		if (*text != '"' && *text != '\\')
			*end++ = *text;
	*end = '\0';
	return result;
}

/* JSON, arrays, ranges and regular expressions are read recursively. */
static void
words_depth(TlRefusals *refusals, A_Const *literal)
{
	int			depth = 0;

	if (literal->isnull || !IsA(&literal->val, String))
		return;
	for (const char *text = strVal(&literal->val); *text != '\0'; text++)
	{
		if (strchr("([{", *text) != NULL)
			depth++;
		else if (strchr(")]}", *text) != NULL && depth > 0)
			depth--;
		if (depth > TL_CONTRACT_DEPTH_MAX)
		{
			tl_contract_refuse(refusals, literal->location, "nesting",
							   psprintf("a server may not be able to go deeper than %d levels", TL_CONTRACT_DEPTH_MAX),
							   "a literal with fewer levels");
			return;
		}
	}
}

/* Of a function, operator or type: alone, or with a schema that all members have. */
static void
words_name(TlRefusals *refusals, const List *name, int location)
{
	if (list_length(name) == 1 ||
		(list_length(name) == 2 && (strcmp(strVal(linitial(name)), "pg_catalog") == 0 ||
									strcmp(strVal(linitial(name)), "ledger") == 0)))
		return;
	tl_contract_refuse(refusals, location, strVal(linitial(name)),
					   "other members may have something else in this schema, or nothing",
					   "what PostgreSQL or schema ledger has");
}

/* Of an object of the contract. */
void
tl_contract_words_alone(TlRefusals *refusals, const List *name, int location)
{
	names_alone(refusals, name, location);
}

static void
names_alone(TlRefusals *refusals, const List *name, int location)
{
	if (list_length(name) > 1)
		tl_contract_words_new_name(refusals, strVal(linitial(name)), location);
}
