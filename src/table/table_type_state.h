/*-------------------------------------------------------------------------
 *
 * table_type_state.h
 *	  What a compiled encoding holds; for table_type.c and table_value.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_TYPE_STATE_H
#define TABLE_TYPE_STATE_H

#include "access/tupdesc.h"

#include "table_type.h"

typedef enum ValueKind
{
	VALUE_UNSUPPORTED,
	VALUE_BOOL,
	VALUE_INT2,
	VALUE_INT4,
	VALUE_INT8,
	VALUE_FLOAT4,
	VALUE_FLOAT8,
	VALUE_NUMERIC,
	VALUE_VARLENA,				/* stored bytes: text family, json, bytea */
	VALUE_NAME,
	VALUE_JSONB,
	VALUE_FIXED,				/* stored bytes of fixed length */
	VALUE_TIMETZ,
	VALUE_INTERVAL,
	VALUE_INET,
	VALUE_BIT,
	VALUE_ENUM,
	VALUE_RANGE,
	VALUE_ARRAY,
	VALUE_COMPOSITE
} ValueKind;

struct TlValueEncoder
{
	ValueKind	kind;
	Oid			type;			/* never a domain */
	Oid			domain;			/* over it, if that is what was asked for */
	void	   *domain_cache;	/* of domain_check() */
	bool		judged;			/* bytes are of values that rows have had: no limits, no rules */
	MemoryContext context;		/* in which all of it lives */
	int16		length;			/* pg_type.typlen */
	bool		by_value;
	char		alignment;
	TlValueEncoder *element;	/* of an array; the bounds of a range */
	TupleDesc	descriptor;		/* of a composite */
	TlValueEncoder **attributes;	/* NULL where dropped */
	Datum	   *values;			/* room for deforming a composite */
	bool	   *nulls;
};

#endif							/* TABLE_TYPE_STATE_H */
