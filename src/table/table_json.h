/*-------------------------------------------------------------------------
 *
 * table_json.h
 *	  How deep and how large a JSON text is, before anybody parses it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_JSON_H
#define TABLE_JSON_H

#include "tl_types.h"

typedef struct TlJsonMeasure
{
	uint32_t	depth;			/* arrays and objects that are open at once */
	uint32_t	item_count;		/* commas and openings, outside of strings */
	bool		has_exponent;	/* of a number */
} TlJsonMeasure;

extern void tl_table_json_measure(TlJsonMeasure *out, TlSpan text);

#endif							/* TABLE_JSON_H */
