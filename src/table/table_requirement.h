/*-------------------------------------------------------------------------
 *
 * table_requirement.h
 *	  What must be signed: from a trigger's arguments, and as it is kept.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_REQUIREMENT_H
#define TABLE_REQUIREMENT_H

#include "nodes/pg_list.h"
#include "utils/rel.h"

#include "table_ref.h"
#include "table_signature.h"

/* ledger_internal.signature_requirement */
#define Natts_signature_requirement					12
#define Anum_signature_requirement_table_id			1
#define Anum_signature_requirement_number			2
#define Anum_signature_requirement_signing_id		3
#define Anum_signature_requirement_algorithm		4
#define Anum_signature_requirement_per_statement	5
#define Anum_signature_requirement_key_attribute	6
#define Anum_signature_requirement_signature_attribute	7
#define Anum_signature_requirement_attributes		8
#define Anum_signature_requirement_numbers			9
#define Anum_signature_requirement_type_tags		10
#define Anum_signature_requirement_since			11
#define Anum_signature_requirement_since_ref		12

typedef struct TlRequirement
{
	uint8_t		signing_id[TL_TABLE_ID_SIZE];	/* the table id in messages */
	TlSignatureAlgorithm algorithm;
	bool		per_statement;
	AttrNumber	key_attribute;
	AttrNumber	signature_attribute;
	int			column_count;	/* of those that are signed */
	AttrNumber *attributes;		/* in the table */
	AttrNumber *numbers;		/* in messages, ascending */
	uint32_t   *type_tags;

	/* as kept for a ledger table */
	int			number;			/* from 1, for each table */
	Datum		since;			/* pg_snapshot: what it sees is exempt */
	TlRefBytes	since_ref;		/* and so is its transaction up to this row */
} TlRequirement;

struct Trigger;

extern bool tl_table_requirement_is_ours(const struct Trigger *trigger);
extern TlRequirement *tl_table_requirement_parse(Relation relation,
												 const struct Trigger *trigger);
extern TlRequirement *tl_table_requirement_of_trigger(Relation relation,
													  const struct Trigger *trigger);
extern bool tl_table_requirement_any(void);
extern List *tl_table_requirement_load(Oid relation);
extern bool tl_table_requirement_binds(const TlRequirement *requirement,
									   const TlRefBytes *ref);
extern void tl_table_requirement_publish(Oid relation);
extern bool tl_table_requirement_differs(Relation relation, char **expected,
										 char **found);
extern void tl_table_requirement_check(Oid relation);
extern void tl_table_requirement_complete(Oid relation);
extern void tl_table_requirement_release(Oid relation);
extern void tl_table_requirement_forget(Oid relation);

/* The rows themselves; number 0 stands for all of a table. */
extern void tl_table_requirement_store(Relation relation,
									   const TlRequirement *requirement,
									   int number);
extern void tl_table_requirement_remove(Oid relation, int number);

#endif							/* TABLE_REQUIREMENT_H */
