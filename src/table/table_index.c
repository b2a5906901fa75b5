/*-------------------------------------------------------------------------
 *
 * table_index.c
 *	  Which indexes can store whatever a row of a state table holds.
 *
 * A call writes its rows at all members, and what becomes of it must not be
 * decided by an index: neither by one of the contract itself, in whose keys long
 * values would end calls by a limit of the server, nor by a member's own, in
 * which an error would be the result at this member alone.  So entries of a btree
 * have a bound, and a member's own index computes nothing: columns only, with
 * PostgreSQL's own operator classes.  A hash index stores a few bytes for a value
 * of any length.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "table_index.h"
#include "table_state.h"
#include "tl_error.h"

static HeapTuple read_index(Relation catalog, Oid index);
static bool has_own_classes(Relation catalog, HeapTuple tuple);
static int	width_of(Form_pg_index form);
tl_noreturn static void refuse_expression(const char *name);
tl_noreturn static void refuse_method(const char *name);
tl_noreturn static void refuse_width(const char *name);

/* -1 if there is no bound.  A character has at most 4 bytes. */
int
tl_table_index_value_size(Oid type, int32 modifier)
{
	int16		length;

	type = getBaseTypeAndTypmod(type, &modifier);
	length = get_typlen(type);
	if (length > 0)
		return TYPEALIGN(8, length);
	if ((type == VARCHAROID || type == BPCHAROID) && modifier > VARHDRSZ)
		return TYPEALIGN(8, VARHDRSZ + 4 * (modifier - VARHDRSZ));
	if (type == NUMERICOID && modifier > VARHDRSZ)
		return TYPEALIGN(8, 16 + ((modifier - VARHDRSZ) >> 16));
	return -1;
}

/* A member makes an index of its own, maybe on a state table. */
void
tl_table_index_guard(Oid index, Form_pg_class form)
{
	Relation	catalog = table_open(IndexRelationId, AccessShareLock);
	HeapTuple	tuple = read_index(catalog, index);
	int			width;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "index \"%s\" is not in the catalog", NameStr(form->relname));
	if (tl_table_state_is_state(((Form_pg_index) GETSTRUCT(tuple))->indrelid))
	{
		if (!heap_attisnull(tuple, Anum_pg_index_indexprs, NULL) ||
			!heap_attisnull(tuple, Anum_pg_index_indpred, NULL))
			refuse_expression(NameStr(form->relname));
		if ((form->relam != BTREE_AM_OID && form->relam != HASH_AM_OID) ||
			has_own_classes(catalog, tuple))
			refuse_method(NameStr(form->relname));
		width = form->relam == HASH_AM_OID ? 0 : width_of((Form_pg_index) GETSTRUCT(tuple));
		if (width < 0 || width > TL_INDEX_WIDTH_MAX)
			refuse_width(NameStr(form->relname));
	}
	table_close(catalog, AccessShareLock);
}

/* It is not in the syscache yet. */
static HeapTuple
read_index(Relation catalog, Oid index)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_index_indexrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(index));
	scan = systable_beginscan(catalog, IndexRelidIndexId, true, SnapshotSelf, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	return tuple;
}

/* Operator classes that somebody has made. */
static bool
has_own_classes(Relation catalog, HeapTuple tuple)
{
	bool		is_null;
	oidvector  *classes = (oidvector *) DatumGetPointer(heap_getattr(tuple, Anum_pg_index_indclass,
																	 RelationGetDescr(catalog), &is_null));

	for (int i = 0; i < classes->dim1; i++)
		if (classes->values[i] >= FirstNormalObjectId)
			return true;
	return false;
}

/* Of an entry, at most; -1 if there is no bound. */
static int
width_of(Form_pg_index form)
{
	int			width = 0;

	for (int i = 0; i < form->indnatts; i++)
	{
		Oid			type;
		Oid			collation;
		int32		modifier;
		int			size;

		get_atttypetypmodcoll(form->indrelid, form->indkey.values[i], &type, &modifier, &collation);
		size = tl_table_index_value_size(type, modifier);
		if (size < 0)
			return -1;
		width += size;
	}
	return width;
}

static void
refuse_expression(const char *name)
{
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
			errmsg("index \"%s\" on a state table can have neither expressions nor a predicate", name),
			errdetail("An error in one would be the result of a call at this member alone."),
			errhint("Index the columns themselves."));
}

static void
refuse_method(const char *name)
{
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
			errmsg("index \"%s\" on a state table has to be a btree or hash of PostgreSQL's own", name),
			errdetail("An error in another one would be the result of a call at this member alone."),
			errhint("Say USING btree or USING hash, and no operator class."));
}

static void
refuse_width(const char *name)
{
	ereport(ERROR,
			errcode(TL_ERRCODE(TL_DEFINITION_FIXED)),
			errmsg("index \"%s\" on a state table has no room for every value", name),
			errdetail("A row that a call writes at all members could not be stored here: entries of an index may have %d bytes at most.", TL_INDEX_WIDTH_MAX),
			errhint("Say USING hash, or index columns of a bounded length, such as varchar(n)."));
}
