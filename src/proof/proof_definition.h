/*-------------------------------------------------------------------------
 *
 * proof_definition.h
 *	  What a table's definition row says: names and tags of the columns.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PROOF_DEFINITION_H
#define PROOF_DEFINITION_H

#include "table_row.h"
#include "tl_status.h"
#include "tl_types.h"
#include "tl_wire.h"

typedef struct TlDefinition
{
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	uint32_t	version;
	TlSpan		schema;
	TlSpan		table;
	uint32_t	column_count;
	bool		fixed;			/* that of ledger.table_version itself */
	TlSpan		numbers;		/* elements of the four arrays, still encoded */
	TlSpan		names;
	TlSpan		type_names;
	TlSpan		type_tags;
} TlDefinition;

typedef struct TlDefinitionColumn
{
	uint16_t	attribute_number;
	TlSpan		name;
	TlSpan		type_name;
	uint32_t	type_tag;
} TlDefinitionColumn;

/* Walks the columns in order of attribute number. */
typedef struct TlDefinitionReader
{
	const TlDefinition *definition;
	uint32_t	next;
	TlReader	numbers;
	TlReader	names;
	TlReader	type_names;
	TlReader	type_tags;
} TlDefinitionReader;

/* The table id of ledger.table_version, alike on every ledger. */
extern void tl_proof_definition_table_id(uint8_t out[TL_TABLE_ID_SIZE]);

/* The definition that needs no row: that of ledger.table_version. */
extern void tl_proof_definition_fixed(TlDefinition *out);

/*
 * Read a row of ledger.table_version, whole.  TL_OK means that the columns are
 * as many in each array, in order of attribute number and with valid tags.
 */
extern TlStatus tl_proof_definition_decode(TlDefinition *out,
										   const void *data, size_t size);

extern void tl_proof_definition_open(TlDefinitionReader *reader,
									 const TlDefinition *definition);

/* False after the last column. */
extern bool tl_proof_definition_next(TlDefinitionReader *reader,
									 TlDefinitionColumn *out);

#endif							/* PROOF_DEFINITION_H */
