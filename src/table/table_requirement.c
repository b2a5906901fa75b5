/*-------------------------------------------------------------------------
 *
 * table_requirement.c
 *	  What must be signed: from a trigger's arguments, and on the ledger.
 *
 * A trigger that executes ledger.verify_signature says by its arguments which
 * columns hold key and signature and which are signed.  On a ledger table that
 * is also kept in ledger_internal.signature_requirement, with attribute numbers
 * and type tags as they were when the trigger was created, so that messages stay
 * what they were when a type is renamed.  The worker checks each row against it
 * again: whether the trigger ran does not matter.
 *
 * Each leaf of a partitioned table has its own.  Messages name the table on
 * which the trigger was created and the attribute numbers that the columns have
 * there, since a signer cannot know the leaf.
 *
 * Invariants
 *	  Q1  a trigger on a ledger table has its requirement, once the statement
 *		  that made it has ended; in restore mode once the node resumes
 *	  Q2  a requirement goes only while the table has no rows
 *	  Q3  a requirement binds the rows that were inserted after it.  CREATE
 *		  TRIGGER excludes writers, so those of other transactions that are
 *		  older are visible to a snapshot taken then; of its own transaction,
 *		  the last number issued is kept.
 *	  Q4  what is kept is on the ledger: a version of the table whose action is
 *
 *			sign 1 secp256k1 row key 4 signature 5 columns 1:1:20,2:2:25 as
 *			<id in messages> since <ref> <snapshot>
 *
 *		  (each column as attribute:number in messages:type tag), and "unsign 1"
 *		  if it went again.  ledger.verify compares.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/uuid.h"
#include "utils/varlena.h"
#include "utils/xid8.h"

#include "table_access.h"
#include "table_am.h"
#include "table_catalog.h"
#include "table_create.h"
#include "table_definition.h"
#include "table_issue.h"
#include "table_requirement.h"
#include "table_type.h"
#include "tl_error.h"

static void check_form(Relation relation, const Trigger *trigger);
static void refuse_form(Relation relation, const Trigger *trigger,
						const char *detail, const char *hint);
static void check_arguments(const Trigger *trigger);
static int	hint_arguments(void);
static Oid	root_of(Relation relation, const Trigger *trigger);
static void signing_id(uint8_t table_id[TL_TABLE_ID_SIZE], Oid root);
static AttrNumber column_of(Relation relation, const Trigger *trigger,
							const char *name);
static AttrNumber bytes_column(Relation relation, const Trigger *trigger,
							   const char *argument);
static List *split_names(const Trigger *trigger, const char *argument);
static void parse_columns(TlRequirement *out, Relation relation,
						  const Trigger *trigger, Oid root);
static void check_signed_column(const TlRequirement *requirement,
								Relation relation, const Trigger *trigger,
								AttrNumber attribute);
static void insert_sorted(TlRequirement *out, AttrNumber attribute,
						  AttrNumber number, uint32_t tag);
static bool is_same(const TlRequirement *left, const TlRequirement *right);
static TlRequirement *find_same(List *list, const TlRequirement *wanted);
static void check_triggers(Oid relation_oid, bool complete);
static char *requirement_text(const TlRequirement *requirement);
static List *published_texts(const uint8_t table_id[TL_TABLE_ID_SIZE]);
static bool has_text(List *texts, const char *wanted);

/* Does the trigger execute ledger.verify_signature? */
bool
tl_table_requirement_is_ours(const Trigger *trigger)
{
	List	   *name = list_make2(makeString(pstrdup("ledger")),
								  makeString(pstrdup("verify_signature")));
	Oid			function = LookupFuncName(name, 0, NULL, true);

	return OidIsValid(function) && trigger->tgfoid == function;
}

/* The trigger's arguments, all of them checked. */
TlRequirement *
tl_table_requirement_parse(Relation relation, const Trigger *trigger)
{
	TlRequirement *out = palloc0(sizeof(TlRequirement));
	Oid			root;

	check_form(relation, trigger);
	check_arguments(trigger);
	out->per_statement = !TRIGGER_FOR_ROW(trigger->tgtype);
	out->algorithm = TL_SIGNATURE_SECP256K1;
	if (trigger->tgnargs == 4 &&
		!tl_table_signature_parse(&out->algorithm, trigger->tgargs[3]))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("trigger \"%s\" names an unknown algorithm \"%s\"",
					   trigger->tgname, trigger->tgargs[3]),
				errhint("Use 'secp256k1', 'bip340' or 'es256'."));
	out->key_attribute = bytes_column(relation, trigger, trigger->tgargs[0]);
	out->signature_attribute = bytes_column(relation, trigger, trigger->tgargs[1]);
	if (out->key_attribute == out->signature_attribute)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("trigger \"%s\" names one column for key and signature",
					   trigger->tgname),
				hint_arguments());
	root = root_of(relation, trigger);
	signing_id(out->signing_id, root);
	parse_columns(out, relation, trigger, root);
	return out;
}

/* When it fires, and on what. */
static void
check_form(Relation relation, const Trigger *trigger)
{
	int16		type = trigger->tgtype;
	bool		partitioned = relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ||
		relation->rd_rel->relispartition;

	if (relation->rd_rel->relkind != RELKIND_RELATION &&
		relation->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		refuse_form(relation, trigger, "It can be on a table only.",
					"Create the trigger on the table behind it.");
	if (!TRIGGER_FOR_INSERT(type) || TRIGGER_FOR_DELETE(type) ||
		TRIGGER_FOR_TRUNCATE(type) || TRIGGER_FOR_INSTEAD(type))
		refuse_form(relation, trigger,
					"It must fire for INSERT, and may fire for UPDATE.",
					"Use AFTER INSERT ... FOR EACH ROW, or AFTER INSERT OR UPDATE.");
	if (tl_table_am_is_ours(relation) && trigger->tgqual != NULL)
		refuse_form(relation, trigger,
					"On a ledger table every row must be signed, so there can be no WHEN.",
					"Use a table of its own for rows without signatures.");
	if (TRIGGER_FOR_ROW(type))
		return;
	if (!TRIGGER_FOR_AFTER(type) || TRIGGER_FOR_UPDATE(type) ||
		trigger->tgnewtable == NULL)
		refuse_form(relation, trigger,
					"For each statement it needs to see the statement's new rows.",
					"Use AFTER INSERT ... REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT, or FOR EACH ROW.");
	if (partitioned)
		refuse_form(relation, trigger,
					"The rows of one statement may end in several partitions, or come past the partition's own triggers.",
					"Use FOR EACH ROW on the partitioned table.");
}

static void
refuse_form(Relation relation, const Trigger *trigger, const char *detail,
			const char *hint)
{
	ereport(ERROR,
			errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			errmsg("trigger \"%s\" on \"%s\" cannot execute ledger.verify_signature",
				   trigger->tgname, RelationGetRelationName(relation)),
			errdetail_internal("%s", detail),
			errhint("%s", hint));
}

static void
check_arguments(const Trigger *trigger)
{
	if (trigger->tgnargs != 3 && trigger->tgnargs != 4)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("ledger.verify_signature takes 3 or 4 arguments, trigger \"%s\" gives %d",
					   trigger->tgname, trigger->tgnargs),
				hint_arguments());
}

static int
hint_arguments(void)
{
	return errhint("The trigger's arguments are 'key_column', 'signature_column', 'column, column, ...', and perhaps 'secp256k1', 'bip340' or 'es256'.");
}

/* The table on which the trigger was created, up the partitions. */
static Oid
root_of(Relation relation, const Trigger *trigger)
{
	Oid			root = RelationGetRelid(relation);
	Oid			next = trigger->tgoid;
	Relation	catalog;

	if (!trigger->tgisclone)
		return root;
	catalog = table_open(TriggerRelationId, AccessShareLock);
	while (OidIsValid(next))
	{
		ScanKeyData key;
		SysScanDesc scan;
		HeapTuple	tuple;

		ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ,
					ObjectIdGetDatum(next));
		scan = systable_beginscan(catalog, TriggerOidIndexId, true, NULL, 1, &key);
		tuple = systable_getnext(scan);
		next = InvalidOid;
		if (HeapTupleIsValid(tuple))
		{
			root = ((Form_pg_trigger) GETSTRUCT(tuple))->tgrelid;
			next = ((Form_pg_trigger) GETSTRUCT(tuple))->tgparentid;
		}
		systable_endscan(scan);
	}
	table_close(catalog, AccessShareLock);
	return root;
}

/* The table id that messages name. */
static void
signing_id(uint8_t table_id[TL_TABLE_ID_SIZE], Oid root)
{
	if (tl_table_catalog_is_ledger(root) ? tl_table_catalog_id(table_id, root) :
		tl_table_catalog_parent_id(table_id, root))
		return;
	tl_error_check(tl_table_signature_table_id(table_id,
											   get_namespace_name(get_rel_namespace(root)),
											   get_rel_name(root)),
				   "table id of a table");
}

static AttrNumber
column_of(Relation relation, const Trigger *trigger, const char *name)
{
	AttrNumber	attribute = get_attnum(RelationGetRelid(relation), name);

	if (attribute <= 0)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_COLUMN),
				errmsg("column \"%s\" that trigger \"%s\" names is not in table \"%s\"",
					   name, trigger->tgname, RelationGetRelationName(relation)),
				hint_arguments());
	return attribute;
}

/* The column of key or signature. */
static AttrNumber
bytes_column(Relation relation, const Trigger *trigger, const char *argument)
{
	List	   *list = split_names(trigger, argument);
	AttrNumber	attribute;
	Form_pg_attribute form;

	if (list_length(list) != 1)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("trigger \"%s\" must name one column for the key and one for the signature",
					   trigger->tgname),
				hint_arguments());
	attribute = column_of(relation, trigger, linitial(list));
	form = TupleDescAttr(RelationGetDescr(relation), attribute - 1);
	if (getBaseType(form->atttypid) != BYTEAOID)
		ereport(ERROR,
				errcode(ERRCODE_DATATYPE_MISMATCH),
				errmsg("column \"%s\" that trigger \"%s\" names for key or signature must have type bytea",
					   NameStr(form->attname), trigger->tgname),
				errhint("Name a column of type bytea, or of a domain over it."));
	if (form->attgenerated != '\0')
		ereport(ERROR,
				errcode(ERRCODE_INVALID_COLUMN_DEFINITION),
				errmsg("column \"%s\" that trigger \"%s\" names for key or signature cannot be generated",
					   NameStr(form->attname), trigger->tgname),
				errhint("Name a column that INSERT fills in."));
	return attribute;
}

/* Names as in SQL: folded to lower case unless they are quoted. */
static List *
split_names(const Trigger *trigger, const char *argument)
{
	List	   *list;

	if (!SplitIdentifierString(pstrdup(argument), ',', &list))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("trigger \"%s\" has an invalid list of columns: \"%s\"",
					   trigger->tgname, argument),
				hint_arguments());
	return list;
}

/* The columns that are signed, in order of their numbers in messages. */
static void
parse_columns(TlRequirement *out, Relation relation, const Trigger *trigger,
			  Oid root)
{
	List	   *list = split_names(trigger, trigger->tgargs[2]);
	ListCell   *cell;

	if (list == NIL)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("trigger \"%s\" names no columns that are signed",
					   trigger->tgname),
				hint_arguments());
	out->attributes = palloc(sizeof(AttrNumber) * list_length(list));
	out->numbers = palloc(sizeof(AttrNumber) * list_length(list));
	out->type_tags = palloc(sizeof(uint32_t) * list_length(list));
	foreach(cell, list)
	{
		const char *name = lfirst(cell);
		AttrNumber	attribute = column_of(relation, trigger, name);
		Oid			type = TupleDescAttr(RelationGetDescr(relation),
										 attribute - 1)->atttypid;

		check_signed_column(out, relation, trigger, attribute);
		insert_sorted(out, attribute, get_attnum(root, name),
					  tl_table_type_tag(type));
	}
}

static void
check_signed_column(const TlRequirement *requirement, Relation relation,
					const Trigger *trigger, AttrNumber attribute)
{
	Form_pg_attribute form = TupleDescAttr(RelationGetDescr(relation), attribute - 1);
	const char *detail = NULL;
	char	   *reason;

	if (attribute == requirement->key_attribute)
		detail = "It holds the key, which is part of every message anyway.";
	else if (attribute == requirement->signature_attribute)
		detail = "It holds the signature.";
	else if (form->atttypid == tl_table_ref_type())
		detail = "A ledger_ref is issued by INSERT, so that no signer can know it.";
	else if (form->attgenerated != '\0' && TRIGGER_FOR_BEFORE(trigger->tgtype))
		detail = "It is generated, which happens after BEFORE triggers; use AFTER.";
	else if (form->attgenerated != '\0' &&
			 form->attgenerated != ATTRIBUTE_GENERATED_STORED)
		detail = "It is generated when it is read.";
	for (int i = 0; i < requirement->column_count; i++)
		if (requirement->attributes[i] == attribute)
			detail = "It is listed twice.";
	if (detail == NULL && !tl_table_type_supported(form->atttypid, &reason))
		detail = reason;
	if (detail != NULL)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("column \"%s\" cannot be among those that trigger \"%s\" says are signed",
					   NameStr(form->attname), trigger->tgname),
				errdetail_internal("%s", detail),
				errhint("Change the list of columns in the trigger's third argument."));
}

static void
insert_sorted(TlRequirement *out, AttrNumber attribute, AttrNumber number,
			  uint32_t tag)
{
	int			i = out->column_count++;

	for (; i > 0 && out->numbers[i - 1] > number; i--)
	{
		out->attributes[i] = out->attributes[i - 1];
		out->numbers[i] = out->numbers[i - 1];
		out->type_tags[i] = out->type_tags[i - 1];
	}
	out->attributes[i] = attribute;
	out->numbers[i] = number;
	out->type_tags[i] = tag;
}

/*
 * What a trigger demands: of a ledger table what is kept, so that trigger and
 * worker never differ.
 */
TlRequirement *
tl_table_requirement_of_trigger(Relation relation, const Trigger *trigger)
{
	TlRequirement *parsed = tl_table_requirement_parse(relation, trigger);
	TlRequirement *kept;
	TlIdentity	identity;

	if (!tl_table_am_is_ours(relation))
		return parsed;
	kept = find_same(tl_table_requirement_load(RelationGetRelid(relation)), parsed);
	if (kept == NULL)
	{
		tl_table_identity(&identity);
		if (!identity.exists)
			tl_error_not_a_node();
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_CHAIN_DAMAGED)),
				errmsg("trigger \"%s\" on ledger table \"%s\" has no signature requirement",
					   trigger->tgname, RelationGetRelationName(relation)),
				errdetail("Its row in ledger_internal.signature_requirement is missing."),
				tl_table_identity_is_restoring(&identity) ?
				errhint("Run SELECT ledger.resume(), which completes a restored copy or says what is missing.") :
				tl_error_hint_damaged());
	}
	return kept;
}

/*
 * Do both demand the same of a row?  The id does not count: a trigger of the
 * leaf's own beside that of its partitioned table would ask for two signatures.
 */
static bool
is_same(const TlRequirement *left, const TlRequirement *right)
{
	return left->algorithm == right->algorithm &&
		left->per_statement == right->per_statement &&
		left->key_attribute == right->key_attribute &&
		left->signature_attribute == right->signature_attribute &&
		left->column_count == right->column_count &&
		memcmp(left->attributes, right->attributes,
			   sizeof(AttrNumber) * left->column_count) == 0;
}

static TlRequirement *
find_same(List *list, const TlRequirement *wanted)
{
	ListCell   *cell;

	foreach(cell, list)
		if (is_same(lfirst(cell), wanted))
			return lfirst(cell);
	return NULL;
}

/* Q3 */
bool
tl_table_requirement_binds(const TlRequirement *requirement,
						   const TlRefBytes *ref)
{
	TlRef		row,
				since;
	Datum		xid;

	tl_table_ref_unpack(&row, ref);
	tl_table_ref_unpack(&since, &requirement->since_ref);
	if (row.member != since.member)
		return true;			/* shared tables: they demand it from the beginning */
	if (row.incarnation != since.incarnation)
		return row.incarnation > since.incarnation;
	if (row.transaction == since.transaction)
		return row.row > since.row;
	xid = FullTransactionIdGetDatum(FullTransactionIdFromU64(row.transaction));
	return !DatumGetBool(DirectFunctionCall2(pg_visible_in_snapshot, xid,
											 requirement->since));
}

/*
 * Q4: append to ledger.table_version what the ledger does not know yet of the
 * table's requirements.  After the definition itself, which comes first.
 */
void
tl_table_requirement_publish(Oid relation)
{
	List	   *published;
	ListCell   *cell;
	TlIdentity	identity;
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	List	   *kept = tl_table_requirement_load(relation);

	tl_table_identity(&identity);
	if (kept == NIL || tl_table_identity_is_restoring(&identity) ||
		!tl_table_catalog_id(table_id, relation))
		return;
	published = published_texts(table_id);
	foreach(cell, kept)
	{
		char	   *text = requirement_text(lfirst(cell));

		if (!has_text(published, text))
			tl_table_definition_write(relation, text, true);
	}
}

/*
 * Does what is kept differ from what the ledger says, or from the triggers?
 * Then one of each that has no other, or NULL.
 */
bool
tl_table_requirement_differs(Relation relation, char **expected, char **found)
{
	List	   *kept = tl_table_requirement_load(RelationGetRelid(relation));
	TriggerDesc *triggers = relation->trigdesc;
	List	   *texts = NIL;
	List	   *published = NIL;
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	ListCell   *cell;

	*expected = *found = NULL;
	foreach(cell, kept)
		texts = lappend(texts, requirement_text(lfirst(cell)));
	if (tl_table_catalog_id(table_id, RelationGetRelid(relation)))
		published = published_texts(table_id);
	foreach(cell, published)
		if (!has_text(texts, lfirst(cell)))
			*expected = lfirst(cell);
	foreach(cell, texts)
		if (!has_text(published, lfirst(cell)))
			*found = lfirst(cell);
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (*expected == NULL && tl_table_requirement_is_ours(trigger) &&
			find_same(kept, tl_table_requirement_parse(relation, trigger)) == NULL)
			*expected = psprintf("what trigger %s says", trigger->tgname);
	}
	return *expected != NULL || *found != NULL;
}

/* All of a requirement, as an action of ledger.table_version. */
static char *
requirement_text(const TlRequirement *requirement)
{
	StringInfoData text;
	pg_uuid_t	uuid;
	TlRef		since;

	initStringInfo(&text);
	appendStringInfo(&text, "sign %d %s %s key %d signature %d",
					 requirement->number,
					 tl_table_signature_name(requirement->algorithm),
					 requirement->per_statement ? "statement" : "row",
					 requirement->key_attribute,
					 requirement->signature_attribute);
	for (int i = 0; i < requirement->column_count; i++)
		appendStringInfo(&text, "%s%d:%d:%u", i == 0 ? " columns " : ",",
						 requirement->attributes[i], requirement->numbers[i],
						 requirement->type_tags[i]);
	memcpy(uuid.data, requirement->signing_id, TL_TABLE_ID_SIZE);
	tl_table_ref_unpack(&since, &requirement->since_ref);
	appendStringInfo(&text, " as %s since %s %s",
					 DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&uuid))),
					 tl_table_ref_text(&since),
					 DatumGetCString(DirectFunctionCall1(pg_snapshot_out, requirement->since)));
	return text.data;
}

/* What the ledger says is demanded now. */
static List *
published_texts(const uint8_t table_id[TL_TABLE_ID_SIZE])
{
	List	   *texts = NIL;
	ListCell   *cell;

	foreach(cell, tl_table_definition_actions(table_id))
	{
		const char *action = lfirst(cell);
		ListCell   *other;
		char	   *prefix;

		if (strncmp(action, "sign ", 5) == 0)
			texts = lappend(texts, lfirst(cell));
		if (strncmp(action, "unsign ", 7) != 0)
			continue;
		prefix = psprintf("sign %s ", action + 7);
		foreach(other, texts)
			if (strncmp(lfirst(other), prefix, strlen(prefix)) == 0)
				texts = foreach_delete_current(texts, other);
	}
	return texts;
}

static bool
has_text(List *texts, const char *wanted)
{
	ListCell   *cell;

	foreach(cell, texts)
		if (strcmp(lfirst(cell), wanted) == 0)
			return true;
	return false;
}

/*
 * A statement has touched the table: what its triggers say is sound, and Q1.
 * In restore mode what is demanded comes with the dump's rows, before or after
 * the trigger or at the same time.
 */
void
tl_table_requirement_check(Oid relation)
{
	check_triggers(relation, !tl_table_create_is_restored(relation));
}

/* Keep what the table's triggers demand and nothing that is kept does. */
void
tl_table_requirement_complete(Oid relation)
{
	check_triggers(relation, true);
}

static void
check_triggers(Oid relation_oid, bool complete)
{
	Relation	relation = table_open(relation_oid, AccessShareLock);
	TriggerDesc *triggers = relation->trigdesc;
	uint8_t		table_id[TL_TABLE_ID_SIZE];

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		TlRequirement *parsed;
		List	   *kept;

		if (!tl_table_requirement_is_ours(&triggers->triggers[i]))
			continue;
		parsed = tl_table_requirement_parse(relation, &triggers->triggers[i]);
		if (!complete || !tl_table_am_is_ours(relation) ||
			!tl_table_catalog_id(table_id, relation_oid))
			continue;
		kept = tl_table_requirement_load(relation_oid);
		if (find_same(kept, parsed) == NULL)
			tl_table_requirement_store(relation, parsed, kept == NIL ? 1 :
									   ((TlRequirement *) llast(kept))->number + 1);
	}
	table_close(relation, NoLock);
}

/* A trigger of the table was dropped or replaced: Q2. */
void
tl_table_requirement_release(Oid relation_oid)
{
	Relation	relation = table_open(relation_oid, AccessShareLock);
	TriggerDesc *triggers = relation->trigdesc;
	List	   *parsed = NIL;
	ListCell   *cell;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
		if (tl_table_requirement_is_ours(&triggers->triggers[i]))
			parsed = lappend(parsed,
							 tl_table_requirement_parse(relation, &triggers->triggers[i]));
	foreach(cell, tl_table_requirement_load(relation_oid))
	{
		TlRequirement *kept = lfirst(cell);

		if (find_same(parsed, kept) != NULL)
			continue;
		if (tl_table_access_has_rows(relation_oid))
			ereport(ERROR,
					errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
					errmsg("cannot drop the signature trigger of ledger table \"%s\" because it has rows",
						   RelationGetRelationName(relation)),
					errdetail("Its rows must be signed, and so must all that follow."),
					errhint("Use a new table for rows without signatures."));
		tl_table_requirement_remove(relation_oid, kept->number);
		tl_table_definition_write(relation_oid, psprintf("unsign %d", kept->number), true);
	}
	table_close(relation, NoLock);
}
