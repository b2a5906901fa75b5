/*-------------------------------------------------------------------------
 *
 * table_definition.h
 *	  Definitions of ledger tables as rows of ledger.table_version.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_DEFINITION_H
#define TABLE_DEFINITION_H

#include "nodes/pg_list.h"
#include "utils/rel.h"

#include "table_encode.h"

/* ledger.table_version */
#define Natts_table_version						10
#define Anum_table_version_table_id				1
#define Anum_table_version_version				2
#define Anum_table_version_action				3
#define Anum_table_version_schema_name			4
#define Anum_table_version_table_name			5
#define Anum_table_version_attribute_numbers	6
#define Anum_table_version_column_names			7
#define Anum_table_version_type_names			8
#define Anum_table_version_type_tags			9
#define Anum_table_version_ledger_ref			10

/* Is the row with this ref among those to choose from? */
typedef bool (*TlRefAccept) (void *context, const TlRef *ref);

/* Only while the library itself writes a definition. */
extern bool tl_table_definition_writing;

extern Oid	tl_table_definition_relation(void);
extern bool tl_table_definition_load(TlTableVersion *out, Oid relation,
									 TlRefAccept accept, void *accept_context,
									 MemoryContext context);
extern bool tl_table_definition_load_exact(TlTableVersion *out,
										   const uint8_t table_id[TL_TABLE_ID_SIZE],
										   uint32_t version,
										   MemoryContext context);
extern void tl_table_definition_current(TlTableVersion *out, Relation relation);
extern char *tl_table_definition_difference(const TlTableVersion *old,
											const TlTableVersion *new);
extern void tl_table_definition_write(Oid relation, const char *action,
									  bool always);
extern void tl_table_definition_write_end(const TlTableVersion *last,
										  const char *action);
extern void tl_table_definition_write_missing(void);
extern List *tl_table_definition_actions(const uint8_t table_id[TL_TABLE_ID_SIZE]);

#endif							/* TABLE_DEFINITION_H */
