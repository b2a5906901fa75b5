/*-------------------------------------------------------------------------
 *
 * proof_asked.c
 *	  The rows that somebody asks receipts for, in the order of the chain.
 *
 * They are looked for with the caller's own rights (proof_row.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/array.h"
#include "utils/lsyscache.h"

#include "proof_asked.h"
#include "proof_row.h"

static TlRefBytes *read_refs(ArrayType *array, int *count);
static int	compare_refs(const void *left, const void *right);
static int	compare_rows(const void *left, const void *right);
static int	compare_sections(const TlAskedRow *a, const TlAskedRow *b);

/* The rows of a table, or of a parent's partitions, with these refs. */
TlAskedRow *
tl_proof_asked_read(Oid relation, ArrayType *array, int *row_count)
{
	int			count;
	TlRefBytes *refs = read_refs(array, &count);
	TlAskedRow *rows = MemoryContextAllocHuge(CurrentMemoryContext,
											  sizeof(TlAskedRow) * (Size) count);
	Oid		   *relations = palloc(sizeof(Oid) * count);

	tl_proof_row_find_all(relations, relation, refs, count);
	for (int i = 0; i < count; i++)
	{
		rows[i].ref = refs[i];
		rows[i].relation = relations[i];
		rows[i].defines = NULL;
	}
	*row_count = count;
	return rows;
}

/* In order, each once. */
static TlRefBytes *
read_refs(ArrayType *array, int *count)
{
	Datum	   *values;
	bool	   *nulls;
	int			value_count;
	int16		type_size;
	bool		by_value;
	char		alignment;
	TlRefBytes *refs;
	int			kept = 0;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &type_size, &by_value, &alignment);
	deconstruct_array(array, ARR_ELEMTYPE(array), type_size, by_value, alignment,
					  &values, &nulls, &value_count);
	if (value_count == 0 || value_count > TL_RECEIPTS_ROWS_MAX)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("receipts are made for 1 to %d rows at once",
					   TL_RECEIPTS_ROWS_MAX),
				errdetail("The array of refs has %d elements.", value_count),
				errhint("Ask for at least one row, and for very many in several documents, with one size of tree head."));
	refs = palloc(sizeof(TlRefBytes) * value_count);
	for (int i = 0; i < value_count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("the array of refs must not contain nulls"),
					errhint("Use array_agg(ledger_ref) ... WHERE ledger_ref IS NOT NULL, or array_remove(refs, NULL)."));
		refs[i] = *DatumGetTlRefBytes(values[i]);
	}
	qsort(refs, value_count, sizeof(TlRefBytes), compare_refs);
	for (int i = 0; i < value_count; i++)
	{
		if (kept == 0 || compare_refs(&refs[i], &refs[kept - 1]) != 0)
			refs[kept++] = refs[i];
	}
	*count = kept;
	return refs;
}

static int
compare_refs(const void *left, const void *right)
{
	return tl_table_ref_compare(left, right);
}

void
tl_proof_asked_sort(TlAskedRow *rows, int count)
{
	qsort(rows, count, sizeof(TlAskedRow), compare_rows);
}

bool
tl_proof_asked_same_section(const TlAskedRow *a, const TlAskedRow *b)
{
	return compare_sections(a, b) == 0;
}

/* As sections are found; in one, by ref. */
static int
compare_rows(const void *left, const void *right)
{
	const TlAskedRow *a = left;
	const TlAskedRow *b = right;
	int			order = compare_sections(a, b);

	return order != 0 ? order : tl_table_ref_compare(&a->ref, &b->ref);
}

/* By block, batch, section; an own batch has one section of a table. */
static int
compare_sections(const TlAskedRow *a, const TlAskedRow *b)
{
	int			order = tl_proof_asked_order(a->place.height, b->place.height);

	if (order == 0)
		order = tl_proof_asked_order(a->place.foreign, b->place.foreign);
	if (order == 0)
		order = tl_proof_asked_order(a->place.member, b->place.member);
	if (order == 0)
		order = tl_proof_asked_order(a->place.incarnation, b->place.incarnation);
	if (order == 0)
		order = tl_proof_asked_order(a->place.batch, b->place.batch);
	if (order == 0)
		order = tl_proof_asked_order(a->place.section, b->place.section);
	return order != 0 ? order : tl_proof_asked_order(a->relation, b->relation);
}

int
tl_proof_asked_order(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}
