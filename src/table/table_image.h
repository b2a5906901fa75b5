/*-------------------------------------------------------------------------
 *
 * table_image.h
 *	  Old images of rows of state tables: the key of a row, and back from its bytes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLE_IMAGE_H
#define TABLE_IMAGE_H

#include "fmgr.h"
#include "utils/rel.h"

#include "crypto_hash.h"
#include "tl_types.h"

/* Which columns the primary key has, by their places among those that are there. */
typedef struct TlImageKey
{
	int			count;
	AttrNumber	places[INDEX_MAX_KEYS]; /* ascending */
} TlImageKey;

extern void tl_table_image_key_open(TlImageKey *out, Relation relation);
extern void tl_table_image_key(TlHash *out, const TlImageKey *key, TlSpan row);

/* The state table whose row type the first argument of the function has; an error if it is none. */
extern Oid	tl_table_image_argument(FunctionCallInfo fcinfo);

#endif							/* TABLE_IMAGE_H */
